"""Step 8 of a token request: a grant becomes a signed access token (RFC 9068)."""

from keyfob.jose.jws import Signer
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth import access_token, dpop
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.dpop import Proof
from keyfob.oauth.token_endpoint import IssuedToken
from keyfob.server.authorize import Grant


def mint(grant: Grant, key: Signer, *, issuer: str, now: int, jti: str, bound_to: Proof | None = None) -> IssuedToken:
    """The token for `grant`, signed. RFC 9068 §2.2: for client credentials, `sub` is the client.

    Blocking where the key lies elsewhere: see keyfob.server.signing.

    `bound_to`: RFC 9449 §6.1, the key without which it is worth nothing.
    """
    token = AccessToken(
        issuer=issuer,
        # RFC 9068 §2.2: with client credentials, the client is the subject.
        subject=grant.client_id,
        client_id=grant.client_id,
        # RFC 8707 §2, RFC 9068 §3, RFC 6750 §5.3, RFC 9700 §2.3: a token is for one resource.
        audience=grant.resource,
        issued_at=now,
        # RFC 6750 §5.3, RFC 9068 §2.2: a token is for a short time.
        expires_at=now + grant.lifetime,
        jti=jti,
        scope=grant.scope,
        authorization_details=grant.authorization_details,
        credential_id=grant.credential_id,
        confirmation=None if bound_to is None else {"jkt": bound_to.key_id},
    )
    return IssuedToken(
        access_token=sign_access_token(access_token.write_claims(token), key),
        lifetime=grant.lifetime,
        scope=grant.scope,
        authorization_details=grant.authorization_details,
        jti=jti,
        resource=grant.resource,
        token_type="Bearer" if bound_to is None else dpop.SCHEME,  # the name of a type
    )

"""Step 8 of a token request: a grant becomes a signed access token (RFC 9068)."""

from collections.abc import Mapping

from keyfob.jose.jws import Signer
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth import access_token, dpop
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.token_endpoint import IssuedToken
from keyfob.server.authorize import Grant


def mint(
    grant: Grant, key: Signer, *, issuer: str, now: int, jti: str, confirmation: Mapping[str, str] | None = None
) -> IssuedToken:
    """The token for `grant`, signed. RFC 9068 §2.2: for client credentials, `sub` is the client.

    Blocking where the key lies elsewhere: see keyfob.server.signing.

    `confirmation`: the key (RFC 9449 §6.1) and the certificate (RFC 8705 §3.1) without which it is worth nothing.
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
        confirmation=confirmation,
    )
    return IssuedToken(
        access_token=sign_access_token(access_token.write_claims(token), key),
        lifetime=grant.lifetime,
        scope=grant.scope,
        authorization_details=grant.authorization_details,
        jti=jti,
        resource=grant.resource,
        token_type=dpop.SCHEME if "jkt" in (confirmation or {}) else "Bearer",  # the name of a type
    )

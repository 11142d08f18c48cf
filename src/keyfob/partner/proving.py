"""How this client proves to the issuer who it is: one request for a token, ready to be sent (RFC 6749 §4.4.2).

    client_secret_basic    the secret in the header
    client_secret_post     the secret in the body, for a proxy that takes the header away
    private_key_jwt        an assertion signed by a key that never leaves the vault (RFC 7523 §2.2)
    tls_client_auth        the certificate of the TLS connection; the request only names the client (RFC 8705 §2)

What the credential holds decides; a certificate, which is no part of it, is the transport's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keyfob.ambient import Entropy
from keyfob.oauth import client_assertion, client_authentication, form, token_endpoint
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.client_information import ClientInformation
from keyfob.partner import client_key
from keyfob.partner.errors import VaultProblem
from keyfob.partner.held import Wish
from keyfob.partner.steps import Request
from keyfob.secret import Secret

_JTI_BYTES = 16
_HEADERS = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))


@dataclass(frozen=True, slots=True)
class Proof:
    """A client's proof: what goes into the form, and what into the Authorization header."""

    method: Method
    parameters: Mapping[str, str] = field(repr=False)
    authorization: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """The means of this process. `now`: seconds since 1970, by the issuer's clock as far as it is known."""

    now: Callable[[], int]
    entropy: Entropy
    secret_in_body: bool = False
    by_certificate: bool = False

    def prove(self, information: ClientInformation) -> Proof:
        """Who `information` says we are. Raises VaultProblem where there is nothing to prove it by."""
        client_id = information.client_id
        if self.by_certificate:
            return Proof(Method.TLS_CLIENT_AUTH, {"client_id": client_id})
        if information.client_key is not None:
            return Proof(Method.PRIVATE_KEY_JWT, client_authentication.write_assertion(self._assert(information)))
        secret = information.client_secret
        if secret is None:
            raise VaultProblem("no-secret", "the stored credential holds nothing to prove it by", hint=_HINT)
        if self.secret_in_body:
            # (RFC 6749 §2.3.1) in the body, never in the URL.
            return Proof(Method.CLIENT_SECRET_POST, {"client_id": client_id, "client_secret": secret.reveal()})
        # (RFC 6749 §2.3.1, §4.4.2) the client authenticates.
        return Proof(Method.CLIENT_SECRET_BASIC, {}, client_authentication.write_basic(client_id, secret))

    def _assert(self, information: ClientInformation) -> Secret:
        assert information.client_key is not None
        try:
            key = client_key.load(information.client_key)
        except ValueError as unusable:
            raise VaultProblem("damaged-key", f"the vault's key cannot be used: {unusable}", hint=_HINT) from unusable
        # (RFC 7523 §3) for this issuer alone, once, for a minute.
        claims = client_assertion.write_claims(
            information.client_id,
            audience=information.issuer,
            now=self.now(),
            jti=self.entropy(_JTI_BYTES).hex(),
        )
        return key.sign(claims, {"kid": key.kid, "typ": client_assertion.JWT_TYPE})


def write_request(information: ClientInformation, wish: Wish, proof: Proof, *, dpop: Secret | None = None) -> Request:
    """RFC 6749 §4.4.2. `dpop`: the proof of a key that the token is to be bound to. Raises VaultProblem."""
    # RFC 6749 §2.3.1, §3.2: a credential travels over TLS alone.
    if not information.token_endpoint.startswith("https://"):
        raise VaultProblem("plain-http", "the credential names a token endpoint without HTTPS", hint="ask the operator")
    parameters = token_endpoint.write_request(scope=wish.scope, resource=wish.resource, authorization_details=None)
    if wish.details:
        parameters["authorization_details"] = wish.details
    return Request(
        # RFC 6749 §3.2: a client asks by POST.
        "POST",
        information.token_endpoint,
        _HEADERS,
        Secret(form.write({**parameters, **proof.parameters})),
        proof.authorization,
        dpop=dpop,
    )


def write_question(path: str, information: ClientInformation, proof: Proof) -> Request:
    """A question to our issuer, at `path`, by whatever proves who asks. Raises VaultProblem."""
    if not information.issuer.startswith("https://"):
        raise VaultProblem("plain-http", "the credential names an issuer without HTTPS", hint="ask the operator")
    url, accept = information.issuer + path, ("accept", "application/json")
    if proof.authorization is not None:
        return Request("GET", url, (accept,), authorization=proof.authorization)
    return Request("POST", url, _HEADERS, Secret(form.write(proof.parameters)))


_HINT = "keyfob receive another message"

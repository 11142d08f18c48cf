"""The answers of a guard that RFC 6750 has not."""

from keyfob.oauth.dpop import InvalidDpopProof, UseDpopNonce
from keyfob.oauth.errors import InvalidToken, OAuthError


class MissingToken(OAuthError):
    """RFC 6750 §3.1: a request without any credentials is answered with a challenge that holds no error code."""

    code = ""
    status = 401

    def __init__(self) -> None:
        super().__init__("this resource needs an access token in the Authorization header")


class RefusedProof(InvalidDpopProof):
    """RFC 9449 §7.1: at a resource, a token without a good proof is answered 401."""

    status = 401


class RefusedNonce(UseDpopNonce):
    """RFC 9449 §9: the proof holds no nonce that this guard gave a moment ago; `nonce` is one."""

    status = 401

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce


class RefusedBoundToken(InvalidToken):
    """RFC 9449 §7.1: a token that came with a proof, and is not good or not bound to that key."""


class IssuerUnavailable(OAuthError):
    """The issuer's keys could not be had: nobody can be judged now. Answered 503, never by letting through."""

    code = "temporarily_unavailable"
    status = 503
    retry_after = 5

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("access tokens cannot be checked at the moment; try again", detail=detail)

"""RFC 9449 on the client's side: proofs that whoever sends a token holds a key, which never leaves this process."""

from collections.abc import Callable

from keyfob.ambient import Entropy
from keyfob.oauth import dpop, resource_indicator
from keyfob.oauth.wire import Headers, values
from keyfob.partner.client_key import ClientKey
from keyfob.secret import Secret

_JTI_BYTES = 16  # RFC 9449 §4.2: 96 bits at least
_MAX_NONCE_BYTES = 512
_MAX_REMEMBERED = 64


class Prover:
    """Makes the proofs of one session, and remembers the nonce that each server wants next (RFC 9449 §8, §9).

    `now`: seconds since 1970, by the issuer's clock as far as it is known.
    """

    def __init__(self, key: ClientKey, *, now: Callable[[], int], entropy: Entropy) -> None:
        self._key = key
        self._now = now
        self._entropy = entropy
        self._nonces: dict[tuple[str, bool], str] = {}

    @property
    def key_id(self) -> str:
        """RFC 9449 §6.1: the `jkt` of the tokens that are bound to this key."""
        return self._key.kid

    def __repr__(self) -> str:
        return f"Prover(key_id={self.key_id!r})"

    def prove(self, method: str, url: str, access_token: Secret | None = None) -> Secret:
        """The DPoP header of one request; `access_token` where the request carries one (RFC 9449 §4.2: `ath`)."""
        claims = dpop.write_claims(
            method=method,
            url=url,
            now=self._now(),
            jti=self._entropy(_JTI_BYTES).hex(),
            access_token=access_token,
            nonce=self._nonces.get((resource_indicator.origin(url), access_token is not None)),
        )
        return self._key.sign(claims, {"typ": dpop.TYPE, "jwk": self._key.public_jwk()})

    def learn(self, url: str, headers: Headers, *, with_token: bool) -> bool:
        """Remember the nonce of an answer from `url`; whether it is another than before.

        `with_token`: an API's, to a request that carried one. It is not the issuer's, also where both have one host.
        """
        found = values(headers, b"dpop-nonce")
        # (RFC 9449 §8.1) NQCHAR alone.
        if len(found) != 1 or not 0 < len(found[0]) <= _MAX_NONCE_BYTES or not found[0].isascii():
            return False
        nonce, server = found[0].decode(), (resource_indicator.origin(url), with_token)
        if not nonce.isprintable() or nonce == self._nonces.get(server):
            return False
        if len(self._nonces) >= _MAX_REMEMBERED:
            self._nonces.clear()
        self._nonces[server] = nonce
        return True

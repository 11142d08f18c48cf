"""RFC 9449 §7, RFC 8705 §3: what a token is bound to is proven by the request that brings it."""

import hmac

from keyfob.ambient import Clock
from keyfob.guard.errors import RefusedNonce, RefusedProof
from keyfob.guard.replays import Replays
from keyfob.jose.keys import SigningKey
from keyfob.jose.proofs import verify_proof
from keyfob.oauth import dpop, mutual_tls, resource_indicator
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.secret import Secret


class Possession:
    """Proofs for requests to `audience`, each good once.

    `nonce_key`: a proof must hold a nonce that was made with it (RFC 9449 §9); None: none is asked for.
    """

    def __init__(self, audience: str, *, replays: Replays, nonce_key: Secret | None, clock: Clock) -> None:
        self._origin = resource_indicator.origin(audience)
        self._replays = replays
        self._nonce_key = nonce_key
        self._clock = clock

    async def check(
        self,
        token: AccessToken,
        presented: Secret,
        proof: Secret | None,
        certificate: PresentedCertificate | None,
        *,
        method: str,
        path: bytes,
    ) -> None:
        """All that `token` is bound to, each proven. Raises InvalidToken, RefusedProof or RefusedNonce."""
        left = dict(token.confirmation or {})
        named = left.pop(mutual_tls.CONFIRMATION, None)
        # RFC 8705 §3: a token that is bound to a certificate is worth nothing in a connection without it.
        if named is not None and (certificate is None or not mutual_tls.confirms(named, certificate.certificate)):
            came = "none came" if certificate is None else "another came"
            raise InvalidToken(detail=f"the token is bound to a certificate, and {came}")
        key_id = left.pop("jkt", None)
        if left or (key_id is None) is not (proof is None):
            raise InvalidToken(
                detail="the token is bound to what was not proven"
                if proof is None
                else "the token is not bound to the key of a DPoP proof"
            )
        if proof is not None and key_id is not None:
            await self._check_proof(proof, presented, key_id, method=method, path=path)

    async def _check_proof(self, proof: Secret, presented: Secret, key_id: str, *, method: str, path: bytes) -> None:
        """RFC 9449 §7.1, §7.2."""
        now = self._clock()
        url = self._origin + path.decode("latin-1")
        try:
            found, nonce = verify_proof(proof, method=method, url=url, now=now, access_token=presented)
        except InvalidDpopProof as refused:
            raise RefusedProof(detail=refused.detail) from refused
        if not hmac.compare_digest(found.key_id, key_id):
            raise InvalidToken(detail="the proof is by another key than the token's")
        # RFC 9449 §9: a proof that was made ahead of time has no nonce of now.
        if self._nonce_key is not None and not dpop.is_fresh(nonce, self._nonce_key, now):
            raise RefusedNonce(dpop.new_nonce(self._nonce_key, now))
        if not await self._replays.use(f"{found.key_id}:{found.jti}", until=found.expires_at, now=now):
            raise RefusedProof(detail="the proof was used before")


def nonce_key(resource_key: SigningKey) -> Secret:
    """What only the processes of one API have, and all of them: none needs to remember a nonce of another's."""
    return Secret(hmac.digest(resource_key.to_secret().reveal_bytes(), b"keyfob guard dpop nonce", "sha256"))

"""Between authentication and grant: which key the token is to be bound to (RFC 9449 §5)."""

from collections.abc import Callable

from keyfob.jose.proofs import verify_proof
from keyfob.oauth import dpop
from keyfob.oauth.dpop import InvalidDpopProof, Proof, UseDpopNonce
from keyfob.oauth.wire import Headers
from keyfob.server.authenticate import AuthenticatedClient
from keyfob.server.refusals.causes import Cause


def read_possession(
    authenticated: AuthenticatedClient,
    headers: Headers,
    *,
    token_endpoint: str,
    is_fresh_nonce: Callable[[object], bool],
    now: int,
) -> Proof | None:
    """The proof of a key; None for a bearer token, which only a client that is not bound may have.

    Raises InvalidDpopProof, and UseDpopNonce for a proof whose nonce is none of ours or too old.
    """
    presented = dpop.read_proof(headers)
    if presented is None:
        if authenticated.client.dpop_bound:
            raise InvalidDpopProof(detail=Cause.PROOF_MISSING)
        return None
    proof, nonce = verify_proof(presented, method="POST", url=token_endpoint, now=now, access_token=None)
    if nonce is not None and not is_fresh_nonce(nonce):
        raise UseDpopNonce
    return proof

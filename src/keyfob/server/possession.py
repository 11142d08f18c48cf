"""Between authentication and grant: which key and which certificate the token is to be bound to.

RFC 9449 §5, RFC 8705 §3.
"""

from collections.abc import Callable, Mapping

from keyfob.jose.proofs import verify_proof
from keyfob.oauth import dpop, mutual_tls
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE
from keyfob.oauth.dpop import InvalidDpopProof, Proof, UseDpopNonce
from keyfob.oauth.errors import InvalidClient, InvalidRequest
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.wire import Headers
from keyfob.server import client_trust
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


def confirmation(
    authenticated: AuthenticatedClient, proof: Proof | None, certificate: PresentedCertificate | None, *, now: int
) -> Mapping[str, str] | None:
    """The token's `cnf`: all of what it is worth nothing without; None for a bearer token.

    A client that authenticates by its certificate has its tokens bound to it, unless it is registered to prove a key
    instead. Raises InvalidRequest where a certificate is needed and none came, and InvalidClient for an unusable one.
    """
    client, bound = authenticated.client, {}
    if proof is not None:
        # RFC 9449 §6.1.
        bound["jkt"] = proof.key_id
    is_by_certificate = client.auth_method in METHODS_BY_CERTIFICATE and not client.dpop_bound
    if client.certificate_bound or is_by_certificate:
        if certificate is None:
            raise InvalidRequest(
                "this client's tokens are bound to a TLS client certificate, and none came",
                detail=Cause.CERTIFICATE_NEEDED,
            )
        fault = client_trust.find_fault(certificate, now=now)
        if fault is not None:
            raise InvalidClient(detail=fault)
        # RFC 8705 §3.1: the token names the certificate that was proven.
        bound[mutual_tls.CONFIRMATION] = certificate.thumbprint
    return bound or None

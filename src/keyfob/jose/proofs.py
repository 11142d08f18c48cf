"""RFC 9449 DPoP proofs as signed JWTs: signature and claims are one call."""

from collections.abc import Mapping
from typing import cast

from keyfob.jose import jws
from keyfob.jose.compact import encode_json
from keyfob.jose.jws import Header, InvalidJws
from keyfob.jose.keys import MalformedKeySet, SigningKey, VerificationKey, read_public_key, thumbprint
from keyfob.oauth import dpop
from keyfob.oauth.dpop import InvalidDpopProof, Proof
from keyfob.secret import Secret

MAX_BYTES = 4096


def sign_proof(
    key: SigningKey, *, method: str, url: str, now: int, jti: str, access_token: Secret | None = None,
    nonce: str | None = None,
) -> Secret:  # fmt: skip
    """A proof for one request by the holder of `key` (RFC 9449 §4.2)."""
    claims = dpop.write_claims(method=method, url=url, now=now, jti=jti, access_token=access_token, nonce=nonce)
    public = {name: value for name, value in key.public_jwk().items() if name in ("kty", "crv", "x", "y", "n", "e")}
    return jws.sign(claims, key, header=encode_json({"alg": key.algorithm.name, "typ": dpop.TYPE, "jwk": public}))


def verify_proof(
    proof: Secret, *, method: str, url: str, now: int, access_token: Secret | None
) -> tuple[Proof, object]:
    """The proof and the nonce that it holds, unchecked (None: none). Raises InvalidDpopProof.

    RFC 9449 §4.3: signed by the key in its own header, for this request, of this moment.
    """
    try:
        header, claims = jws.verify(proof, _signers, max_bytes=MAX_BYTES)
    except InvalidJws as invalid:
        raise InvalidDpopProof(detail=f"the proof cannot be believed: {invalid}") from invalid
    key_id = thumbprint(_signers(header)[0].public_key)
    found = dpop.read_claims(claims, key_id=key_id, method=method, url=url, now=now, access_token=access_token)
    return found, claims.get("nonce")


def _signers(header: Header) -> tuple[VerificationKey, ...]:
    if not jws.has_type(header, dpop.TYPE):
        raise InvalidDpopProof(detail="typ is not dpop+jwt")
    member = header.get("jwk")
    if not isinstance(member, dict):
        raise InvalidDpopProof(detail="the header holds no jwk")
    try:
        found = read_public_key(cast("Mapping[str, object]", member))
    except MalformedKeySet as private:
        raise InvalidDpopProof(detail="the header's jwk is private or shared") from private
    if found is None:
        raise InvalidDpopProof(detail="the header's jwk is none that is taken here")
    return tuple(VerificationKey(algorithm, found[0]) for algorithm in found[1])

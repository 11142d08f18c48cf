"""Keys that nobody has. An assertion of an unknown client is verified with one, so that its time tells nothing."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa

from keyfob.jose.algorithms import ALGORITHMS, MIN_RSA_BITS, PublicKey
from keyfob.jose.client_keys import ClientKey, ClientKeys
from keyfob.jose.jws import Header
from keyfob.jose.keys import VerificationKey


class Decoys(ClientKeys):
    """Has a key for each algorithm, whatever a header names."""

    def may_have_signed(self, header: Header) -> tuple[VerificationKey, ...]:
        return tuple(one for key in self.keys for one in key.verifies)


def _public_key(kind: str, name: str) -> PublicKey:
    if kind != "RSA":
        return ALGORITHMS[name].generate().public_key()
    # Verification divides by whatever odd number it is given: a modulus need not have factors that anybody knows.
    digits = hashlib.shake_256(b"keyfob decoy").digest(MIN_RSA_BITS // 8)
    return rsa.RSAPublicNumbers(65537, int.from_bytes(digits) | 1 | 1 << (MIN_RSA_BITS - 1)).public_key()


DECOYS = Decoys(
    tuple(
        ClientKey("", frozenset(), (VerificationKey(algorithm, _public_key(algorithm.kty, name)),))
        for name, algorithm in ALGORITHMS.items()
    )
)

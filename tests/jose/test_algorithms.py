"""keyfob.jose.algorithms: RFC 7518 §3, RFC 8037 §3.1."""

import pytest
from cryptography.exceptions import InvalidSignature

from keyfob.jose import keys
from keyfob.jose.algorithms import ALGORITHMS


def test_the_list_is_closed():
    """RFC 9068 §2.1, RFC 7518 §3.1, §3.2, §3.6, RFC 8725 §3.2: RS256 is in it; `none` and every HMAC are not."""
    assert set(ALGORITHMS) == {"ES256", "ES384", "EdDSA", "PS256", "RS256", "RS384"}


@pytest.mark.parametrize("name", ["ES256", "ES384"])
def test_a_signature_has_the_one_length_of_its_curve(name: str):
    """RFC 7518 §3.4: zeros in the middle would be the same two numbers spelled otherwise."""
    key = keys.generate(name)
    public = key.private_key.public_key()
    signature = key.algorithm.sign(key.private_key, b"message")
    key.algorithm.verify(public, b"message", signature)
    middle = len(signature) // 2
    for other in (signature[:middle] + b"\0" + signature[middle:], signature[:-1], signature + b"\0", b""):
        with pytest.raises(InvalidSignature):
            key.algorithm.verify(public, b"message", other)

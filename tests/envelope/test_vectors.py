"""Envelopes that are written down: what was sealed once opens for ever, and the page that describes them is true."""

import json
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keyfob.envelope import format as envelopes
from keyfob.envelope.format import Context, Wrapper
from keyfob.envelope.os_keyring import KeyringWrapper
from keyfob.envelope.random_key import RandomKey
from keyfob.envelope.wrappers import KeyFileWrapper, PassphraseWrapper
from keyfob.secret import Secret

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "envelope-1.json").read_text())


def counting():
    """Entropy as the vectors had it: 10 11 12 ..., then 20 21 22 ..."""
    taken = [0]

    def take(count: int) -> bytes:
        taken[0] += 16
        return bytes((taken[0] + number) % 256 for number in range(count))

    return take


def wrapper_of(vector, entropy) -> Wrapper:
    if vector["kind"] == "passphrase":
        return PassphraseWrapper(Secret(vector["passphrase"]), entropy=entropy, log2_n=14)
    key = RandomKey.parse(Secret(vector["key"]))
    return KeyFileWrapper(Path("k"), key) if vector["kind"] == "file" else KeyringWrapper("keyring:0", key)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_each_vector_opens_and_is_made_again(vector):
    context = Context(**vector["context"])
    plaintext = Secret(vector["plaintext"])
    entropy = counting()
    wrapper = wrapper_of(vector, entropy)
    sealed = bytes.fromhex(vector["envelope"])
    assert envelopes.open(sealed, wrapper=wrapper, context=context) == plaintext
    assert envelopes.seal(plaintext, wrapper=wrapper, context=context, entropy=entropy) == sealed


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_each_vector_opens_by_what_the_page_says_alone(vector):
    """RFC 5297 and RFC 7914, by another way than ours."""
    envelope = bytes.fromhex(vector["envelope"])
    place = vector["context"]
    texts = ["keyfob envelope", place["installation_id"], place["purpose"], place["record_id"]]
    prefixed = b"".join(struct.pack(">I", len(text)) + text.encode() for text in texts)
    context = b"\1" + prefixed + struct.pack(">Q", place["key_version"])
    kind_end = 5 + envelope[4]
    nonce_at = kind_end + 2 + int.from_bytes(envelope[kind_end : kind_end + 2], "big")
    kind, wrapped = envelope[5:kind_end], envelope[kind_end + 2 : nonce_at]
    if kind == b"passphrase":
        n, r, p = wrapped[:3]
        key = Scrypt(salt=wrapped[3:19], length=64, n=2**n, r=r, p=p).derive(vector["passphrase"].encode())
        data_key = AESSIV(key).decrypt(wrapped[19:], [kind, wrapped[:19], context])
    else:
        data_key = AESSIV(bytes(range(64))).decrypt(wrapped[8:], [kind, context])
    nonce, rest = envelope[nonce_at : nonce_at + 12], envelope[nonce_at + 12 :]
    opened = AESGCM(data_key).decrypt(nonce, rest, envelope[:nonce_at] + context)
    assert opened.decode() == vector["plaintext"]


def test_the_page_has_the_first_vector():
    page = (ROOT / "docs" / "reference" / "vault-format.md").read_text()
    assert "".join(VECTORS[0]["envelope"]) in page.replace('"\n    "', "")

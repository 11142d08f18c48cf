"""Texts signed in clear by the real gpg and by us: the wanted signer's alone, and nothing beside them."""

import base64
import bz2
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.openpgp import certificate, clearsigned
from keyfob.openpgp.clearsigned import NotSigned
from keyfob.openpgp.gpg import GpgUnsealer
from keyfob.openpgp.message import UnsealError
from keyfob.openpgp.unseal import PrivateKeyUnsealer

TEXT = b'{\n "a": 1\n}'
BLOCK = re.compile(rb"\n\n([A-Za-z0-9+/=\n]+?)\n=?.{4}\n-----END")


@pytest.fixture(scope="module")
def signed(gpg, partner):
    return gpg.run("--local-user", partner, "--clearsign", content=TEXT).stdout


@pytest.fixture(scope="module")
def signer(gpg, partner):
    return certificate.read_signer(gpg.export(partner))


def with_block(signed, block):
    """`signed` with other packets as its signature."""
    head, _, _ = signed.partition(b"-----BEGIN PGP SIGNATURE-----")
    lines = re.sub(rb"(.{1,64})", rb"\1\n", base64.b64encode(block))
    return head + b"-----BEGIN PGP SIGNATURE-----\n\n" + lines + b"-----END PGP SIGNATURE-----\n"


def block_of(signed):
    body = signed.rpartition(b"\n\n")[2].partition(b"-----END")[0]
    return base64.b64decode(b"".join(line for line in body.split() if not line.startswith(b"=")))


@pytest.mark.parametrize("kind", ["partner", "rsa_partner"])
def test_what_gpg_signed_is_read(gpg, kind, request):
    fingerprint = request.getfixturevalue(kind)
    made = gpg.run("--local-user", fingerprint, "--clearsign", content=TEXT).stdout
    found = certificate.read_signer(gpg.export(fingerprint))
    assert clearsigned.verify(made, signer=found) == TEXT
    assert clearsigned.verify(made.replace(b"\n", b"\r\n"), signer=found).split() == TEXT.split()
    assert clearsigned.read_unverified(made) == TEXT


def test_gpg_and_a_private_key_file_sign_alike(gpg, partner, recipient, signer):
    assert clearsigned.verify(GpgUnsealer(homedir=gpg.homedir).clearsign(TEXT, fingerprint=partner), signer=signer)
    private_key, own = recipient
    made = PrivateKeyUnsealer(private_key).clearsign(TEXT, fingerprint=own.fingerprint)
    assert clearsigned.verify(made, signer=own) == TEXT
    assert gpg.run("--import", content=own.armored)
    assert b"VALIDSIG" in gpg.run("--status-fd", "1", "--verify", content=made).stdout
    with pytest.raises(UnsealError):
        PrivateKeyUnsealer(private_key).clearsign(TEXT, fingerprint=partner)
    with pytest.raises(UnsealError):
        GpgUnsealer(homedir=gpg.homedir).clearsign(TEXT, fingerprint="A" * 40)


def test_another_signer_and_a_changed_text_are_refused(signed, signer, recipient):
    for text, wanted in ((signed, recipient[1]), (signed.replace(b'"a": 1', b'"a": 2'), signer)):
        with pytest.raises(NotSigned):
            clearsigned.verify(text, signer=wanted)


def test_nothing_may_stand_beside_the_signed_text(signed, signer):
    for text in (b"hello\n" + signed, signed + b"hello\n", signed + signed, signed[1:], signed[:-40], TEXT, b""):
        with pytest.raises(NotSigned):
            clearsigned.verify(text, signer=signer)


def test_an_inline_message_is_no_text_in_clear(gpg, partner, signer):
    """It may be compressed, and a few bytes unpack into gigabytes."""
    made = gpg.run("--local-user", partner, "--armor", "--sign", content=TEXT).stdout
    with pytest.raises(NotSigned):
        clearsigned.verify(made, signer=signer)


def test_a_signature_block_with_anything_but_signatures_is_refused_unread(signed, signer, monkeypatch):
    block = block_of(signed)
    assert clearsigned.verify(with_block(signed, block), signer=signer) == TEXT
    packed = b"\x03" + bz2.compress(b"\0" * 10_000_000)
    bomb = bytes([0xC0 | 8, 255]) + len(packed).to_bytes(4) + packed
    partial, unfinished, old = bytes([0xC2, 230]), block[:-1], bytes([0xA3]) + b"x"
    monkeypatch.setattr(clearsigned.sequoia, "verify", lambda *_, **__: pytest.fail("the library has read it"))
    for packets in (bomb, block + bomb, block * 9, unfinished, old, partial, b"\0"):
        with pytest.raises(NotSigned):
            clearsigned.verify(with_block(signed, packets), signer=signer)


@given(st.binary(max_size=100))
def test_any_block_ends_in_a_refusal_or_is_signatures(block):
    assert clearsigned._holds_signatures_alone(block) in (True, False)

"""RFC 9580 §5.2.4: one key vouches for another, as the real gpg signs it; nothing else counts as that."""

import time
from collections.abc import Callable

import pytest

from keyfob.openpgp import certificate, certification, sequoia
from keyfob.openpgp.certificate import Certificate


def read(gpg, fingerprint: str) -> Certificate:
    return certificate.check(gpg.export(fingerprint), now=int(time.time()))


@pytest.fixture(scope="module")
def signed(gpg) -> Callable[..., tuple[Certificate, Certificate]]:
    """(the former certificate, the new one that it has signed)."""

    def make(name: str, algorithm: str, *options: str) -> tuple[Certificate, Certificate]:
        former = gpg.new_key(f"{name} <old@{name}.example>", algorithm=algorithm)
        new = gpg.new_key(f"{name} new <new@{name}.example>")
        gpg.run(*options, "--local-user", former, "--quick-sign-key", new)
        return read(gpg, former), read(gpg, new)

    return make


@pytest.fixture(scope="module")
def pair(signed) -> tuple[Certificate, Certificate]:
    return signed("pair", "ed25519")


def certifies(former: Certificate, new: Certificate) -> bool:
    return certification.certifies(former, new, now=int(time.time()))


@pytest.mark.parametrize(("algorithm", "digest"), [("rsa4096", "SHA512"), ("rsa3072", "SHA256"), ("ed25519", "SHA384")])
def test_a_key_that_gpg_signed_with_another_is_certified_by_it_and_not_the_other_way(signed, algorithm, digest):
    former, new = signed(f"{algorithm}x{digest}", algorithm, "--cert-digest-algo", digest)
    assert certifies(former, new)
    assert not certifies(new, former)


def test_a_key_that_another_one_signed_is_not_certified(gpg, pair, partner):
    _, new = pair
    assert not certifies(read(gpg, partner), new)
    assert not certifies(new, read(gpg, partner))


def test_a_signature_by_sha1_does_not_count(signed):
    assert not certifies(*signed("weak", "ed25519", "--allow-weak-key-signatures", "--cert-digest-algo", "SHA1"))


def test_a_signature_that_has_expired_does_not_count_any_more(signed):
    options = ("--default-cert-expire", "1d", "--no-ask-cert-expire")
    former, new = signed("brief", "ed25519", *options)
    now = int(time.time())
    assert certification.certifies(former, new, now=now)
    assert not certification.certifies(former, new, now=now + 2 * 24 * 3600)


def test_what_was_taken_back_does_not_count(gpg, signed):
    former, new = signed("regret", "ed25519")
    gpg.run("--local-user", former.fingerprint, "--quick-revoke-sig", new.fingerprint, former.fingerprint)
    assert not certifies(former, read(gpg, new.fingerprint))


def test_a_signature_is_bound_to_its_key_and_every_bit_of_it(pair):
    former, new = pair
    packets = sequoia.read_packets(new.armored)
    key, user_id = packets[0].body, next(one.body for one in packets if one.kind is sequoia.Kind.USER_ID)
    signer = sequoia.read_packets(former.armored)[0].body
    bodies = [one.body for one in packets if one.kind is sequoia.Kind.SIGNATURE]
    by_former = [
        body
        for body in bodies
        if (found := certification._read(body)) and certification._is_good(found, signer, key, user_id)
    ]
    (body,) = by_former
    good = certification._read(body)
    assert not certification._is_good(good, signer, key[:-1] + bytes([key[-1] ^ 1]), user_id)
    assert not certification._is_good(good, signer, key, user_id + b"!")
    signed_part = len(good.signed)
    for place in (*range(signed_part), *range(len(body) - 30, len(body))):  # the last: of the value itself
        changed = bytearray(body)
        changed[place] ^= 1
        found = certification._read(bytes(changed))
        assert found is None or not certification._is_good(found, signer, key, user_id), place
    for end in range(len(body)):
        found = certification._read(body[:end])
        assert found is None or not certification._is_good(found, signer, key, user_id)


def test_the_end_of_a_certificate_is_known_also_when_it_is_over(gpg, partner, rsa_partner):
    for fingerprint in (partner, rsa_partner):
        content = gpg.export(fingerprint)
        assert certificate.ends_at(content) == certificate.check(content, now=int(time.time())).expires_at


def test_a_prolonged_key_is_the_later_form(gpg):
    fingerprint = gpg.new_key("Later <later@example.org>")
    before = gpg.export(fingerprint)
    made = certificate.signed_at(before)
    while int(time.time()) <= made:
        gpg.run("--list-keys", fingerprint)
    gpg.run("--quick-set-expire", fingerprint, "2m")
    assert certificate.signed_at(gpg.export(fingerprint)) > made

"""RFC 9580 §5.2.3, §10.1: certificates as partners really send them, made by the real gpg."""

import base64
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.openpgp import algorithms, certificate, keys, sequoia
from keyfob.openpgp.certificate import Certificate, CertificateProblem
from keyfob.secret import Secret

NOW = int(time.time())
DAY = 24 * 3600


class Gpg(Protocol):
    """What conftest.py makes of the real program."""

    homedir: Path
    new_key: Callable[..., str]
    run: Callable[..., "subprocess.CompletedProcess[bytes]"]
    fingerprint: Callable[[str], str]
    export: Callable[[str], bytes]
    export_private: Callable[..., bytes]


def refused(content: bytes, *, now: int | None = None) -> CertificateProblem:
    with pytest.raises(CertificateProblem) as caught:
        certificate.check(content, now=int(time.time()) if now is None else now)
    assert "\n" not in caught.value.message and "backtrace" not in caught.value.message
    return caught.value


def test_a_key_of_gpg_is_usable_and_says_whose_it_is_and_until_when(gpg: Gpg, partner: str) -> None:
    found = certificate.check(gpg.export(partner), now=int(time.time()))
    assert found.fingerprint == partner
    assert found.user_ids == ("Partner <partner@example.org>",)
    assert found.expires_at is not None and abs(found.expires_at - NOW - 30 * DAY) < DAY
    assert found.armored.isascii() and b"Comment" not in found.armored


def test_the_usual_rsa_4096_key_is_usable(gpg: Gpg, rsa_partner: str) -> None:
    assert certificate.check(gpg.export(rsa_partner), now=int(time.time())).fingerprint == rsa_partner


def test_an_rsa_3072_key_is_usable(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("RSA 3072 <rsa3072@example.org>", algorithm="rsa3072", encryption="rsa3072")
    found = certificate.check(gpg.export(fingerprint), now=int(time.time()))
    assert found.expires_at is not None and abs(found.expires_at - NOW - 30 * DAY) < DAY


def test_a_binary_export_is_the_same_certificate(gpg: Gpg, partner: str) -> None:
    binary = gpg.run("--export", partner).stdout
    assert certificate.check(binary, now=int(time.time())).armored == certificate.check(
        gpg.export(partner), now=int(time.time())
    ).armored  # fmt: skip


def test_what_was_checked_is_checked_again_to_the_same(gpg: Gpg, partner: str) -> None:
    found = certificate.check(gpg.export(partner), now=int(time.time()))
    assert certificate.check(found.armored, now=int(time.time())) == found


def test_a_certificate_is_refused_from_the_second_it_expires(gpg: Gpg, partner: str) -> None:
    content = gpg.export(partner)
    expires_at = certificate.check(content, now=int(time.time())).expires_at
    assert expires_at is not None
    certificate.check(content, now=expires_at - 1)
    problem = refused(content, now=expires_at)
    assert problem.code in ("certificate-expired", "encryption-subkey-expired")
    assert f"gpg --quick-set-expire {partner} 1m" in problem.hint


def test_the_hint_for_an_expired_key_mends_it(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Late <late@example.org>", lifetime="seconds=1")
    time_of_expiry = int(time.time()) + 5
    problem = refused(gpg.export(fingerprint), now=time_of_expiry)
    assert problem.code == "certificate-expired"
    assert f"gpg --quick-set-expire {fingerprint} 1m && gpg --quick-set-expire {fingerprint} 1m '*'" in problem.hint
    gpg.run("--quick-set-expire", fingerprint, "1m")
    assert refused(gpg.export(fingerprint), now=time_of_expiry).code == "encryption-subkey-expired"
    gpg.run("--quick-set-expire", fingerprint, "1m", "*")
    certificate.check(gpg.export(fingerprint), now=time_of_expiry)


def test_an_expired_encryption_subkey_is_refused_with_the_command_that_prolongs_it(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Sub <sub@example.org>", encryption=None)
    gpg.run("--quick-add-key", fingerprint, "cv25519", "encr", "1d")
    problem = refused(gpg.export(fingerprint), now=int(time.time()) + 2 * DAY)
    assert problem.code == "encryption-subkey-expired"
    assert f"gpg --quick-set-expire {fingerprint} 1m '*'" in problem.hint


@pytest.mark.parametrize(("algorithm", "encryption"), [("rsa4096", "rsa4096"), ("ed25519", "cv25519")])
def test_a_key_that_can_only_sign_is_refused_and_the_hint_mends_it(gpg: Gpg, algorithm: str, encryption: str) -> None:
    """What `gpg --quick-generate-key NAME rsa4096` alone makes."""
    user_id = f"Signs {algorithm} <signs@example.org>"
    gpg.run("--quick-generate-key", user_id, algorithm, "default" if algorithm == "rsa4096" else "sign", "1m")
    fingerprint = gpg.fingerprint(user_id)
    problem = refused(gpg.export(fingerprint))
    assert problem.code == "certificate-cannot-encrypt"
    command = f"gpg --quick-add-key {fingerprint} {encryption} encr 1m"
    assert command in problem.hint
    gpg.run(*command.split()[1:])
    certificate.check(gpg.export(fingerprint), now=int(time.time()))


def test_a_revoked_certificate_is_refused(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Revoked <revoked@example.org>")
    homedir: Path = gpg.homedir
    text = (homedir / "openpgp-revocs.d" / f"{fingerprint}.rev").read_bytes()
    gpg.run("--import", content=text[text.index(b":-----BEGIN") + 1 :])
    problem = refused(gpg.export(fingerprint))
    assert problem.code == "certificate-revoked"
    with pytest.raises(CertificateProblem):
        certificate.read_signer(gpg.export(fingerprint))


def test_a_revoked_encryption_subkey_is_refused(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Subrev <subrev@example.org>")
    commands = b"key 1\nrevkey\ny\n0\n\ny\nsave\n"
    gpg.run("--command-fd", "0", "--no-batch", "--edit-key", fingerprint, content=commands)
    assert refused(gpg.export(fingerprint)).code == "encryption-subkey-revoked"


@pytest.mark.parametrize(("algorithm", "words"), [("rsa1024", "RSA of 1024 bits"), ("rsa2048", "RSA of 2048 bits")])
def test_a_small_rsa_key_is_refused(gpg: Gpg, algorithm: str, words: str) -> None:
    fingerprint = gpg.new_key(f"{algorithm} <small@example.org>", algorithm=algorithm, encryption=algorithm)
    problem = refused(gpg.export(fingerprint))
    assert problem.code == "key-too-weak"
    assert words in problem.message


def test_a_small_rsa_subkey_of_a_strong_key_is_refused(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Mixed <mixed@example.org>", encryption="rsa1024")
    problem = refused(gpg.export(fingerprint))
    assert problem.code == "encryption-subkey-too-weak"
    assert f"gpg --quick-add-key {fingerprint} cv25519 encr 1m" in problem.hint


def test_a_certificate_bound_by_sha1_is_refused_and_the_hint_mends_it(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Sha1 <sha1@example.org>", "--cert-digest-algo", "SHA1")
    problem = refused(gpg.export(fingerprint))
    assert problem.code == "certificate-sha1"
    assert f"gpg --cert-digest-algo SHA256 --quick-set-expire {fingerprint} 1m" in problem.hint
    made = int(time.time())
    while int(time.time()) <= made:  # a newer self-signature wins, and they count in seconds
        gpg.run("--list-keys", fingerprint)
    gpg.run("--cert-digest-algo", "SHA256", "--quick-set-expire", fingerprint, "1m")
    gpg.run("--cert-digest-algo", "SHA256", "--quick-set-expire", fingerprint, "1m", "*")
    certificate.check(gpg.export(fingerprint), now=int(time.time()))


def test_a_curve_of_another_family_is_refused(gpg: Gpg) -> None:
    fingerprint = gpg.new_key("Nist <nist@example.org>", algorithm="nistp256", encryption="nistp256")
    assert refused(gpg.export(fingerprint)).code == "key-too-weak"


def test_a_private_key_pasted_by_mistake_is_refused_and_called_exposed(gpg: Gpg, partner: str) -> None:
    armored = gpg.export_private(partner)
    binary = gpg.run("--export-secret-keys", partner).stdout
    for content in (armored, binary, b"Dear operator,\n\n" + armored):
        problem = refused(content)
        assert problem.code == "private-key"
        assert "exposed" in problem.message and "revoke" in problem.hint


def test_a_private_key_beside_the_certificate_is_refused(recipient: tuple[Secret, Certificate]) -> None:
    private_key, found = recipient
    assert refused(found.armored + private_key.reveal_bytes()).code == "private-key"


def test_two_certificates_in_a_file_are_refused(
    operator: tuple[Secret, Certificate], recipient: tuple[Secret, Certificate], gpg: Gpg, partner: str
) -> None:
    assert refused(operator[1].armored + recipient[1].armored).code == "several-certificates"
    gpg.new_key("Second <second@example.org>")
    assert refused(gpg.export("example.org")).code == "several-certificates"


def test_a_file_in_utf16_is_named_as_such(recipient: tuple[Secret, Certificate]) -> None:
    """What PowerShell makes of `gpg --armor --export FPR > FILE`."""
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert refused(recipient[1].armored.decode().encode(encoding)).code == "certificate-utf16"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hello", b"\0" * 5000, b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"{}"]
)
def test_a_file_without_a_certificate_is_refused(content: bytes) -> None:
    assert refused(content).code == "not-a-certificate"


def test_a_cut_certificate_is_refused(recipient: tuple[Secret, Certificate]) -> None:
    armored = recipient[1].armored
    for end in range(0, len(armored) - 40, 97):
        refused(armored[:end])


def test_a_file_of_100_mb_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "large.asc"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(CertificateProblem) as caught:
        certificate.read_file(path)
    assert caught.value.code == "certificate-too-large"
    assert refused(b"x" * (certificate.MAX_BYTES + 1)).code == "certificate-too-large"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateProblem, match=r"absent\.asc"):
        certificate.read_file(tmp_path / "absent.asc")


def test_a_key_from_the_future_is_refused(recipient: tuple[Secret, Certificate]) -> None:
    assert refused(recipient[1].armored, now=NOW - 30 * DAY).code == "certificate-from-the-future"


def test_a_key_of_the_library_that_expires_is_refused_after_that(recipient: tuple[Secret, Certificate]) -> None:
    found = certificate.check(recipient[1].armored, now=int(time.time()))
    assert found.expires_at is None
    assert certificate.check(recipient[1].armored, now=NOW + 10_000 * DAY) == found


def test_an_expired_signer_is_refused_only_when_the_time_is_asked(gpg: Gpg, partner: str) -> None:
    content = gpg.export(partner)
    assert certificate.read_signer(content).fingerprint == partner
    with pytest.raises(CertificateProblem) as caught:
        certificate.read_signer(content, now=NOW + 60 * DAY)
    assert caught.value.code == "certificate-expired"


def test_a_user_id_cannot_move_the_cursor() -> None:
    _, found = keys.generate_operator_key("Eve\x1b[2J\u202e <eve@example.org>")
    assert all(character.isprintable() for character in found.user_ids[0])


def test_a_fingerprint_is_shown_in_groups_of_four() -> None:
    assert certificate.show_fingerprint("0123456789ABCDEF") == "0123 4567 89AB CDEF"


@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_certificate_or_a_certificate_problem(content: bytes) -> None:
    for prefix in (b"", b"\xc6", b"\x99\x01\x0d\x04", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"):
        with pytest.raises(CertificateProblem):
            certificate.check(prefix + content, now=NOW)


def unarmored(armored: bytes) -> bytes:
    body = armored.split(b"\n\n", 1)[1].split(b"\n=")[0]
    return base64.b64decode(b"".join(body.split()))


def recipients(found: Certificate) -> tuple[str, ...]:
    message = sequoia.encrypt(Secret("probe"), recipient=found.armored, signing_key=None)
    return algorithms.recipients(sequoia.read_packets(message))


def test_a_changed_certificate_is_refused_or_means_the_same_keys(recipient: tuple[Secret, Certificate]) -> None:
    """A change may hit a signature that another one makes up for, but never the keys that people compared.

    Among the changes are signatures of unknown types and hash algorithms, which real certificates carry as well.
    """
    binary = unarmored(recipient[1].armored)
    refusals = 0
    for bit in range(0, len(binary) * 8, 7):
        changed = bytearray(binary)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            found = certificate.check(bytes(changed), now=int(time.time()))
        except CertificateProblem:
            refusals += 1
            continue
        assert found.fingerprint == recipient[1].fingerprint
        assert recipients(found) == recipients(recipient[1])
    assert refusals > 100


def test_a_private_key_is_seen_beside_a_signature_of_an_unknown_kind(recipient: tuple[Secret, Certificate]) -> None:
    binary = bytearray(unarmored(recipient[0].reveal_bytes()))
    signature = binary.index(b"\x04\x1f\x16\x0a")  # version 4, a direct key signature, EdDSA, SHA-512
    binary[signature + 3] = 26
    assert refused(bytes(binary)).code == "private-key"

"""A message is believed only when it was encrypted to us and signed by the pinned operator: by key file and by gpg.

RFC 9580 §5.1 (recipients), §5.13 (integrity), §10.3 (the grammar of messages).
"""

import base64
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pysequoia
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyfob.openpgp import certificate, keys, sequoia
from keyfob.openpgp import gpg as gpg_module
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.gpg import GpgMissing, GpgUnsealer, gpg_export
from keyfob.openpgp.seal import seal
from keyfob.openpgp.unseal import (
    DamagedMessage,
    KeyLocked,
    MessageTooLarge,
    NotForUs,
    PrivateKeyUnsealer,
    Unsealer,
    UnsealError,
    Unsigned,
    WrongSigner,
    recipients,
)
from keyfob.problem import Problem
from keyfob.secret import Secret

PLAINTEXT = Secret('{"client_id": "cl_1", "note": "Größe 1,80 m"}')
Pair = tuple[Secret, Certificate]


class Gpg(Protocol):
    """What conftest.py makes of the real program."""

    homedir: Path
    new_key: Callable[..., str]
    run: Callable[..., "subprocess.CompletedProcess[bytes]"]
    export: Callable[[str], bytes]
    export_private: Callable[..., bytes]


@pytest.fixture(scope="session")
def stranger() -> Pair:
    return keys.generate_operator_key("Somebody else")


@pytest.fixture(scope="session")
def gpg_recipient(gpg: Gpg, partner: str) -> Certificate:
    return certificate.check(gpg.export(partner), now=int(time.time()))


@pytest.fixture(params=["key file", "gpg"])
def here(request: pytest.FixtureRequest) -> tuple[Unsealer, Certificate]:
    """Each way to open a message, and the certificate that it opens for."""
    if request.param == "key file":
        private_key, found = request.getfixturevalue("recipient")
        return PrivateKeyUnsealer(private_key), found
    gpg = request.getfixturevalue("gpg")
    return GpgUnsealer(homedir=gpg.homedir), request.getfixturevalue("gpg_recipient")


def flip(message: bytes, bit: int) -> bytes:
    """The armored message with one bit of its packets changed and a right checksum, or none, as before."""
    head, rest = message.split(b"\n\n", 1)
    lines = [line for line in rest.split(b"\n") if line and not line.startswith((b"=", b"-"))]
    binary = bytearray(base64.b64decode(b"".join(lines)))
    binary[bit // 8 % len(binary)] ^= 1 << bit % 8
    return head + b"\n\n" + base64.encodebytes(bytes(binary)) + b"-----END PGP MESSAGE-----\n"


def check_text(refused: Problem) -> None:
    """An error is one line, and says nothing of the plaintext."""
    text = f"{refused.message}{refused.hint}"
    assert "\n" not in text and "cl_1" not in text


def test_what_is_sealed_is_unsealed(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    unsealer, found = here
    message = seal(PLAINTEXT, recipient=found, operator_key=operator[0])
    assert message.startswith(b"-----BEGIN PGP MESSAGE-----\n") and message.isascii()
    assert unsealer.unseal(message, signer=operator[1]) == PLAINTEXT
    assert unsealer.unseal_unverified(message) == PLAINTEXT


def test_the_real_gpg_decrypts_and_reports_a_good_signature_by_the_operators_key(
    gpg: Gpg, gpg_recipient: Certificate, operator: Pair
) -> None:
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    gpg.run("--import", content=operator[1].armored)
    try:
        done = gpg.run("--status-fd", "2", "--decrypt", content=message)
        status = done.stderr.decode("utf-8", "replace")
        assert done.stdout == PLAINTEXT.reveal_bytes()
        assert "[GNUPG:] GOODSIG " in status and "[GNUPG:] GOODMDC" in status
        validsig = next(line.split() for line in status.splitlines() if line.startswith("[GNUPG:] VALIDSIG"))
        assert validsig[-1] == operator[1].fingerprint
    finally:
        gpg.run("--yes", "--delete-keys", operator[1].fingerprint)


def test_the_usual_rsa_4096_key_of_gpg_is_a_recipient(gpg: Gpg, rsa_partner: str, operator: Pair) -> None:
    found = certificate.check(gpg.export(rsa_partner), now=int(time.time()))
    message = seal(PLAINTEXT, recipient=found, operator_key=operator[0])
    assert gpg.run("--decrypt", content=message, fails=True).stdout == PLAINTEXT.reveal_bytes()
    assert GpgUnsealer(homedir=gpg.homedir).unseal(message, signer=operator[1]) == PLAINTEXT
    private_key = Secret(gpg.export_private(rsa_partner))
    assert PrivateKeyUnsealer(private_key).unseal(message, signer=operator[1]) == PLAINTEXT


def test_the_keyring_of_the_user_is_not_changed(gpg: Gpg, gpg_recipient: Certificate, operator: Pair) -> None:
    before = gpg.run("--with-colons", "--list-keys").stdout
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    GpgUnsealer(homedir=gpg.homedir).unseal(message, signer=operator[1])
    assert gpg.run("--with-colons", "--list-keys").stdout == before


def test_an_unsigned_message_is_refused(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    unsealer, found = here
    message = sequoia.encrypt(PLAINTEXT, recipient=found.armored, signing_key=None)
    with pytest.raises(Unsigned):
        unsealer.unseal(message, signer=operator[1])


def test_a_message_signed_by_another_is_refused(
    here: tuple[Unsealer, Certificate], operator: Pair, stranger: Pair
) -> None:
    unsealer, found = here
    message = seal(PLAINTEXT, recipient=found, operator_key=stranger[0])
    with pytest.raises(WrongSigner) as caught:
        unsealer.unseal(message, signer=operator[1])
    assert certificate.show_fingerprint(operator[1].fingerprint) in caught.value.message


def test_a_signer_in_the_users_keyring_is_not_the_pinned_one(
    gpg: Gpg, gpg_recipient: Certificate, operator: Pair, partner: str
) -> None:
    """The user's own key is trusted ultimately by gpg, and signs nothing that we believe."""
    signed = gpg.run(
        "--armor", "--trust-model", "always", "-r", partner, "--local-user", partner, "--sign", "--encrypt",
        content=PLAINTEXT.reveal_bytes(),
    ).stdout  # fmt: skip
    with pytest.raises(WrongSigner):
        GpgUnsealer(homedir=gpg.homedir).unseal(signed, signer=operator[1])


def test_a_message_to_another_is_refused_naming_the_key(
    here: tuple[Unsealer, Certificate], operator: Pair, stranger: Pair
) -> None:
    message = seal(PLAINTEXT, recipient=stranger[1], operator_key=operator[0])
    with pytest.raises(UnsealError) as caught:
        here[0].unseal(message, signer=operator[1])
    assert isinstance(caught.value, NotForUs)
    assert recipients(message)[0] in caught.value.message


def test_a_message_of_gpg_to_a_key_of_gpg_that_is_not_here_is_refused(
    gpg: Gpg, gpg_recipient: Certificate, operator: Pair, recipient: Pair
) -> None:
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    with pytest.raises(NotForUs):
        PrivateKeyUnsealer(recipient[0]).unseal(message, signer=operator[1])


def test_a_signed_message_in_clear_is_refused(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    """Its signature is good, but its secret has been on the way for all to read; the library would take it."""
    signer = pysequoia.Tsk.from_bytes(operator[0].reveal_bytes()).signer()
    message = pysequoia.sign(signer, PLAINTEXT.reveal_bytes())
    with pytest.raises(DamagedMessage):
        here[0].unseal(message, signer=operator[1])


def test_a_message_that_a_password_opens_as_well_is_refused(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    signer = pysequoia.Tsk.from_bytes(operator[0].reveal_bytes()).signer()
    found = pysequoia.Cert.from_bytes(here[1].armored)
    message = pysequoia.encrypt(PLAINTEXT.reveal_bytes(), recipients=[found], signer=signer, passwords=["summer"])
    with pytest.raises(DamagedMessage):
        here[0].unseal(message, signer=operator[1])


@pytest.mark.parametrize(
    "message", [b"", b"hello", b"\0" * 999, b"-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----\n"]
)
def test_what_is_no_message_is_refused(here: tuple[Unsealer, Certificate], operator: Pair, message: bytes) -> None:
    with pytest.raises(DamagedMessage):
        here[0].unseal(message, signer=operator[1])


def test_a_certificate_or_private_key_is_no_message(recipient: Pair, operator: Pair) -> None:
    unsealer = PrivateKeyUnsealer(recipient[0])
    for content in (recipient[1].armored, recipient[0].reveal_bytes()):
        with pytest.raises(UnsealError):
            unsealer.unseal(content, signer=operator[1])


def test_a_large_message_is_refused_before_it_is_read(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    with pytest.raises(MessageTooLarge):
        here[0].unseal(b"-" * 100_000_000, signer=operator[1])


def test_a_cut_message_is_refused(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    message = seal(PLAINTEXT, recipient=here[1], operator_key=operator[0])
    for end in range(0, len(message) - 40, 101):
        with pytest.raises(UnsealError):
            here[0].unseal(message[:end], signer=operator[1])


@settings(max_examples=300, deadline=None)
@given(bit=st.integers(0, 8 * 2000))
def test_a_changed_bit_is_refused_or_changes_nothing(recipient: Pair, operator: Pair, bit: int) -> None:
    """RFC 9580 §5.13: whatever is changed, no other plaintext comes out, and only UnsealError."""
    message = seal(PLAINTEXT, recipient=recipient[1], operator_key=operator[0])
    try:
        assert PrivateKeyUnsealer(recipient[0]).unseal(flip(message, bit), signer=operator[1]) == PLAINTEXT
    except UnsealError as refused:
        check_text(refused)


def test_gpg_refuses_changed_bits(gpg: Gpg, gpg_recipient: Certificate, operator: Pair) -> None:
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    unsealer = GpgUnsealer(homedir=gpg.homedir)
    for bit in range(0, 8 * 600, 331):
        try:
            assert unsealer.unseal(flip(message, bit), signer=operator[1]) == PLAINTEXT
        except UnsealError as refused:
            check_text(refused)


def test_a_gpg_conf_that_ignores_damage_makes_nothing_good(
    gpg: Gpg, gpg_recipient: Certificate, operator: Pair
) -> None:
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    head, rest = message.split(b"\n\n", 1)
    body = b"".join(line for line in rest.split(b"\n") if line and not line.startswith((b"=", b"-")))
    binary = bytearray(base64.b64decode(body))
    binary[-3] ^= 1  # in the integrity code at the end
    configuration = gpg.homedir / "gpg.conf"
    configuration.write_text("ignore-mdc-error\nskip-verify\nalways-trust\n")
    try:
        with pytest.raises(DamagedMessage):
            GpgUnsealer(homedir=gpg.homedir).unseal(
                head + b"\n\n" + base64.encodebytes(bytes(binary)) + b"-----END PGP MESSAGE-----\n", signer=operator[1]
            )
    finally:
        configuration.unlink()


def test_a_key_under_a_passphrase_never_waits_for_a_person(gpg: Gpg, operator: Pair) -> None:
    fingerprint = gpg.new_key("Locked <locked@example.org>", passphrase="correct horse")
    found = certificate.check(gpg.export(fingerprint), now=int(time.time()))
    message = seal(PLAINTEXT, recipient=found, operator_key=operator[0])
    subprocess.run(["gpgconf", "--homedir", str(gpg.homedir), "--kill", "gpg-agent"], check=True, timeout=30)
    started = time.monotonic()
    with pytest.raises(KeyLocked) as caught:
        GpgUnsealer(homedir=gpg.homedir).unseal(message, signer=operator[1])
    assert time.monotonic() - started < 20
    assert "passphrase" in caught.value.message and "--key file" in caught.value.hint

    private_key = Secret(gpg.export_private(fingerprint, passphrase="correct horse"))
    for passphrase in (None, Secret("wrong horse")):
        with pytest.raises(KeyLocked):
            PrivateKeyUnsealer(private_key, passphrase).unseal(message, signer=operator[1])
    opened = PrivateKeyUnsealer(private_key, Secret("correct horse")).unseal(message, signer=operator[1])
    assert opened == PLAINTEXT


def test_a_gpg_that_does_not_answer_is_ended_and_said_to_be_so(
    gpg: Gpg, gpg_recipient: Certificate, operator: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key daemon may wait for a card or for a window that nobody sees: here it stands still."""
    assert gpg_module._UNATTENDED_SECONDS == 10
    monkeypatch.setattr(gpg_module, "_UNATTENDED_SECONDS", 1)
    message = seal(PLAINTEXT, recipient=gpg_recipient, operator_key=operator[0])
    unsealer = GpgUnsealer(homedir=gpg.homedir)
    assert unsealer.unseal(message, signer=operator[1]) == PLAINTEXT
    asked = ["gpg-connect-agent", "--homedir", str(gpg.homedir), "GETINFO pid", "/bye"]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    agent = int(said.partition("D ")[2].split()[0])
    os.kill(agent, signal.SIGSTOP)
    try:
        with pytest.raises(UnsealError) as caught:
            unsealer.unseal(message, signer=operator[1])
    finally:
        os.kill(agent, signal.SIGCONT)
    assert (caught.value.code, "gpg --decrypt FILE" in caught.value.hint) == ("gpg-timeout", True)
    monkeypatch.undo()
    assert unsealer.unseal(message, signer=operator[1]) == PLAINTEXT


def test_a_message_in_a_form_that_gpg_cannot_read_is_said_to_be_so(gpg: Gpg, operator: Pair) -> None:
    """A key made by the library asks for RFC 9580 §5.13.2, which GnuPG does not speak."""
    private_key, found = keys.generate_operator_key("Imported")
    gpg.run("--import", content=private_key.reveal_bytes())
    message = seal(PLAINTEXT, recipient=found, operator_key=operator[0])
    with pytest.raises(UnsealError) as caught:
        GpgUnsealer(homedir=gpg.homedir).unseal(message, signer=operator[1])
    assert caught.value.code == "gpg-cannot-read" and "--private-key" in caught.value.hint
    assert PrivateKeyUnsealer(private_key).unseal(message, signer=operator[1]) == PLAINTEXT


def test_who_holds_the_private_key(here: tuple[Unsealer, Certificate], operator: Pair) -> None:
    unsealer, found = here
    assert unsealer.holds(found.fingerprint)
    assert not unsealer.holds(operator[1].fingerprint)
    assert not unsealer.holds("--version")


def test_a_certificate_is_exported_from_the_keyring_by_its_fingerprint_only(gpg: Gpg, partner: str) -> None:
    exported = gpg_export(partner, homedir=gpg.homedir)
    assert exported is not None and certificate.read_signer(exported).fingerprint == partner
    assert gpg_export("0" * 40, homedir=gpg.homedir) is None
    assert gpg_export("partner@example.org", homedir=gpg.homedir) is None
    assert gpg_export(partner, gpg="gpg-that-is-not-there") is None


def test_without_gpg_the_way_out_is_named(operator: Pair, recipient: Pair) -> None:
    message = seal(PLAINTEXT, recipient=recipient[1], operator_key=operator[0])
    with pytest.raises(GpgMissing) as caught:
        GpgUnsealer("gpg-that-is-not-there").unseal(message, signer=operator[1])
    assert "--private-key" in caught.value.hint


def test_a_key_file_that_is_none_is_refused(operator: Pair, recipient: Pair) -> None:
    message = seal(PLAINTEXT, recipient=recipient[1], operator_key=operator[0])
    for content in (b"", b"hello", recipient[1].armored):
        with pytest.raises(Problem):
            PrivateKeyUnsealer(Secret(content)).unseal(message, signer=operator[1])


def test_the_library_makes_the_usual_key_of_a_partner(operator: Pair) -> None:
    private_key, found = keys.generate_partner_key("Partner <partner@example.org>", 30 * 24 * 3600)
    checked = certificate.check(found.armored, now=int(time.time()))
    assert checked.user_ids == ("Partner <partner@example.org>",)
    assert checked.expires_at is not None and abs(checked.expires_at - time.time() - 30 * 24 * 3600) < 600
    message = seal(PLAINTEXT, recipient=checked, operator_key=operator[0])
    assert PrivateKeyUnsealer(private_key).unseal(message, signer=operator[1]) == PLAINTEXT


def test_no_stack_and_no_secret_is_in_an_error(
    recipient: Pair, operator: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With RUST_BACKTRACE=1 the library's errors carry a stack of many lines."""
    assert os.environ.get("RUST_BACKTRACE") or monkeypatch.setenv("RUST_BACKTRACE", "1") is None
    with pytest.raises(Problem) as caught:
        seal(PLAINTEXT, recipient=recipient[1], operator_key=Secret("no key"))
    text = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert "\n" not in text and "backtrace" not in text.lower() and "cl_1" not in text


def test_nothing_shows_the_private_key(recipient: Pair) -> None:
    assert "PRIVATE" not in repr(PrivateKeyUnsealer(recipient[0], Secret("horse")))
    assert "horse" not in repr(PrivateKeyUnsealer(recipient[0], Secret("horse")))


@given(plaintext=st.binary(max_size=2000))
def test_any_plaintext_comes_back_whole(recipient: Pair, operator: Pair, plaintext: bytes) -> None:
    message = seal(Secret(plaintext), recipient=recipient[1], operator_key=operator[0])
    opened = PrivateKeyUnsealer(recipient[0]).unseal(message, signer=operator[1])
    assert opened.reveal_bytes() == plaintext


@given(content=st.binary(max_size=400))
def test_any_bytes_have_recipients_or_are_refused(content: bytes) -> None:
    armored = (
        b"-----BEGIN PGP MESSAGE-----\n\n" + base64.encodebytes(b"\xc1" + content) + b"-----END PGP MESSAGE-----\n"
    )
    for message in (content, b"\xc1" + content, armored):
        try:
            recipients(message)
        except UnsealError as refused:
            check_text(refused)

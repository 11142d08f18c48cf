"""keyfob.partner.receive with real OpenPGP messages: the credential is in the vault, or nothing has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keyfob.demo.stage import SERVER_PACKAGES
from keyfob.openpgp import gpg, keys, seal
from keyfob.partner import cli, opening
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem
from keyfob.secret import Secret


def opened(handoff, **options):
    vault = Vault.open(handoff.vault)
    return opening.default_keeper(vault, **options).open(vault.current("cl_1"))


@pytest.mark.parametrize("keeping", list(Keeping))
def test_a_message_is_kept_in_each_way_and_opens_again(handoff, keeping, tmp_path, monkeypatch, cloud, bao, os_keyring):
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("correct horse\n")
    monkeypatch.setenv("KEYFOB_PASSPHRASE_FILE", str(passphrase))
    names = {Keeping.AWS_KMS: cloud.new_key, Keeping.VAULT: bao.new_key}
    key_name = names[keeping]() if keeping in names else None
    receipt = handoff.receive(handoff.message(), keeping=keeping, key_name=key_name)
    assert receipt.first
    assert opened(handoff) == handoff.info
    assert Path(receipt.place).stat().st_mode & 0o077 == 0
    assert handoff.info.client_secret.reveal() not in Path(receipt.place).read_text()
    if keeping is Keeping.FILE:
        key = handoff.vault.with_name("vault.key")
        assert key.stat().st_mode & 0o077 == 0
        key.unlink()  # a copied vault without its key file is useless
        with pytest.raises(Problem):
            opened(handoff)
    if keeping is Keeping.PASSPHRASE:
        passphrase.write_text("another\n")
        with pytest.raises(Problem):
            opened(handoff)


def refused(handoff, code, message, *, status=1, **options):
    before = {path: path.read_bytes() for path in handoff.stored()}
    with pytest.raises(Problem) as refusal:
        handoff.receive(message, **options)
    assert refusal.value.code == code, refusal.value.message
    assert refusal.value.exit_code == status
    assert refusal.value.hint
    assert "kfs_" not in refusal.value.message + refusal.value.hint
    assert {path: path.read_bytes() for path in handoff.stored()} == before


def test_a_message_that_is_not_the_operators_is_refused(handoff):
    impostor, impostors = keys.generate_operator_key("Impostor")
    forged = handoff.message(signed_by=impostor)
    refused(handoff, "wrong-signer", forged)
    refused(handoff, "wrong-operator-certificate", forged, certificate=impostors.armored)
    refused(handoff, "not-a-fingerprint", handoff.message(), fingerprint="7F3A", status=2)
    refused(handoff, "not-for-us", handoff.message(to=handoff.other))
    assert not handoff.vault.exists()


def test_without_a_confirmed_fingerprint_nothing_is_stored(handoff):
    with pytest.raises(Problem) as refusal:
        opening.receive_file(
            handoff.message(), vault=handoff.vault, keeping=Keeping.FILE, private_key=handoff.private_key,
            key_file=None, ca=None, certificate=handoff.operator.armored, fingerprint=None, confirm=lambda _: True,
        )  # fmt: skip
    assert refusal.value.code == "fingerprint-not-confirmed"
    assert not handoff.vault.exists()


def test_without_a_fingerprint_and_a_terminal_nobody_is_asked_for_the_certificate(handoff, monkeypatch):
    """The address in an unverified message is anybody's."""
    asked = []
    monkeypatch.setattr(opening.HttpsTransport, "send", lambda _self, request: asked.append(request.url))
    with pytest.raises(Problem) as refusal:
        opening.receive_file(
            handoff.message(), vault=handoff.vault, keeping=Keeping.FILE, private_key=handoff.private_key,
            key_file=None, ca=None, certificate=None, fingerprint=None, confirm=lambda _: True,
        )  # fmt: skip
    assert refusal.value.code == "fingerprint-not-confirmed"
    assert asked == []


def test_the_whole_fingerprint_may_be_typed_or_its_end(handoff, monkeypatch):
    fingerprint = handoff.operator.fingerprint
    for typed, believed in (
        (fingerprint, True),
        (fingerprint[-8:].lower(), True),
        (fingerprint[:8], False),
        ("", False),
    ):
        monkeypatch.setattr(cli.click, "prompt", lambda *_, typed=typed, **__: typed)
        assert cli._confirm(handoff.operator) is believed


def test_a_message_sealed_anew_for_us_is_refused(handoff):
    """Somebody who could open it has seen the secret."""
    refused(handoff, "wrong-recipient", handoff.message(recipient_fingerprint=handoff.other.fingerprint))


def test_a_damaged_message_is_refused(handoff):
    message = handoff.message()
    place = len(message) // 2
    damaged = message[:place] + (b"A" if message[place : place + 1] != b"A" else b"B") + message[place + 1 :]
    for content in (damaged, message[: len(message) // 2]):
        with pytest.raises(Problem) as refusal:
            handoff.receive(content)
        assert refusal.value.hint.startswith("ask the operator to send it anew")
    assert gpg._why_not([]).hint.startswith("ask the operator to send it anew")
    assert not handoff.vault.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, b"-----BEGIN PGP MESSAGE-----\n", b"x" * 200_000])
def test_a_file_that_is_no_message_is_refused(handoff, content):
    with pytest.raises(Problem):
        handoff.receive(content)
    assert not handoff.vault.exists()


def test_a_certificate_or_private_key_given_by_mistake_is_told(handoff):
    refused(handoff, "certificate", handoff.partner.armored)
    refused(handoff, "private-key", handoff.private_key.read_bytes())


def test_a_plaintext_that_is_no_client_information_is_refused(handoff):
    message = seal.seal(Secret("{}"), recipient=handoff.partner, operator_key=handoff.operator_key)
    refused(handoff, "malformed-message", message)


def test_an_older_or_replayed_message_does_not_replace_a_newer_one(handoff, next_message):
    first, second = handoff.message(), handoff.message(**next_message(2))
    handoff.receive(first)
    handoff.receive(second)
    assert opened(handoff).credential_id == "credential2"
    refused(handoff, "older-message", first)
    assert handoff.receive(second).entry.credential_id == "credential2"
    assert len(handoff.stored()) == 2


@pytest.mark.parametrize("order", [(2, 3), (3, 2)])
def test_of_two_messages_of_one_second_the_one_that_came_first_stays(handoff, next_message, order):
    """The operator dates each later than the one before, so two of one date are none of its doing."""
    first, second = (handoff.message(**next_message(number, issued_at=5000)) for number in order)
    handoff.receive(first)
    refused(handoff, "older-message", second)
    assert handoff.receive(first).entry.credential_id == f"credential{order[0]}"


def test_the_signer_and_the_issuer_are_pinned(handoff, next_message):
    handoff.receive(handoff.message())
    other_key, other = keys.generate_operator_key("Other operator")
    changed = handoff.message(signed_by=other_key, **next_message(2))
    refused(handoff, "changed-signer", changed, certificate=other.armored, fingerprint=other.fingerprint)
    elsewhere = next_message(2, issuer="https://elsewhere.example")
    refused(handoff, "changed-issuer", handoff.message(**elsewhere))


def test_an_entry_whose_clear_half_was_changed_is_not_used(handoff):
    """Who can write the vault must not be able to send the secret elsewhere."""
    receipt = handoff.receive(handoff.message())
    text = Path(receipt.place).read_text()
    Path(receipt.place).write_text(text.replace("/oauth2/token", "/oauth2/other"))
    with pytest.raises(Problem) as refusal:
        opened(handoff)
    assert refusal.value.code == "damaged-entry"
    Path(receipt.place).write_text(text[:-20])
    with pytest.raises(Problem):
        opened(handoff)


def test_a_vault_that_others_can_read_or_that_is_another_programs_is_refused(handoff):
    handoff.receive(handoff.message())
    handoff.vault.chmod(0o755)
    with pytest.raises(Problem) as refusal:
        Vault.open(handoff.vault)
    assert (refusal.value.code, refusal.value.hint) == ("vault-too-open", f"chmod 700 {handoff.vault}")
    handoff.vault.chmod(0o700)
    marker = handoff.vault / "keyfob-home.json"
    marker.write_text(marker.read_text().replace('"keyfob"', '"keyfob-server"'))
    with pytest.raises(Problem) as refusal:
        Vault.open(handoff.vault)
    assert (refusal.value.code, refusal.value.exit_code) == ("other-home", 2)


def receive_by_command(handoff, *options: str) -> subprocess.CompletedProcess[str]:
    message = handoff.folder / "message.asc"
    message.write_bytes(handoff.message())
    certificate = handoff.folder / "operator.asc"
    certificate.write_bytes(handoff.operator.armored)
    # The partner's half must work where none of the server's packages is installed.
    signer = ("--operator-certificate", certificate, "--operator-fingerprint", handoff.operator.fingerprint)
    entry = (
        f"import sys; sys.modules.update(dict.fromkeys({SERVER_PACKAGES})); from keyfob.partner.cli import main; main()"
    )
    names = ("--private-key", handoff.private_key, "--vault", handoff.vault)
    return subprocess.run(
        [sys.executable, "-c", entry, "receive", message, *signer, *names, *options],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("KEYFOB_")},
    )


def test_without_a_terminal_a_way_of_keeping_must_be_named(handoff):
    assert receive_by_command(handoff).returncode == 2
    assert receive_by_command(handoff, "--key", "passphrase").returncode == 2
    assert not handoff.vault.exists()
    done = receive_by_command(handoff, "--key", "file", "--json")
    assert done.returncode == 0, done.stderr
    import json

    document = json.loads(done.stdout)
    assert document["client_id"] == "cl_1"
    assert document["operator_fingerprint"] == handoff.operator.fingerprint
    assert handoff.info.client_secret.reveal() not in done.stdout + done.stderr
    again = receive_by_command(handoff, "--key", "file")
    assert again.stdout.startswith("received again, as it was already there: the credential")
    missing = receive_by_command(handoff, "--key", "file", "--ca", handoff.folder / "none.pem")
    assert (missing.returncode, "none.pem" in missing.stderr) == (2, True)


def test_receives_at_once_leave_one_whole_vault(handoff):
    message = handoff.folder / "message.asc"
    message.write_bytes(handoff.message())
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: receive_by_command(handoff, "--key", "file").returncode, range(4)))
    assert 0 in done
    assert len(handoff.stored()) == 1
    assert opened(handoff) == handoff.info

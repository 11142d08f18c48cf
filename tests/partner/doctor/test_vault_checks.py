"""Where the secret lies: each thing that can be out of order there is told, with what mends it."""

import os
from pathlib import Path

import pytest

from keyfob.openpgp import certificate
from keyfob.partner.doctor.check import Status
from keyfob.partner.doctor.scene import DAY
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.keys import PASSPHRASE_FILE
from keyfob.problem import Problem
from openpgp.conftest import gpg  # noqa: F401  # a fixture

NOW = 1_000_000_000


def test_no_vault_is_a_warning_and_what_depends_on_it_is_not_known(look):
    outcome = look("vault")
    assert (outcome.status, outcome.mend) == (Status.WARN, "keyfob receive FILE")
    for name in ("key", "permissions", "credential-age", "certificate", "scopes"):
        assert look(name).status is Status.UNKNOWN


def test_a_vault_that_cannot_be_opened_fails(look, store):
    store()
    outcome = look("vault", vault=None, why_no_vault=Problem("vault-too-open", "others may enter", hint="chmod 700 V"))
    assert (outcome.status, outcome.mend) == (Status.FAIL, "chmod 700 V")


def test_a_vault_in_order_passes_and_a_damaged_file_fails(look, store, place):
    store()
    assert look("vault").status is Status.PASS
    (place.handoff.stored()[0]).write_text("{")
    assert look("vault").status is Status.FAIL


def test_a_private_key_without_a_passphrase_on_the_vaults_disk_is_told(look, store):
    store()
    outcome = look("key")
    assert outcome.status is Status.WARN
    assert "no passphrase, on the same disk" in outcome.said


def test_a_private_key_with_a_passphrase_passes_and_one_that_is_damaged_or_gone_fails(look, store, place, gpg):  # noqa: F811
    store()
    key = place.handoff.private_key
    # gpg's agent would take a second for each, to find out how many rounds a passphrase is worth here.
    (gpg.homedir / "gpg-agent.conf").write_text("s2k-count 65536\n")
    key.write_bytes(gpg.export_private(gpg.new_key("L <l@example.org>", passphrase="x"), passphrase="x"))
    assert look("key").status is Status.PASS
    key.write_bytes(key.read_bytes()[:200])
    assert "cannot be used" in look("key").said
    key.unlink()
    assert look("key").status is Status.FAIL


def test_a_key_file_beside_the_vault_is_told_and_one_on_another_disk_passes(look, store, place):
    store(keeping=Keeping.FILE)
    assert "on the same disk" in look("key").said
    memory = Path("/dev/shm")
    if memory.is_dir() and memory.stat().st_dev != place.vault.stat().st_dev:
        other = memory / f"keyfob-test-{os.getpid()}.key"
        try:
            store(keeping=Keeping.FILE, key_file=other)
            assert look("key").status is Status.PASS
        finally:
            other.unlink(missing_ok=True)


def test_a_vault_on_another_machine_has_no_modes_and_no_disk_here(look, store):
    store(keeping=Keeping.FILE)
    assert look("key", vault_path=None).status is Status.PASS
    assert look("permissions", vault_path=None).status is Status.PASS, "the key file's are looked at"


def test_a_passphrase_passes_unless_it_lies_in_a_file_beside(look, store, place, monkeypatch, tmp_path):
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_text("correct horse")
    monkeypatch.setenv(PASSPHRASE_FILE, str(file))
    store(keeping=Keeping.PASSPHRASE)
    assert look("key").status is Status.PASS
    assert look("key", environ={PASSPHRASE_FILE: str(file)}).status is Status.WARN


def test_a_vault_in_a_git_repository_fails(look, store, place):
    store()
    (place.vault.parent / ".git").mkdir()
    assert look("key").status is Status.FAIL


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_what_others_may_read_or_replace_fails(look, store, place):
    store()
    assert look("permissions").status is Status.PASS
    place.handoff.private_key.chmod(0o640)
    outcome = look("permissions")
    assert (outcome.status, outcome.mend) == (Status.FAIL, f"chmod -R go-rwx {place.handoff.private_key}")
    place.handoff.private_key.chmod(0o600)
    place.handoff.stored()[0].chmod(0o604)
    assert look("permissions", vault=None).status is Status.FAIL
    place.handoff.stored()[0].chmod(0o600)
    place.vault.parent.chmod(0o777)
    assert "another vault in this one's place" in look("permissions").said
    place.vault.parent.chmod(0o1777)
    assert look("permissions").status is Status.PASS


def test_age_and_end_of_a_credential(look, store):
    """To the second: at its expiry it has ended, 30 days before it is time."""
    store(issued_at=NOW, client_secret_expires_at=NOW + 100 * DAY)
    seen = {
        after: look("credential-age", now=NOW + after).status
        for after in (0, 70 * DAY, 70 * DAY + 1, 100 * DAY - 1, 100 * DAY)
    }
    assert list(seen.values()) == [Status.PASS, Status.PASS, Status.WARN, Status.WARN, Status.FAIL]


def test_an_old_credential_without_an_end_is_told(look, store):
    store(issued_at=NOW)
    assert look("credential-age", now=NOW + 365 * DAY).status is Status.PASS
    outcome = look("credential-age", now=NOW + 365 * DAY + 1)
    assert (outcome.status, outcome.mend) == (Status.WARN, "keyfob rotate --client cl_1")


def test_the_end_of_the_certificate(look, store, place):
    store()
    ends_at = certificate.ends_at(place.handoff.partner.armored)
    assert look("certificate", now=ends_at - 7 * DAY).status is Status.PASS
    assert look("certificate", now=ends_at - 7 * DAY + 1).status is Status.WARN
    assert look("certificate", now=ends_at - 1).status is Status.WARN
    outcome = look("certificate", now=ends_at)
    assert outcome.status is Status.FAIL
    assert "gpg --quick-set-expire" in outcome.mend


def test_a_certificate_that_is_nowhere_is_not_known(look, store, place, monkeypatch, tmp_path):
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "no-gnupg"))
    store(keeping=Keeping.FILE)
    assert look("certificate").status is Status.UNKNOWN

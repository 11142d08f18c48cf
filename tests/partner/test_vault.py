"""The vault on disk: whose turn it is, which credential fits, and a person at the terminal."""

import dataclasses
from pathlib import Path

import pytest

from keyfob.ambient import system_entropy
from keyfob.partner import opening
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.entries import Keeping, read_keeping
from keyfob.partner.vault.keeping import Keeper
from keyfob.partner.vault.keys import Keys
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from kms import id_of


def keeper(handoff, *answers: str, **options) -> Keeper:
    """A keeper whose person at the terminal gives `answers`; without any there is nobody."""
    left = [Secret(answer) for answer in answers]
    ask = (lambda _prompt: left.pop(0)) if answers else None
    usual = handoff.vault.with_name("vault.key")
    environ, private_key = options.get("environ", {}), options.get("private_key", handoff.private_key)
    keys = Keys(environ=environ, entropy=system_entropy, ask=ask, key_file=None, usual_key_file=usual)
    return Keeper(installation_id="i", keys=keys, private_key=private_key)


def kept_by(keeper: Keeper, handoff) -> tuple[str, str | None]:
    return keeper.keep(keeper.prepare(Keeping.PASSPHRASE), handoff.info, b"")


def test_a_passphrase_is_asked_for_twice_to_keep_and_once_to_open(handoff):
    receipt = handoff.receive(handoff.message())
    ciphertext, opened_with = kept_by(keeper(handoff, "right", "right"), handoff)
    kept = dataclasses.replace(receipt.entry, keeping=Keeping.PASSPHRASE, ciphertext=ciphertext)
    assert opened_with is None
    assert keeper(handoff, "right").open(kept) == handoff.info
    with pytest.raises(Problem):
        keeper(handoff, "wrong").open(kept)
    with pytest.raises(Misuse) as refused:
        keeper(handoff, "one", "other").prepare(Keeping.PASSPHRASE)
    assert refused.value.code == "passphrases-differ"
    with pytest.raises(Misuse) as refused:
        keeper(handoff).open(kept)
    assert refused.value.code == "no-passphrase"


@pytest.mark.parametrize("content", ["missing", "open", "long"])
def test_a_passphrase_file_that_cannot_be_used_is_named(handoff, tmp_path, content):
    path = tmp_path / "passphrase"
    if content != "missing":
        path.write_text("x" * (5000 if content == "long" else 5))
        path.chmod(0o644 if content == "open" else 0o600)
    with pytest.raises(Problem) as refused:
        keeper(handoff, environ={"KEYFOB_PASSPHRASE_FILE": str(path)}).prepare(Keeping.PASSPHRASE)
    assert str(path) in refused.value.message


def test_a_private_key_file_that_is_none_is_named(handoff, tmp_path):
    with pytest.raises(VaultProblem):
        keeper(handoff, private_key=tmp_path / "missing.asc").opener()
    certificate = tmp_path / "certificate.asc"
    certificate.write_bytes(handoff.partner.armored)
    certificate.chmod(0o600)
    for mode in (0o600, 0o644):
        certificate.chmod(mode)
        with pytest.raises(Misuse) as refused:
            keeper(handoff, private_key=certificate).opener()
        assert "no private key" in refused.value.message
        assert "--export-secret-keys" in refused.value.hint
    handoff.private_key.chmod(0o644)
    with pytest.raises(Problem) as refused_open:
        keeper(handoff).opener()
    assert "chmod 600" in refused_open.value.hint


def test_a_damaged_ciphertext_and_an_exchanged_signer_are_refused(handoff):
    entry = handoff.receive(handoff.message()).entry
    with pytest.raises(VaultProblem):
        keeper(handoff).open(dataclasses.replace(entry, ciphertext="!"))
    message = dataclasses.replace(entry, keeping=Keeping.MESSAGE, ciphertext=handoff.message().decode())
    assert keeper(handoff).open(message) == handoff.info
    exchanged = dataclasses.replace(message, signer_certificate=handoff.other.armored.decode())
    with pytest.raises(VaultProblem):
        keeper(handoff).open(exchanged)
    other = handoff.other
    signer = {"signer_certificate": other.armored.decode(), "signer_fingerprint": other.fingerprint}
    by_another = dataclasses.replace(message, **signer)
    with pytest.raises(Problem):
        keeper(handoff).open(by_another)


def test_the_credential_that_fits_is_chosen_and_doubt_is_told(handoff, next_message):
    with pytest.raises(Misuse) as refused:
        Vault.open(handoff.vault)
    assert refused.value.code == "no-vault"
    handoff.receive(handoff.message())
    handoff.receive(handoff.message(**next_message(2, client_id="cl_2")))
    vault = Vault.open(handoff.vault)
    assert vault.clients() == ("cl_1", "cl_2")
    url = handoff.info.resource[0] + "/v1"
    with pytest.raises(Misuse) as refused:
        vault.choose(client=None, url=url)
    assert refused.value.code == "which-client"
    assert "cl_1, cl_2" in refused.value.hint
    assert vault.choose(client="cl_2", url=url).client_id == "cl_2"
    with pytest.raises(Misuse) as refused:
        vault.choose(client=None, url="https://elsewhere.example/")
    assert refused.value.code == "no-client"
    with pytest.raises(VaultProblem):
        vault.current("cl_9")
    with pytest.raises(VaultProblem):
        vault.current("../../etc")


def test_an_entry_in_another_entrys_place_is_refused(handoff):
    receipt = handoff.receive(handoff.message())
    Path(receipt.place).rename(Path(receipt.place).with_name("another.json"))
    with pytest.raises(VaultProblem) as refused:
        Vault.open(handoff.vault).current("cl_1")
    assert refused.value.code == "damaged-entry"


def test_a_damaged_entry_stands_in_nobodys_way(handoff, next_message):
    old = handoff.receive(handoff.message())
    new = handoff.receive(handoff.message(**next_message(2)))
    other = handoff.receive(handoff.message(**next_message(3, client_id="cl_2", resource=("https://b.example",))))
    vault = Vault.open(handoff.vault)
    Path(old.place).write_text("{")
    assert vault.current("cl_1").credential_id == "credential2"
    assert vault.damaged("cl_1") == (old.place,)
    Path(other.place).write_text("{")
    assert vault.choose(client=None, url=handoff.info.resource[0]).credential_id == "credential2"
    with pytest.raises(VaultProblem) as refused:
        vault.choose(client="cl_2", url=None)
    assert "receive the sealed message again" in refused.value.hint
    Path(new.place).write_text("{")
    with pytest.raises(VaultProblem) as refused:
        vault.choose(client=None, url=handoff.info.resource[0])
    assert refused.value.code == "damaged-entry"


def test_a_receipt_mends_a_damaged_vault(handoff, next_message):
    """The hint of a damaged entry is to receive the message again: that must help."""
    damaged = handoff.receive(handoff.message())
    Path(damaged.place).write_text("{")
    receipt = handoff.receive(handoff.message(**next_message(2)))
    assert [Path(place).name for place in receipt.aside] == ["credential1.json.damaged"]
    assert Vault.open(handoff.vault).damaged("cl_1") == ()
    Path(receipt.place).write_text("{")
    again = handoff.receive(handoff.message(**next_message(2)))
    assert again.place == receipt.place
    assert again.aside == ()
    assert Vault.open(handoff.vault).current("cl_1").credential_id == "credential2"


def test_a_receipt_never_puts_an_older_message_before_a_readable_newer_one(handoff, next_message):
    first = handoff.receive(handoff.message())
    handoff.receive(handoff.message(**next_message(2)))
    Path(first.place).write_text("{")
    with pytest.raises(Problem) as refused:
        handoff.receive(handoff.message())
    assert refused.value.code == "older-message"
    assert Path(first.place).read_text() == "{"


def test_a_lost_key_file_is_not_replaced_while_another_client_needs_it(handoff, next_message, tmp_path):
    handoff.receive(handoff.message())
    (tmp_path / "vault.key").unlink()
    second = handoff.message(**next_message(2, client_id="cl_2"))
    with pytest.raises(Problem) as refused:
        handoff.receive(second)
    assert refused.value.code == "key-file-missing"
    assert "cl_1" in refused.value.message and "--key-file" in refused.value.hint
    assert not (tmp_path / "vault.key").exists()
    with pytest.raises(Problem) as refused:
        keeper(handoff).open(Vault.open(handoff.vault).current("cl_1"))
    assert "receive the sealed message again" in refused.value.hint
    receipt = handoff.receive(handoff.message())  # as the hint says
    assert receipt.again
    assert (tmp_path / "vault.key").exists()


def test_a_receipt_that_fails_leaves_no_vault(handoff, tmp_path):
    with pytest.raises(Misuse) as refused:
        handoff.receive(handoff.message(), key_file=tmp_path / "none" / "key")
    assert "--key-file" in refused.value.hint
    assert not handoff.vault.exists()
    handoff.vault.mkdir(mode=0o700)  # an empty folder is as good as none
    assert handoff.receive(handoff.message()).first


def test_a_credential_is_kept_under_a_key_in_aws_kms_and_opens_with_it_alone(handoff, cloud):
    key = cloud.new_key()
    alias = cloud.new_alias("partner", key)
    receipt = handoff.receive(handoff.message(), keeping=Keeping.AWS_KMS, key_name=alias)
    assert (receipt.entry.keeping, receipt.entry.opened_with) == (Keeping.AWS_KMS, key)
    stored = Path(receipt.place).read_text()
    assert '"version": 2' in stored and handoff.info.client_secret.reveal() not in stored
    entry = Vault.open(handoff.vault).current("cl_1")
    own = opening.default_keeper(Vault.open(handoff.vault))
    assert own.open(entry) == handoff.info
    other = dataclasses.replace(entry, opened_with=cloud.new_key())
    with pytest.raises(Problem) as refused:
        own.open(other)
    assert refused.value.code == "envelope-other-key"
    for opened_with in (None, "aws-kms:elsewhere"):
        with pytest.raises(Problem):
            own.open(dataclasses.replace(entry, opened_with=opened_with))


def test_an_outage_of_kms_is_the_vaults_problem_and_loses_nothing(handoff, cloud):
    key = cloud.new_key()
    cloud.proxy.set("AccessDeniedException")
    with pytest.raises(VaultProblem) as refused:
        handoff.receive(handoff.message(), keeping=Keeping.AWS_KMS, key_name=key)
    assert refused.value.code == "kms-denied"
    assert not handoff.vault.exists()
    cloud.proxy.set("pass")
    receipt = handoff.receive(handoff.message(), keeping=Keeping.AWS_KMS, key_name=key)
    own = opening.default_keeper(Vault.open(handoff.vault))
    cloud.admin.disable_key(KeyId=id_of(key))
    with pytest.raises(VaultProblem) as refused:
        own.open(receipt.entry)
    assert refused.value.code == "kms-key-disabled"
    cloud.admin.enable_key(KeyId=id_of(key))
    assert own.open(receipt.entry) == handoff.info


@pytest.mark.parametrize("said", ["files", "aws-kms", "file:x", "aws-kms:", "AWS-KMS:arn", "vault", "keyring:x", ""])
def test_another_way_of_keeping_is_misuse(said):
    with pytest.raises(Misuse):
        read_keeping(said)
    assert read_keeping("aws-kms:arn:x") == (Keeping.AWS_KMS, "aws-kms:arn:x")

"""The vault on disk: whose turn it is, which credential fits, and a person at the terminal."""

import dataclasses

import pytest

from keyfob.ambient import system_entropy
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.folder import Vault
from keyfob.partner.vault.keeping import Keeper
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret


def keeper(handoff, *answers: str, **options) -> Keeper:
    """A keeper whose person at the terminal gives `answers`; without any there is nobody."""
    left = [Secret(answer) for answer in answers]
    settings = {"private_key": handoff.private_key, "environ": {}, **options}
    ask = (lambda _prompt: left.pop(0)) if answers else None
    return Keeper(vault=handoff.vault, installation_id="i", entropy=system_entropy, ask=ask, **settings)


def test_a_passphrase_is_asked_for_twice_to_keep_and_once_to_open(handoff):
    receipt = handoff.receive(handoff.message())
    ciphertext, opened_with = keeper(handoff, "right", "right").keep(Keeping.PASSPHRASE, handoff.info, b"")
    kept = dataclasses.replace(receipt.entry, keeping=Keeping.PASSPHRASE, ciphertext=ciphertext)
    assert opened_with is None
    assert keeper(handoff, "right").open(kept) == handoff.info
    with pytest.raises(Problem):
        keeper(handoff, "wrong").open(kept)
    with pytest.raises(Misuse) as refused:
        keeper(handoff, "one", "other").keep(Keeping.PASSPHRASE, handoff.info, b"")
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
        keeper(handoff, environ={"KEYFOB_PASSPHRASE_FILE": str(path)}).keep(Keeping.PASSPHRASE, handoff.info, b"")
    assert str(path) in refused.value.message


def test_a_private_key_file_that_is_none_is_named(handoff, tmp_path):
    with pytest.raises(VaultProblem):
        keeper(handoff, private_key=tmp_path / "missing.asc").opener()
    certificate = tmp_path / "certificate.asc"
    certificate.write_bytes(handoff.partner.armored)
    certificate.chmod(0o600)
    with pytest.raises(Misuse) as refused:
        keeper(handoff, private_key=certificate).opener()
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
    receipt.path.rename(receipt.path.with_name("another.json"))
    with pytest.raises(VaultProblem) as refused:
        Vault.open(handoff.vault).current("cl_1")
    assert refused.value.code == "damaged-entry"

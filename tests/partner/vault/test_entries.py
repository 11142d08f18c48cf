"""Documents that are written down: what an older keyfob has stored is read for ever."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from keyfob import client_secret
from keyfob.ambient import system_entropy
from keyfob.envelope.os_keyring import KeyringWrapper
from keyfob.envelope.random_key import RandomKey
from keyfob.envelope.wrappers import KeyFileWrapper
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import entries
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.keeping import Keeper
from keyfob.partner.vault.keys import Keys
from keyfob.secret import Secret

DOCUMENTS = json.loads((Path(__file__).parents[2] / "vectors" / "documents.json").read_text())
KEY = RandomKey(Secret(bytes(range(64))))
WRAPPERS = {Keeping.FILE: KeyFileWrapper(Path("k"), KEY), Keeping.KEYRING: KeyringWrapper("keyring:0", KEY)}


@pytest.fixture
def keeper() -> Keeper:
    keys = Keys(environ=os.environ, entropy=system_entropy, ask=None, key_file=None, usual_key_file=None)
    return Keeper(installation_id="00112233445566778899aabbccddeeff", keys=keys)


@pytest.mark.parametrize("version", DOCUMENTS)
def test_each_version_is_read_opens_and_is_written_as_it_was(version, keeper):
    document = json.dumps(DOCUMENTS[version]).encode()
    entry = entries.read(document, where="x")
    assert json.loads(entries.write(entry)) == DOCUMENTS[version]
    if entry.keeping in WRAPPERS:
        information = keeper.open(entry, wrapper=WRAPPERS[entry.keeping])
        assert client_secret.credential_id(information.client_secret) == "credential1"
        with pytest.raises(VaultProblem):
            keeper.open(dataclasses.replace(entry, scope=frozenset({"a"})), wrapper=WRAPPERS[entry.keeping])


@pytest.mark.parametrize("changed", [{"key_version": 0}, {"key_version": "1"}, {"key_version": 2**60}, {"key": "x"}])
def test_anything_else_is_damaged(changed):
    with pytest.raises(VaultProblem) as refused:
        entries.read(json.dumps(DOCUMENTS["1"] | changed).encode(), where="x")
    assert refused.value.code == "damaged-entry"


def test_a_newer_one_is_not_taken_for_damaged():
    with pytest.raises(VaultProblem) as refused:
        entries.read(json.dumps(DOCUMENTS["3"] | {"version": 4}).encode(), where="x")
    assert refused.value.code == "newer-entry"

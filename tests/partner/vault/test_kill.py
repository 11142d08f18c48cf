"""A change of a vault that is killed at any of its steps leaves what was there, or what was wanted, and never neither.

Each is begun again from the same state and killed one step later, until it comes to its end. After each kill everything
opens, and the change made once more comes to its end.
"""

import json
import os
import shutil
from collections.abc import Iterator

import pytest

from keyfob.oauth.client_information import ClientInformation
from keyfob.partner import opening, vault_commands
from keyfob.partner.vault import entries
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.vault import Vault
from kms import CREDENTIALS
from vault_changes import Changes, Wire

MOST_STEPS = 150
FAR = ("postgresql", "aws-secrets")


@pytest.fixture(scope="module")
def changes(tmp_path_factory) -> Iterator[Changes]:
    made = Changes(tmp_path_factory.mktemp("changes") / "errors")
    yield made
    made.close()


class Scene:
    """A vault with two credentials under the key file beside it, and the way back to that state."""

    def __init__(self, kept, way) -> None:
        self.kept, self.way = kept, way
        self.wanted = {number: kept.put(way, number) for number in (1, 2)}
        self.documents = {n: kept.vault.store.read(f"cl_{n}")[f"credential{n}"] for n in (1, 2)}
        self.start = kept.folder.with_name("start")
        shutil.copytree(kept.folder, self.start)

    def again(self) -> None:
        shutil.rmtree(self.kept.folder)
        shutil.copytree(self.start, self.kept.folder)
        if self.kept.place.kind in FAR:
            for number, document in self.documents.items():
                self.kept.store(f"cl_{number}", document)

    def options(self, what: str) -> dict[str, str]:
        if what == "put":
            return {"document": entries.write(self.kept.entry(self.way, 1, message_id="m9")[0]).decode()}
        if what == "replace":
            both = (self.kept.entry(self.way, number, message_id="m9")[0] for number in (1, 2))
            return {"documents": json.dumps([entries.write(one).decode() for one in both])}
        if what == "forget":
            return {"client": "cl_1"}
        if what == "rewrap":
            return {"old": str(self.kept.folder / self.kept.key_file), "new": str(self.kept.folder / "new.key")}
        return {}

    def opened(self) -> dict[int, ClientInformation]:
        """What there is, with the keys that the entries name; it raises when one does not open."""
        vault = Vault.open(self.kept.place.named)
        keeper = opening.default_keeper(vault)
        return {int(client[3:]): keeper.open(vault.current(client)) for client in vault.clients()}

    def check(self, what: str, *, is_done: bool) -> None:
        found = self.opened()
        if what == "replace":
            said = {information.message_id for information in found.values()}
            assert len(found) == 2 and said in ([{"m9"}] if is_done else [{"m1", "m2"}, {"m9"}])
            return
        first = {"put": "m9", "forget": None}.get(what, "m1")
        assert found[2] == self.wanted[2]
        said = None if 1 not in found else found[1].message_id
        assert said in ((first,) if is_done else ("m1", first))
        assert said is None or found[1].client_secret == self.wanted[1].client_secret


@pytest.fixture
def scene(request, tmp_path, parties, new_kept, new_way) -> Scene:
    work = tmp_path / "work"
    work.mkdir()
    kept, way = new_kept(request.param, work)
    return Scene(kept, way)


@pytest.mark.parametrize("what", ["put", "forget", "rewrap", "rotate"])
@pytest.mark.parametrize("scene", ["folder", "sqlite"], indirect=True)
def test_on_this_machine_at_each_flush_rename_link_removal_and_write(changes, scene, what):
    options, named = scene.options(what), scene.kept.place.named
    for step in range(MOST_STEPS):
        scene.again()
        if changes.make(what, named, options, dies_at=step):
            break
        scene.check(what, is_done=False)
        if what != "forget" or 1 in scene.opened():
            assert changes.make(what, named, options)
        scene.check(what, is_done=True)
    assert 3 < step < MOST_STEPS - 1
    scene.check(what, is_done=True)


@pytest.mark.parametrize("keeping", [Keeping.PASSPHRASE, Keeping.KEYRING, Keeping.AWS_KMS, Keeping.VAULT])
@pytest.mark.parametrize("scene", ["folder"], indirect=True)
def test_on_the_way_to_each_other_kind_of_key(changes, scene, new_way, keeping):
    """What the change needed of a service is there, and is no harm where it was not used."""
    way, old = new_way(keeping), str(scene.kept.folder / scene.kept.key_file)
    options = {"old": old, "keeping": str(keeping), "key_name": way.name}
    for step in range(MOST_STEPS):
        scene.again()
        if changes.make("under", scene.kept.place.named, options, environ=dict(os.environ), dies_at=step):
            break
        scene.check("under", is_done=False)
    assert 3 < step < MOST_STEPS - 1
    scene.check("under", is_done=True)
    assert {entry.keeping for entry in Vault.open(scene.kept.place.named).all_entries()} == {keeping}


@pytest.mark.parametrize("keeping", [Keeping.PASSPHRASE, Keeping.KEYRING])
@pytest.mark.parametrize("scene", ["folder"], indirect=True)
def test_while_a_new_passphrase_or_key_of_the_keyring_takes_the_place_of_another(
    changes, scene, new_way, keeping, tmp_path, monkeypatch
):
    """The old key leaves the keyring when nothing opens with it any more, and not before."""
    new_way(keeping)
    options = {"old": str(scene.kept.folder / scene.kept.key_file), "keeping": str(keeping), "key_name": None}
    named = scene.kept.place.named
    assert changes.make("under", named, options, environ=dict(os.environ))
    new = tmp_path / "new-passphrase"
    new.touch(mode=0o600)
    new.write_text("another horse")
    monkeypatch.setenv("KEYFOB_NEW_PASSPHRASE_FILE", str(new))
    scene.start = scene.kept.folder.with_name("start-under-it")
    shutil.copytree(scene.kept.folder, scene.start)
    for step in range(MOST_STEPS):
        scene.again()
        if changes.make("rotate", named, {}, environ=dict(os.environ), dies_at=step):
            break
        scene.check("rotate", is_done=False)
    assert 3 < step < MOST_STEPS - 1
    scene.check("rotate", is_done=True)
    if keeping is Keeping.PASSPHRASE:
        monkeypatch.delenv("KEYFOB_NEW_PASSPHRASE_FILE")
        new.replace(tmp_path / "passphrase")
        scene.check("rotate", is_done=True)


@pytest.mark.parametrize("scene", FAR, indirect=True)
def test_far_away_with_each_message_that_leaves(changes, scene, request):
    """It arrives, or is lost: nobody can know which. Two credentials that change together do so, or neither does."""
    what = "replace"
    options, named, environ = scene.options(what), scene.kept.place.named, {}
    if scene.kept.place.kind == "postgresql":
        port = request.getfixturevalue("postgresql").port
        wire = Wire(port)
        named = named.replace(f":{port}/", f":{wire.port}/")
    else:
        wire = Wire(request.getfixturevalue("kms_port"))
        environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}"}
    scene.again()
    assert changes.make(what, named, options, environ=environ, wire=wire)
    whole = wire.count
    killed = 0
    # To look for the vault comes first, and writes nothing. How much of what is sent comes as one message is chance.
    for message in range(whole // 2 - 1, whole):
        for arrives in (False, True):
            scene.again()
            wire.reset(message, arrives=arrives)
            is_done = changes.make(what, named, options, environ=environ, wire=wire)
            killed += not is_done
            scene.check(what, is_done=is_done)
    assert killed > 2
    wire.close()


@pytest.mark.parametrize("kind", ["folder", "sqlite"])
@pytest.mark.parametrize("scene", ["folder"], indirect=True)
def test_an_exported_vault_that_comes_in_is_there_as_far_as_it_came_and_the_rest_comes_the_next_time(
    changes, scene, kind, tmp_path
):
    exported, place = tmp_path / "exported.json", tmp_path / "place"
    exported.write_bytes(vault_commands._as_stored(scene.kept.vault, None))
    named = str(place / "vault") if kind == "folder" else f"sqlite:{place / 'vault.db'}"
    options = {"file": str(exported), "fingerprint": scene.kept.parties.operator.fingerprint}
    for step in range(MOST_STEPS):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        is_done = changes.make("import", named, options, dies_at=step)
        assert is_done or changes.make("import", named, options)
        there = Vault.open(named)
        opened = {int(one[3:]): opening.default_keeper(there).open(there.current(one)) for one in there.clients()}
        assert opened == scene.wanted
        if is_done:
            break
    assert 3 < step < MOST_STEPS - 1


@pytest.mark.parametrize("kind", ["folder", "sqlite"])
def test_the_first_receipt_leaves_a_whole_vault_or_none(changes, kind, new_kept, tmp_path):
    """And a second one makes it, whatever lies there."""
    work = tmp_path / "work"
    work.mkdir()
    kept, way = new_kept(kind, work)
    document = entries.write(kept.entry(way, 1)[0]).decode()
    for step in range(MOST_STEPS):
        for path in work.iterdir():
            if path.name != kept.key_file:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        is_done = changes.make("put", kept.place.named, {"document": document}, dies_at=step)
        found = Vault.find(kept.place.named)
        assert found is None or found.clients() in ((), ("cl_1",))
        if is_done:
            break
        assert changes.make("put", kept.place.named, {"document": document})
        assert Vault.open(kept.place.named).current("cl_1").message_id == "m1"
    assert 3 < step < MOST_STEPS - 1

"""What every vault must do, wherever it lies and whatever its key is.

The first test is played with each key at each place. The others look closer: at a key in a folder, at a place under a
key file.
"""

import base64
import dataclasses
import json
import threading
from urllib.parse import quote

import pytest

from keyfob.partner import opening, vault_commands
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import rewrapping
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.store import DAMAGED
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem


def forms(secret: str) -> list[bytes]:
    """A secret as it might lie somewhere unsealed."""
    content = secret.encode()
    found = [content, content.hex().encode(), base64.b64encode(content), content[::-1], secret.encode("utf-16-le")]
    # In the middle of something longer base64 has two other forms; its ends differ.
    found += [base64.b64encode(b"x" * shift + content)[4:-4] for shift in (1, 2)]
    return [*found, quote(secret, safe="").encode(), base64.b64encode(secret.encode("utf-16-le"))]


def check_refused(work, secret) -> Problem:
    """It raises a Problem that says what to do, and nothing of the secret."""
    with pytest.raises(Problem) as refused:
        work()
    assert refused.value.message and refused.value.hint
    assert secret.reveal() not in f"{refused.value!r} {refused.value.hint}"
    return refused.value


def test_each_key_at_each_place(kept, way):
    """It opens with its key alone, lies nowhere in clear, and no other row opens in its place: nothing is lost."""
    first, second = kept.put(way, 1), kept.put(way, 2)
    secret = first.client_secret
    assert kept.opened() == first
    raw = kept.place.raw()
    assert b"cl_1" in raw or b"cl_1".hex().encode() in raw  # as PostgreSQL shows bytes
    for form in forms(secret.reveal()):
        assert form not in raw and form.hex().encode() not in raw

    documents = [kept.vault.store.read(f"cl_{n}")[f"credential{n}"] for n in (1, 2)]
    kept.store("cl_1", documents[1])
    assert check_refused(kept.opened, secret).code == "damaged-entry"
    assert kept.vault.damaged("cl_1") == (kept.vault.store.place("cl_1", "credential1"),)
    # The ids set right, as anybody may write them who can write there: it is the other one's envelope all the same.
    exchanged = json.loads(documents[1]) | {"client_id": "cl_1", "credential_id": "credential1"}
    kept.store("cl_1", json.dumps(exchanged).encode())
    check_refused(kept.opened, secret)
    kept.store("cl_1", documents[0])

    way.take_away()
    check_refused(kept.opened, secret)
    way.give_back()
    assert (kept.opened(1), kept.opened(2)) == (first, second)


def test_no_field_that_lies_in_clear_can_be_changed_to_any_avail(in_folder, way):
    information = in_folder.put(way)
    document = in_folder.vault.store.read("cl_1")["credential1"]
    keeper = in_folder.keeper()
    changes = [
        {"token_endpoint": "https://thief.example/oauth2/token"},
        {"issuer": "https://thief.example"},
        {"resource": ["https://thief.example"]},
        {"scope": "studies:read studies:write"},
        {"expires_at": 1},
        {"ciphertext": "AAAA"},
    ]
    if way.keeping is not Keeping.MESSAGE:
        changes.append({"key_version": 2})
    for change in changes:
        in_folder.store("cl_1", json.dumps(json.loads(document) | change).encode())
        check_refused(lambda: keeper.open(in_folder.vault.current("cl_1")), information.client_secret)


def check_every_cut_and_change(kept, information, count):
    """Not every bit of the clear half is bound, as a blank is not; but no change of one says anything else."""
    document = kept.vault.store.read("cl_1")["credential1"]
    keeper, secret = kept.keeper(), information.client_secret

    def current():
        return keeper.open(kept.vault.current("cl_1"))

    for end in (0, 1, len(document) // 3, len(document) - 3):
        kept.store("cl_1", document[:end])
        check_refused(current, secret)
    told = []
    for number in range(count):
        position = len(document) * number // count + number % 7
        changed = bytearray(document)
        changed[position % len(document)] ^= 1 << number % 8
        kept.store("cl_1", bytes(changed))
        try:
            assert current() == information
        except Problem as problem:
            told.append(problem)
    assert len(told) > count // 2 and all(one.hint for one in told)
    kept.store("cl_1", document)
    assert current() == information


def test_what_was_cut_or_changed_is_refused_under_each_key(in_folder, way):
    information = in_folder.put(way)
    # Most of a document is its two long texts, the certificate's and the ciphertext's.
    count = {Keeping.PASSPHRASE: 8, Keeping.AWS_KMS: 8, Keeping.MESSAGE: 8}.get(way.keeping, 40)
    with_short_certificate = json.loads(in_folder.vault.store.read("cl_1")["credential1"])
    if way.keeping is not Keeping.MESSAGE:
        in_folder.store("cl_1", json.dumps(with_short_certificate | {"signer_certificate": "-"}).encode())
    check_every_cut_and_change(in_folder, information, count)


def test_what_was_cut_or_changed_is_refused_at_each_place(kept, under_file):
    information = kept.put(under_file)
    document = json.loads(kept.vault.store.read("cl_1")["credential1"])
    kept.store("cl_1", json.dumps(document | {"signer_certificate": "-"}).encode())
    check_every_cut_and_change(kept, information, 8)


def test_a_new_key_of_the_same_kind_opens_it_and_the_one_before_does_not(in_folder, way, monkeypatch, tmp_path):
    information = in_folder.put(way)
    before = in_folder.vault.current("cl_1")
    opener = in_folder.keeper()
    if way.keeping is Keeping.MESSAGE:
        assert check_refused(
            lambda: rewrapping.rotate_key(in_folder.vault, opener), information.client_secret
        ).code == ("nothing-to-rotate")
        return
    if way.keeping is Keeping.FILE:
        assert check_refused(
            lambda: rewrapping.rotate_key(in_folder.vault, opener), information.client_secret
        ).code == ("shared-key-file")
        own = dataclasses.replace(opener.keys, usual_key_file=tmp_path / "own.key")
        opener = dataclasses.replace(opener, keys=own)
    if way.keeping is Keeping.PASSPHRASE:
        new = tmp_path / "new-passphrase"
        new.touch(mode=0o600)
        new.write_text("another horse")
        monkeypatch.setenv("KEYFOB_NEW_PASSPHRASE_FILE", str(new))
    done = rewrapping.rotate_key(in_folder.vault, opener)
    assert [(entry.keeping, entry.key_version) for entry in done.entries] == [(way.keeping, 2)]
    assert done.entries[0].ciphertext != before.ciphertext
    if way.keeping is Keeping.PASSPHRASE:
        monkeypatch.delenv("KEYFOB_NEW_PASSPHRASE_FILE")
        new.replace(tmp_path / "passphrase")
    assert in_folder.opened() == information
    if way.keeping not in (Keeping.AWS_KMS, Keeping.VAULT):  # there the service keeps its older versions
        in_folder.vault.put(before)
        check_refused(in_folder.opened, information.client_secret)


def test_from_key_to_key_the_secret_stays_the_same_and_comes_into_no_file(in_folder, new_way, tmp_path):
    """Each kind is left once, and each but the message is come to."""
    information = in_folder.put(new_way(Keeping.MESSAGE))
    order = [Keeping.FILE, Keeping.PASSPHRASE, Keeping.KEYRING, Keeping.AWS_KMS, Keeping.VAULT, Keeping.FILE]
    for number, keeping in enumerate(order):
        sealer = in_folder.keeper(new_way(keeping), key_file=tmp_path / f"key-{number}")
        done = rewrapping.rewrap(in_folder.vault, in_folder.keeper(key_file=None), sealer, keeping, client=None)
        assert [entry.keeping for entry in done.entries] == [keeping]
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert information.client_secret.reveal().encode() not in written
        assert in_folder.keeper(key_file=None).open(in_folder.vault.current("cl_1")) == information
    assert in_folder.vault.current("cl_1").key_version == 1 + len(order)
    with pytest.raises(Problem) as refused:
        rewrapping.rewrap(in_folder.vault, in_folder.keeper(), sealer, Keeping.MESSAGE, client=None)
    assert refused.value.code == "not-a-message"


def test_one_that_does_not_open_stops_all_before_anything_is_changed(kept, under_file, new_way):
    kept.put(under_file, 1)
    second = kept.put(new_way(Keeping.PASSPHRASE), 2)
    passphrase = kept.folder / "passphrase"
    passphrase.write_text("wrong horse")
    before = kept.place.raw()
    with pytest.raises(Problem):
        rewrapping.rewrap(kept.vault, kept.keeper(), kept.keeper(), Keeping.FILE, client=None)
    assert kept.place.raw() == before
    passphrase.write_text("correct horse")
    assert kept.opened(2) == second


def test_a_client_is_forgotten_whole_and_the_others_stay(kept, under_file):
    kept.put(under_file, 1)
    stays = kept.put(under_file, 2)
    kept.vault.store.write("cl_1", "other", b"{")
    assert [DAMAGED in place for place in kept.vault.set_aside_damaged("cl_1")] == [True]
    assert kept.vault.damaged("cl_1") == ()
    kept.vault.forget_client("cl_1")
    assert kept.vault.clients() == ("cl_2",)
    raw = kept.place.raw()
    assert b"cl_1" not in raw and b"cl_1".hex().encode() not in raw
    assert kept.opened(2) == stays
    with pytest.raises(Problem) as refused:
        kept.vault.forget_client("cl_1")
    assert refused.value.code == "unknown-client"


def test_writers_at_once_leave_what_each_of_them_wrote_or_are_told(kept, under_file):
    """Where there is no lock, who is second is refused, and nothing of the first is lost."""
    wanted = {number: kept.entry(under_file, number)[0] for number in range(1, 7)}
    done, told = [], []
    ready = threading.Barrier(len(wanted))

    def work(number: int) -> None:
        vault = Vault.open(kept.place.named)
        ready.wait()
        try:
            with vault.locked():
                vault.put(wanted[number])
        except VaultProblem as refused:
            told.append(refused.code)
        else:
            done.append(f"cl_{number}")

    workers = [threading.Thread(target=work, args=(number,)) for number in wanted]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert kept.vault.clients() == tuple(sorted(done)) and done
    assert len(done) + len(told) == len(wanted)
    assert told == [] or (kept.place.kind == "aws-secrets" and set(told) == {"vault-changed"})


def test_what_goes_wrong_in_a_locked_block_changes_nothing_in_a_database(kept, under_file):
    entry, _ = kept.entry(under_file)
    vault = Vault.open(kept.place.named)
    with pytest.raises(ZeroDivisionError), vault.locked():  # noqa: PT012
        vault.put(entry)
        raise ZeroDivisionError
    assert vault.clients() == (("cl_1",) if kept.place.kind == "folder" else ())


def test_what_is_exported_as_it_lies_is_read_from_a_file_and_a_variable(kept, under_file, monkeypatch, caplog):
    information = kept.put(under_file)
    exported = kept.folder / "exported.json"
    exported.write_bytes(vault_commands._as_stored(kept.vault, None))
    exported.chmod(0o440)
    monkeypatch.setenv("DEPLOYED", exported.read_text())
    for named, lost in (
        (f"file:{exported}", "cannot be stored"),
        ("env:DEPLOYED", "every process that this one starts"),
    ):
        caplog.clear()
        vault = Vault.open(named)
        assert lost in caplog.text
        keeper = opening.default_keeper(vault, key_file=kept.folder / "own.key")
        assert keeper.open(vault.current("cl_1")) == information
        for change in (
            lambda vault=vault: vault.put(vault.current("cl_1")),
            lambda vault=vault: vault.forget_client("cl_1"),
            lambda vault=vault, keeper=keeper: rewrapping.rotate_key(vault, keeper),
            lambda named=named: Vault.create(named, new_id=lambda: "x"),
        ):
            assert check_refused(change, information.client_secret).code == "read-only"

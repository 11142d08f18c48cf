"""`keyfob vault ...` as a person types it: what is shown, what is changed, and that no secret is."""

import base64
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import inside
from keyfob.oauth import client_information
from keyfob.openpgp import sequoia
from keyfob.partner import cli
from keyfob.partner.options import holds_password
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.vault import Vault

from .conftest import make_place

SECRET = "kfs_"


@pytest.fixture
def vault(in_folder, under_file, monkeypatch):
    """Two credentials of one client, and one of another, under the key file beside the vault."""
    in_folder.key_file = "vault.key"
    in_folder.wanted = {
        name: in_folder.put(under_file, number, credential_id=name, client_id=client)
        for number, (client, name) in enumerate((("cl_1", "a"), ("cl_1", "b"), ("cl_2", "c")), start=1)
    }
    monkeypatch.setenv("KEYFOB_VAULT", in_folder.place.named)
    return in_folder


def keyfob(*arguments: object, status: int = 0) -> inside.Done:
    done = inside.run(cli.cli, "keyfob", "vault", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


def document(*arguments: object, status: int = 0) -> dict[str, object]:
    return json.loads(keyfob(*arguments, "--json", status=status).stdout)


def test_what_is_there_is_listed_and_shown_without_a_secret(vault):
    lines = keyfob("list").stdout.splitlines()
    assert lines[0].split() == ["CLIENT", "CREDENTIAL", "STATE", "KEY", "EXPIRES", "FOR"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["cl_1", "b", "current"],
        ["cl_1", "a", "older"],
        ["cl_2", "c", "current"],
    ]
    vault.vault.store.write("cl_1", "broken", b"{")
    listed = document("list")
    assert [one["credential_id"] for one in listed["credentials"]] == ["b", "a", "c"]
    assert listed["damaged"] == [str(Path(vault.place.named) / "clients" / "cl_1" / "broken.json")]
    assert "receive the newest message again" in keyfob("list").stdout
    shown = keyfob("show", "cl_1").stdout
    for said in ("b of cl_1", "studies:read", "https://issuer.example", str(vault.folder / "vault.key"), "version 1"):
        assert said in shown
    assert document("show", "cl_2")["credentials"][0]["key"] == "file"
    assert document("show", status=2)["error"] == "which-client"
    assert document("show", "cl_9", status=2)["error"] == "unknown-client"


def test_what_does_not_count_yet_is_shown_as_coming(vault):
    newest = vault.vault.current("cl_1")
    vault.vault.put(dataclasses.replace(newest, usable_from=4_000_000_000))
    listed = {one["credential_id"]: one["state"] for one in document("list")["credentials"]}
    assert listed == {"b": "coming", "a": "current", "c": "current"}
    assert "counts    from 2096-10-02 07:06Z" in keyfob("show", "cl_1").stdout


def test_another_key_is_put_in_place_and_the_old_file_is_told(vault):
    changed = document("rewrap", "--key", "passphrase")
    assert {one["key"] for one in changed["credentials"]} == {"passphrase"}
    assert changed["unused"] == [str(vault.folder / "vault.key")]
    new = vault.folder / "elsewhere.key"
    only = document("rewrap", "--key", "file", "--new-key-file", new, "--client", "cl_2")
    assert [(one["client_id"], one["opened_with"]) for one in only["credentials"]] == [("cl_2", str(new))]
    assert {entry.keeping for entry in vault.vault.entries("cl_1")} == {Keeping.PASSPHRASE}
    assert vault.keeper(key_file=None).open(vault.vault.current("cl_2")) == vault.wanted["c"]
    assert document("rewrap", "--key", "message", status=2)["error"] == "not-a-message"
    assert document("rewrap", "--key", "file", "--client", "cl_9", status=2)["error"] == "unknown-client"
    assert document("rotate-key", status=2)["error"] == "shared-key-file"


def test_a_new_key_takes_the_place_of_the_one_beside_the_vault(vault, tmp_path):
    key = vault.folder / "vault.key"
    before, copy = key.read_bytes(), vault.vault.current("cl_1")
    told = keyfob("rotate-key").stdout
    assert "b of cl_1 is under file" in told
    assert key.read_bytes() != before and key.stat().st_mode & 0o777 == 0o600
    assert not key.with_name("vault.key.next").exists()
    assert vault.keeper(key_file=None).open(vault.vault.current("cl_1")) == vault.wanted["b"]
    vault.vault.put(copy)
    with pytest.raises(Exception, match="does not open with the key"):
        vault.keeper(key_file=None).open(vault.vault.current("cl_1"))


def test_what_is_forgotten_is_named_and_confirmed(vault):
    assert document("forget", "cl_1", status=2)["error"] == "not-confirmed"
    assert document("forget", "cl_1", "--credential", "x", "--yes", status=2)["error"] == "unknown-credential"
    assert document("forget", "cl_1", "--credential", "a", "--yes") == {"forgotten": ["a"]}
    assert [entry.credential_id for entry in vault.vault.entries("cl_1")] == ["b"]
    assert document("forget", "cl_1", "--credential", "b", "--yes") == {"forgotten": ["b"]}
    assert document("forget", "cl_1", "--yes", status=2)["error"] == "unknown-client"
    assert vault.vault.clients() == ("cl_2",)


def test_what_is_taken_out_is_sealed_and_gpg_opens_it(vault, tmp_path):
    key, made = sequoia.generate("Backup <b@partner.example>", lifetime=86400)
    certificate = tmp_path / "backup.asc"
    certificate.write_bytes(made.armored)
    out = tmp_path / "out.asc"
    told = document("export", "--sealed-to", certificate, "--client", "cl_2", "--out", out)
    assert (told["client_id"], told["sealed_to"]) == ("cl_2", made.fingerprint)
    assert out.stat().st_mode & 0o777 == 0o600 and out.read_bytes().startswith(b"-----BEGIN PGP MESSAGE-----")
    opened = sequoia.decrypt(out.read_bytes(), private_key=key, passphrase=None, signer=None)
    assert client_information.read(opened.plaintext) == vault.wanted["c"]
    assert document("export", "--sealed-to", certificate, "--client", "cl_2", "--out", out, status=2)["error"] == (
        "file-exists"
    )
    to_a_pipe = keyfob("export", "--sealed-to", certificate, "--client", "cl_2").stdout
    assert to_a_pipe.startswith("-----BEGIN PGP MESSAGE-----")
    assert document("export", status=2)["error"] == "which-form"
    assert document("export", "--as-stored", "--sealed-to", certificate, status=2)["error"] == "which-form"


def test_what_is_taken_out_as_it_lies_is_a_vault_to_read(vault, tmp_path):
    out = tmp_path / "vault.json"
    keyfob("export", "--as-stored", "--client", "cl_2", "--out", out)
    listed = document("list", "--vault", f"file:{out}")
    assert [one["credential_id"] for one in listed["credentials"]] == ["c"]
    assert vault.keeper().open(Vault.open(f"file:{out}").current("cl_2")) == vault.wanted["c"]
    assert document("forget", "cl_2", "--yes", "--vault", f"file:{out}", status=2)["error"] == "read-only"


@pytest.mark.parametrize("kind", ["folder", "sqlite", "postgresql", "aws-secrets"])
def test_an_exported_vault_comes_into_any_other_place_and_opens_there(vault, kind, request, tmp_path):
    """Nothing but the operator's fingerprint says whom to trust, and nothing that is there is replaced."""
    (tmp_path / "elsewhere").mkdir()
    out, place = tmp_path / "vault.json", make_place(kind, request, tmp_path / "elsewhere")
    keyfob("export", "--as-stored", "--out", out)
    fingerprint = vault.parties.operator.fingerprint
    named = ("--vault", place.named)
    monkeypatch = request.getfixturevalue("monkeypatch")
    if kind == "postgresql":
        monkeypatch.setenv("KEYFOB_VAULT", place.named)
        named = ()
    assert document("import", out, *named, status=2)["error"] == "fingerprint-not-confirmed"
    wrong = ("--operator-fingerprint", fingerprint[::-1])
    assert document("import", out, *named, *wrong, status=1)["error"] == "wrong-operator"
    assert Vault.find(place.named) is None
    told = document("import", out, *named, "--operator-fingerprint", fingerprint)
    assert [one["credential_id"] for one in told["added"]] == ["a", "b", "c"]
    there = Vault.open(place.named)
    assert there.installation_id == Vault.open(vault.place.named).installation_id
    opened = {entry.credential_id: vault.keeper().open(entry) for entry in there.all_entries()}
    assert opened == vault.wanted
    # Once more, by what is pinned there: one was forgotten, one was changed, one is damaged.
    keyfob("forget", "cl_2", "--yes", *named)
    changed = dataclasses.replace(there.current("cl_1"), received=9)
    there.put(changed)
    there.store.write("cl_1", "a", b"{")
    told = document("import", out, *named)
    assert {name: [one["credential_id"] for one in told[name]] for name in ("added", "present", "other")} == {
        "added": ["a", "c"],
        "present": [],
        "other": ["b"],
    }
    assert there.current("cl_1") == changed and there.damaged("cl_1") == ()


def test_what_is_no_export_of_this_vault_changes_nothing(vault, tmp_path):
    out, before = tmp_path / "vault.json", vault.place.raw()
    keyfob("export", "--as-stored", "--out", out)
    exported = json.loads(out.read_text())
    listed = exported["credentials"]
    for changed, status, code in (
        ({"installation_id": "cd" * 16}, 2, "another-vault"),
        ({"credentials": {"cl_1": {"b": listed["cl_1"]["a"]}}}, 1, "damaged-vault"),
        ({"credentials": {"cl_1": {"b": base64.b64encode(b"{").decode()}}}, 1, "damaged-entry"),
        ({"credentials": {}}, 1, "damaged-vault"),
        ({"kind": "another"}, 1, "damaged-vault"),
    ):
        out.write_text(json.dumps(exported | changed))
        assert document("import", out, status=status)["error"] == code
    assert document("import", tmp_path / "none", status=2)["error"] == "usage"
    out.write_text(json.dumps(exported))
    out.chmod(0o400)
    fingerprint = ("--operator-fingerprint", vault.parties.operator.fingerprint)
    assert document("import", out, "--vault", "env:NOTHING", *fingerprint, status=2)["error"] == "read-only"
    assert vault.place.raw() == before


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@db.example/d",
        "postgres://:hunter2@db.example/d",
        "postgresql://u@db.example/d?password=hunter2",
        "postgresql://u:hunter2@db.example:99999999/d",
    ],
)
def test_a_password_that_is_typed_is_refused_and_in_a_variable_it_is_taken(url, monkeypatch):
    assert holds_password(url)
    refused = keyfob("list", "--vault", url, status=2)
    assert "holds a password" in refused.stderr and "hunter2" not in refused.stderr
    monkeypatch.setenv("KEYFOB_VAULT", url)
    told = inside.run(cli.cli, "keyfob", "vault", "list")
    assert "holds a password" not in told.stderr and "hunter2" not in told.stderr


@pytest.mark.parametrize("named", ["vault", "sqlite:v.db", "postgresql://u@db.example:5432/d", "env:A"])
def test_a_vault_without_a_password_has_none(named):
    assert not holds_password(named)


def test_the_command_says_what_it_takes_where_no_extra_is_installed(vault):
    """As a program of its own, and without the packages of the extras."""
    blocked = "import sys\nfor name in ('boto3','hvac','keyring','psycopg','sqlalchemy'): sys.modules[name] = None\n"
    program = f"{blocked}from keyfob.partner.cli import main\nmain()"

    done = subprocess.run(
        [sys.executable, "-c", program, "vault", "list", "--json"], capture_output=True, text=True, check=True
    )
    assert len(json.loads(done.stdout)["credentials"]) == 3

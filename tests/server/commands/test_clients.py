"""`client create|list|show`: everything is checked first, and what comes out is one sealed file and nothing else."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyfob import client_secret
from keyfob.ambient import system_entropy
from keyfob.oauth import client_information
from keyfob.oauth.client_authentication import Method
from keyfob.openpgp import certificate
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.server import installation
from keyfob.server.secret_hash import matches

RUN = "from keyfob.server.cli import main; main()"
DAY = 24 * 60 * 60


@pytest.fixture
def unseal(acme, partner_key):
    """What the partner finds in a sealed file."""

    def read(path):
        signer = certificate.read_signer((acme.home / "operator.asc").read_bytes())
        return client_information.read(
            PrivateKeyUnsealer(partner_key[0]).unseal(Path(path).read_bytes(), signer=signer)
        )

    return read


@pytest.fixture
def view(acme):
    """A client as the server sees it."""

    def read(client_id):
        opened = installation.open(acme.home, environ={}, entropy=system_entropy)
        try:
            return opened.store.find_client(client_id), opened.peppers
        finally:
            opened.close()

    return read


def test_a_client_is_made_and_its_secret_is_only_in_the_sealed_file(program, acme, unseal, view, tmp_path):
    made = acme.create("--study", "S.1:001,002", "--default-scope", "a:read", scope="a:read b:read")
    assert set(made) == {"client_id", "credential_id", "sealed", "operator_fingerprint"}
    assert made["sealed"] == f"{made['client_id']}.asc"
    information = unseal(tmp_path / made["sealed"])
    assert information.client_id == made["client_id"]
    assert information.credential_id == made["credential_id"]
    assert client_secret.credential_id(information.client_secret) == made["credential_id"]
    assert information.issuer == "https://localhost:8443"
    assert information.token_endpoint == "https://localhost:8443/oauth2/token"
    assert information.scope == {"a:read", "b:read"}
    assert information.resource == ("https://api.example",)
    assert information.recipient_fingerprint == acme.certificate.fingerprint
    assert information.client_id_issued_at == information.issued_at == program.now
    found, peppers = view(made["client_id"])
    (credential,) = found.credentials
    assert matches(information.client_secret, credential.secret_hash, peppers)
    assert information.client_secret_expires_at == credential.expires_at > program.now
    assert found.client.token_lifetime == 300
    (granted,) = found.client.grants
    assert granted.default_scope == {"a:read"}


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_the_sealed_file_is_its_owners_alone(acme, tmp_path):
    assert (tmp_path / acme.create()["sealed"]).stat().st_mode & 0o077 == 0


def test_the_secret_stands_nowhere_else(program, acme, unseal, tmp_path):
    """Not in the database, not in its log, not in the output."""
    made = acme.create()
    secret = unseal(tmp_path / made["sealed"]).client_secret.reveal()
    for path in [*acme.home.rglob("*"), *tmp_path.glob("*.asc")]:
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
            assert secret.split("_")[2].encode() not in path.read_bytes(), path


def test_the_text_names_the_next_step_and_says_that_no_study_is_reached(program, acme):
    base = ("client", "create", "--home", acme.home, "--partner", "Acme", "--resource", "https://api.example")
    out = program.run(*base, "--name", "one", "--scope", "a:read").out
    assert "no study" in out
    assert "keyfob receive" in out
    assert "no study" not in program.run(*base, "--name", "two", "--scope", "a:read", "--all-studies").out


def test_the_text_says_what_was_granted_as_it_can_never_be_changed(program, acme, resource_file):
    base = ("client", "create", "--home", acme.home, "--partner", "Acme", "--resource")
    studies = ("--study", "KF.DMEO", "--study", "S.1:702,701")
    out = program.run(*base, "https://api.example", "--name", "one", "--scope", "b:read a:read", *studies).out
    assert "at        https://api.example: a:read b:read" in out
    assert "studies   KF.DMEO, S.1 (sites 701, 702) (not checked: only the API knows its studies)" in out
    program.run("resource", "add", resource_file(url="https://own.example", types=()), "--home", acme.home)
    out = program.run(*base, "https://own.example", "--name", "two", "--scope", "a:read").out
    assert "stud" not in out
    refused = program.run(*base, "https://api.example", "--name", "x", "--scope", "a:read,b:read", "--json", code=2)
    assert refused.json["hint"] == "several are separated by spaces"


def test_a_named_file_is_used_and_never_overwritten(acme, tmp_path):
    made = acme.create("--out", tmp_path / "x.asc")
    content = (tmp_path / "x.asc").read_bytes()
    assert made["sealed"] == str(tmp_path / "x.asc")
    assert acme.create("--out", tmp_path / "x.asc", name="two", code=2)["error"] == "file-exists"
    assert (tmp_path / "x.asc").read_bytes() == content
    assert acme.create("--out", tmp_path / "none" / "x.asc", name="two", code=2)["error"] == "file-place"


@pytest.mark.parametrize(
    ("more", "changed", "error", "hint"),
    [
        ((), {"partner": "Acmee"}, "unknown-partner", "did you mean Acme?"),
        ((), {"resource": "https://api.exmaple"}, "unknown-resource", "did you mean https://api.example?"),
        ((), {"scope": "a:raed"}, "unknown-scope", "did you mean a:read?"),
        ((), {"scope": "a:read  b:read"}, "bad-scope", "--scope"),
        ((), {"scope": ""}, "bad-scope", "--scope"),
        (("--default-scope", "b:read"), {}, "bad-default-scope", "grant it"),
        (("--resource", "https://api.example"), {}, "resource-twice", "once"),
        (("--study", "A:B:1"), {}, "bad-study", "--authorization-details"),
        (("--study", "*"), {}, "bad-study", "--all-studies"),
        (("--study", "S.1", "--all-studies"), {}, "studies-twice", "--authorization-details"),
        (("--token-lifetime", "901"), {}, "usage", "--help"),
        (("--token-lifetime", "0"), {}, "usage", "--help"),
        (("--auth-method", "tls_client_auth"), {}, "certificates-off", "client_certificates"),
        (("--certificate-bound",), {}, "certificates-off", "client_certificates"),
        ((), {"name": " "}, "bad-name", "printable"),
    ],
)
def test_what_was_typed_wrongly_is_named_and_nothing_is_made(program, acme, tmp_path, more, changed, error, hint):
    before = sorted(path.name for path in tmp_path.iterdir())
    refused = acme.create(*more, code=2, **changed)
    assert refused["error"] == error
    assert hint in refused["hint"]
    assert program.run("client", "list", "--home", acme.home, "--json").json == {"clients": []}
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_is_taken_only_once_until_it_is_revoked(program, acme):
    made = acme.create()
    refused = acme.create(code=2)
    assert refused["error"] == "client-exists"
    assert made["client_id"] in refused["hint"]
    program.run("client", "revoke", made["client_id"], "--home", acme.home)
    assert acme.create("--out", "again.asc")["client_id"] != made["client_id"]


def test_an_expired_partner_certificate_is_refused_with_the_way_to_mend_it(program, acme, tmp_path):
    program.now += 40 * DAY
    refused = acme.create(code=1)
    assert "expire" in refused["message"]
    assert "--quick-set-expire" in refused["hint"]
    assert "keyfob-server partner add" in refused["hint"]
    assert program.run("client", "list", "--home", acme.home, "--json").json == {"clients": []}


def test_several_resources_each_get_the_scopes_that_are_theirs(program, acme, resource_file):
    file = resource_file("two.json", url="https://two.example", scopes=("c:write",))
    program.run("resource", "add", file, "--home", acme.home)
    made = acme.create("--resource", "https://two.example", scope="a:read c:write")
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert [(grant["resource"], grant["scope"]) for grant in shown["grants"]] == [
        ("https://api.example", "a:read"),
        ("https://two.example", "c:write"),
    ]
    refused = acme.create("--resource", "https://two.example", name="two", code=2)
    assert refused["error"] == "resource-without-scope"


def test_studies_are_refused_where_no_resource_knows_them(program, acme, resource_file):
    file = resource_file("two.json", url="https://two.example", scopes=("c:write",), types=())
    program.run("resource", "add", file, "--home", acme.home)
    refused = acme.create("--study", "S.1", resource="https://two.example", scope="c:write", code=2)
    assert refused["error"] == "no-studies-there"


def test_authorization_details_come_from_a_file(program, acme, tmp_path):
    details = [{"type": "cdms_study", "identifier": "A:B", "sites": ["1"], "forms": ["F"]}]
    (tmp_path / "d.json").write_text(json.dumps(details))
    made = acme.create("--authorization-details", tmp_path / "d.json")
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert shown["authorization_details"] == details


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'[{"type":"other"}]', b"[" * 5000])
def test_a_details_file_that_is_none_is_refused(acme, tmp_path, content):
    (tmp_path / "d.json").write_bytes(content)
    assert acme.create("--authorization-details", tmp_path / "d.json", code=2)["error"] == "bad-details"


def test_clients_are_listed_and_shown_with_their_credentials(program, acme):
    made = acme.create("--study", "S.1", "--token-lifetime", "60", "--auth-method", "client_secret_post")
    listed = program.run("client", "list", "--home", acme.home, "--json").json["clients"]
    assert [(one["client_id"], one["partner"], one["state"]) for one in listed] == [
        (made["client_id"], "Acme", "active")
    ]
    assert made["client_id"] in program.run("client", "list", "--home", acme.home).out
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert shown["token_lifetime"] == 60
    assert shown["auth_method"] == "client_secret_post"
    (credential,) = shown["credentials"]
    assert credential["state"] == "active"
    assert credential["sealed_at"] == program.now
    assert credential["first_used_at"] is None
    assert not [name for name in credential if "hash" in name or "secret" in name]
    text = program.run("client", "show", made["client_id"], "--home", acme.home).out
    assert made["credential_id"] in text
    assert "  studies   S.1\n" in text
    program.now += 400 * DAY
    later = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert later["credentials"][0]["state"] == "expired"


def test_a_secret_pasted_as_client_id_is_not_repeated(program, acme):
    pasted = client_secret.make("credential1", b"x" * 32)
    refused = program.run("client", "show", pasted.reveal(), "--home", acme.home, "--json", code=2)
    assert refused.json["error"] == "unknown-client"
    assert pasted.reveal() not in refused.out + refused.err


def test_the_records_of_a_creation_stand_together(acme, audit_kinds):
    acme.create()
    assert audit_kinds()[-2:] == ["client_created", "credential_sealed"]


def start(home, *more):
    arguments = ("client", "create", "--home", home, "--partner", "Acme", "--scope", "a:read")
    command = [sys.executable, "-c", RUN, *arguments, "--resource", "https://api.example", *more]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_create_the_same_client_make_one(program, acme, tmp_path):
    both = [start(acme.home, "--name", "race", "--out", tmp_path / f"{n}.asc") for n in range(2)]
    said = [one.communicate() for one in both]
    assert sorted(one.returncode for one in both) == [0, 2], said
    assert len(list(tmp_path.glob("[01].asc"))) == 1, "the loser's message is taken back"
    assert len(program.run("client", "list", "--home", acme.home, "--json").json["clients"]) == 1


def test_two_processes_that_choose_the_same_file_make_one_client(program, acme, tmp_path, unseal):
    both = [start(acme.home, "--name", f"race{n}", "--out", tmp_path / "same.asc") for n in range(2)]
    said = [one.communicate() for one in both]
    assert sorted(one.returncode for one in both) == [0, 2], said
    (made,) = program.run("client", "list", "--home", acme.home, "--json").json["clients"]
    assert unseal(tmp_path / "same.asc").client_id == made["client_id"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_kill_at_any_moment_leaves_no_live_credential_without_its_message(program, acme, tmp_path, unseal, view):
    """Killed between file and commit there may be a message that opens nothing: useless, and never the reverse."""
    killed = 0
    for moment in range(8):
        out = tmp_path / f"kill{moment}.asc"
        other = start(acme.home, "--name", f"kill{moment}", "--out", out)
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.wait(0.3 + 0.1 * moment)
        other.send_signal(signal.SIGKILL)
        other.communicate()
        killed += other.returncode != 0
        listed = program.run("client", "list", "--home", acme.home, "--json").json["clients"]
        made = [one for one in listed if one["name"] == f"kill{moment}"]
        if made:
            information = unseal(out)
            found, peppers = view(made[0]["client_id"])
            assert matches(information.client_secret, found.credentials[0].secret_hash, peppers)
    assert killed, "no kill came early enough to mean anything"
    assert "whole" in program.run("audit", "verify", "--home", acme.home).out


@pytest.mark.parametrize("commit", [1, 2])
def test_ctrl_c_at_a_commit_leaves_the_message_exactly_when_its_credential_counts(
    program, acme, tmp_path, monkeypatch, commit
):
    """The first commit of the command is that of opening the home, the second makes the client."""
    real, commits = sa.Connection.commit, []

    def committed(connection):
        real(connection)
        commits.append(connection)
        if len(commits) == commit:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sa.Connection, "commit", committed)
    message = tmp_path / "message.asc"
    # Said anew: a shell that runs the tests in its background has them ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stopped = acme.create("--out", message, code=1)
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert stopped["error"] == "aborted"
    assert "nothing" not in stopped["message"], "it cannot know"
    made = program.run("client", "list", "--home", acme.home, "--json").json["clients"]
    assert message.exists() is bool(made) is (commit == 2)


def test_a_commit_that_fails_takes_the_message_back(program, acme, tmp_path, monkeypatch):
    from keyfob.server.storage.change import Change

    def broken(self):
        raise OSError("no room")

    monkeypatch.setattr(Change, "finish", broken)
    with pytest.raises(OSError, match="no room"):
        program.run(
            *("client", "create", "--home", acme.home, "--partner", "Acme", "--name", "x", "--scope", "a:read"),
            *("--resource", "https://api.example", "--out", tmp_path / "x.asc"),
        )
    assert not (tmp_path / "x.asc").exists()
    monkeypatch.undo()


def test_every_method_is_in_the_help(program):
    out = program.run("client", "create", "--help").out
    for method in Method:
        assert method.value in out

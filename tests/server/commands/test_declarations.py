"""`apply` and `export`: a declared state is reached once, in place, and every mistake in it is told before anything."""

import contextlib
import hashlib
import json
import signal
import subprocess
import sys
import time

import pytest

from keyfob.ambient import system_entropy
from keyfob.server import installation
from keyfob.server.lifecycle import declaration, declaration_form

RUN = "from keyfob.server.cli import main; main()"
API = "https://api.example"


@pytest.fixture
def declared(program, home, tmp_path, partner_key, other_key, resource_file):
    """A folder with two certificates; `.apply(tree)` writes the file and applies it, `.tree(...)` a state."""
    program.run("resource", "add", resource_file(), "--home", home)

    class Declared:
        folder = tmp_path / "declared"
        out = tmp_path / "sealed"
        file = folder / "partners.toml"

        def client(self, name="sync", **more):
            return {"name": name, "scope": ["a:read"], "resources": [API], **more}

        def partner(self, *clients, name="Acme", key=partner_key, **more):
            found = key[1]
            (self.folder / f"{found.fingerprint}.asc").write_bytes(found.armored)
            tree = {"name": name, "email": "data@acme.example", "certificate": f"{found.fingerprint}.asc"}
            return tree | {"fingerprint": found.fingerprint, "client": list(clients)} | more

        def write(self, *partners):
            self.file.write_bytes(declaration_form.write({"version": 1, "partner": partners}))

        def apply(self, *partners, options=("--yes",), code=0):
            if partners:
                self.write(*partners)
            return program.run(
                "apply", self.file, "--home", home, "--out", self.out, *options, "--json", code=code
            ).json

        def show(self, name="sync"):
            found = program.run("client", "list", "--home", home, "--json").json["clients"]
            (client_id,) = [one["client_id"] for one in found if one["name"] == name]
            return program.run("client", "show", client_id, "--home", home, "--json").json

        def codes(self, *partners):
            document = self.apply(*partners, code=2)
            return [one["code"] for one in document.get("problems", [{"code": document["error"]}])]

    made = Declared()
    made.other = other_key
    made.folder.mkdir()
    made.out.mkdir()
    return made


def contents(home):
    """Everything that was ever written to the store: the audit's head, and on SQLite each byte."""
    found = installation.open(home, environ={}, entropy=system_entropy)
    try:
        head = str(found.store.audit_head()), found.store.revision()
    finally:
        found.close()
    file = home / "keyfob.db"
    return head, hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def test_a_declared_state_is_reached_and_a_second_run_changes_no_byte(declared, home):
    tree = declared.partner(declared.client(), declared.client("push", studies=["S.1:001"]))
    first = declared.apply(tree)
    assert [one["act"] for one in first["steps"]] == ["add partner", "create client", "create client"]
    assert sorted(one.name for one in declared.out.iterdir()) == sorted(
        f"{one['client_id']}.asc" for one in first["steps"][1:]
    )
    before = contents(home)
    assert declared.apply()["outcome"] == "nothing"
    assert contents(home) == before


def test_what_is_declared_otherwise_changes_in_place(declared):
    declared.apply(declared.partner(declared.client(scope=["a:read", "b:read"], studies=["S.1"])))
    before = declared.show()
    different = declared.client(token_lifetime=60, networks=["192.0.2.0/24"], default_scope=["a:read"])
    done = declared.apply(declared.partner(different, email="new@acme.example"))
    assert [one["act"] for one in done["steps"]] == ["change partner", "change client"]
    after = declared.show()
    assert (after["client_id"], after["credentials"]) == (before["client_id"], before["credentials"])
    assert after["grants"] == [{"resource": API, "scope": "a:read", "default_scope": "a:read"}]
    assert (after["token_lifetime"], after["networks"], after["authorization_details"]) == (60, ["192.0.2.0/24"], [])
    assert declared.apply()["outcome"] == "nothing"


def test_a_dry_run_shows_the_plan_and_writes_nothing(declared, home, program):
    declared.write(declared.partner(declared.client()))
    before = contents(home)
    assert declared.apply(options=("--dry-run",))["outcome"] == "planned"
    text = program.run("apply", declared.file, "--home", home, "--dry-run").out
    assert "+ add partner Acme" in text
    assert "+ create client Acme / sync" in text
    assert contents(home) == before
    assert list(declared.out.iterdir()) == []


def test_without_a_terminal_it_does_nothing_unless_told_yes(declared, home):
    declared.write(declared.partner())
    before = contents(home)
    assert declared.apply(options=(), code=2)["error"] == "not-confirmed"
    assert contents(home) == before


def test_a_state_is_declared_and_what_is_not_declared_is_left_alone_unless_said(declared):
    both = (declared.client(), declared.client("push"))
    declared.apply(declared.partner(*both))
    declared.apply(declared.partner(declared.client(state="suspended"), both[1]))
    assert declared.show()["state"] == "suspended"
    resumed = declared.apply(declared.partner(declared.client()))
    assert resumed["undeclared"] == [{"partner": "Acme", "client": "push"}]
    assert (declared.show()["state"], declared.show("push")["state"]) == ("active", "active")
    declared.apply(options=("--yes", "--suspend-undeclared"))
    assert (declared.show()["state"], declared.show("push")["state"]) == ("active", "suspended")


def test_a_new_key_of_a_partner_is_taken_by_the_fingerprint_that_the_file_declares(declared, program, home):
    declared.apply(declared.partner())
    done = declared.apply(declared.partner(key=declared.other))
    assert [one["act"] for one in done["steps"]] == ["change partner"]
    shown = program.run("partner", "show", "Acme", "--home", home, "--json").json
    assert shown["fingerprint"] == declared.other[1].fingerprint


def test_every_mistake_is_told_at_once_with_its_place_and_nothing_is_done(declared, home):
    before = contents(home)
    tree = declared.partner(
        declared.client(scope=["c:read"]),
        declared.client("push", token_lifetime=901),
        declared.client("pull", resources=["https://other.example"]),
        fingerprint="0" * 40,
    )
    document = declared.apply(tree, declared.partner(name="Second", key=declared.other, email="none"), code=2)
    places = {(one["where"].removeprefix(f"{declared.file}: "), one["code"]) for one in document["problems"]}
    assert places == {
        ("partner 'Acme'", "fingerprint-mismatch"),
        ("partner 'Acme' client 'sync'", "unknown-scope"),
        ("partner 'Acme' client 'push'", "bad-declaration"),
        ("partner 'Acme' client 'pull'", "unknown-resource"),
        ("partner 'Second'", "bad-email"),
    }
    assert contents(home) == before


def test_names_that_come_twice_and_keys_that_are_unknown_are_refused(declared):
    assert declared.codes(declared.partner(declared.client(), declared.client())) == ["declared-twice"]
    assert "declared-twice" in declared.codes(declared.partner(), declared.partner(key=declared.other))
    assert declared.codes(declared.partner(), declared.partner(name="Second")) == ["certificate-known"]
    declared.write(declared.partner())
    with declared.file.open("a") as file:
        file.write('client_secret = "hunter2-hunter2"\n')
    document = declared.apply(code=2)
    assert "'client_secret' is unknown" in document["message"]
    assert "hunter2" not in str(document)


def test_a_private_key_in_the_place_of_a_certificate_is_refused_and_not_shown(declared, partner_key):
    tree = declared.partner()
    (declared.folder / tree["certificate"]).write_bytes(partner_key[0].reveal_bytes())
    document = declared.apply(tree, code=2)
    assert "private" in document["message"]
    assert "BEGIN PGP" not in str(document)


@pytest.mark.parametrize(
    "content", ["[[partner]]\n".encode("utf-16"), b"[[partner]", b"a = " + b"[" * 5000], ids=["utf16", "cut", "deep"]
)
def test_what_is_no_toml_is_refused(declared, content):
    declared.file.write_bytes(content)
    assert declared.apply(code=2)["error"] == "bad-declaration"


def test_a_file_of_100_megabytes_is_not_read(declared):
    with declared.file.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert declared.apply(code=2)["error"] == "file-too-large"


def test_what_a_client_cannot_change_or_this_server_cannot_do_is_refused(declared):
    by_certificate = declared.client(auth_method="tls_client_auth", tls_client_auth_san_dns="a.example")
    assert declared.codes(declared.partner(by_certificate)) == ["certificates-off"]
    declared.apply(declared.partner(declared.client()))
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    (declared.folder / "keys.json").write_text(json.dumps(jwks))
    signing = declared.client(auth_method="private_key_jwt", jwks="keys.json")
    assert declared.codes(declared.partner(signing)) == ["client-fixed"]


def test_a_certificate_that_has_run_out_stops_only_what_needs_it(declared, program):
    declared.apply(declared.partner(declared.client()))
    program.now += 40 * 24 * 3600
    assert declared.apply()["outcome"] == "nothing"
    declared.apply(declared.partner(declared.client(token_lifetime=60)))
    assert declared.show()["token_lifetime"] == 60
    new = declared.partner(declared.client(token_lifetime=60), declared.client("push"))
    assert declared.codes(new) == ["certificate-unusable"]


def test_what_was_exported_is_reached_already_and_makes_the_same_elsewhere(declared, program, home, tmp_path):
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    (declared.folder / "keys.json").write_text(json.dumps(jwks))
    declared.apply(
        declared.partner(
            declared.client(scope=["a:read", "b:read"], default_scope=["b:read"], studies=["S.1:001,002", "S.2"]),
            declared.client('quo"ted \\ \u00e9', all_studies=True, networks=["2001:db8::/32"], state="suspended"),
            declared.client("signs", auth_method="private_key_jwt", jwks="keys.json", dpop=True, profile="fapi2"),
        ),
        declared.partner(name="Second", key=declared.other, state="suspended"),
    )
    exported = tmp_path / "exported"
    program.run("export", exported, "--home", home)
    file = exported / "partners.toml"
    assert "kfs_" not in "".join(one.read_text() for one in exported.rglob("*") if one.is_file())
    before = contents(home)
    assert program.run("apply", file, "--home", home, "--json").json["outcome"] == "nothing"
    assert contents(home) == before
    program.run("export", exported, "--home", home, "--json", code=2)
    again = tmp_path / "again"
    program.run("export", again, "--home", home)
    assert (again / "partners.toml").read_bytes() == file.read_bytes()


def test_a_run_that_was_killed_is_finished_by_the_next(declared, home, program):
    names = [f"c{number}" for number in range(12)]
    declared.write(declared.partner(*(declared.client(name) for name in names)))
    arguments = ["apply", str(declared.file), "--home", str(home), "--out", str(declared.out), "--yes"]
    running = subprocess.Popen([sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while len(list(declared.out.iterdir())) < 4 and running.poll() is None:
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):
        running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    made = program.run("client", "list", "--home", home, "--json").json["clients"]
    assert 0 < len(made) < 12
    # No credential counts whose message nobody has.
    assert all((declared.out / f"{one['client_id']}.asc").exists() for one in made)
    done = declared.apply()
    assert len(done["steps"]) == 12 - len(made)
    assert sorted(
        one["name"] for one in program.run("client", "list", "--home", home, "--json").json["clients"]
    ) == sorted(names)
    assert declared.apply()["outcome"] == "nothing"


def test_the_schema_knows_each_member_that_the_reader_knows():
    found = declaration_form.schema()["properties"]["partner"]["items"]
    assert set(found["properties"]) == {one.name for one in declaration.PARTNER}
    assert set(found["properties"]["client"]["items"]["properties"]) == {one.name for one in declaration.CLIENT}

"""`--dry-run`: an act is seen beforehand, all that it checks is checked, and nothing is left of it."""

from server.commands.conftest import API, ISSUER


def left(program, home, tmp_path):
    """All that a command could have left behind."""
    books = program.run("audit", "tail", "--home", home, "--count", "1000", "--json").json
    files = {
        str(one.relative_to(tmp_path)): one.read_bytes()
        for one in tmp_path.rglob("*")
        if one.is_file() and not one.name.startswith("keyfob.db")
    }
    return books, files


def test_an_act_that_is_rehearsed_says_what_it_would_record_and_leaves_nothing_behind(program, acme, tmp_path):
    client = acme.create()["client_id"]
    acts = {
        (
            "client",
            "create",
            "--partner",
            "Acme",
            "--name",
            "n",
            "--scope",
            "a:read",
            "--resource",
            API,
        ): "client_created",
        ("client", "rotate", client): "credential_sealed",
        ("client", "suspend", client): "client_suspended",
        ("client", "allow", client, "--network", "192.0.2.0/24"): "client_networks_changed",
        ("partner", "suspend", "Acme"): "partner_suspended",
        ("key", "rotate"): "signing_key_created",
        ("operator", "add", "mona", "--role", "auditor"): "operator_added",
        ("registration", "allow", "--partner", "Acme", "--scope", "a:read", "--resource", API): "registration_allowed",
        ("move-store", "--to", f"sqlite:///{tmp_path / 'other.db'}"): "store_moved",
    }
    before = left(program, acme.home, tmp_path)
    for act, kind in acts.items():
        shown = program.run(*act, "--home", acme.home, "--dry-run", "--reason", "to see", "--json").json
        assert shown["dry_run"] is True
        assert kind in [one["kind"] for one in shown["would_record"]], act
        assert {one.get("reason") for one in shown["would_record"]} == {"to see"}, act
        assert left(program, acme.home, tmp_path) == before, act
    text = program.run("client", "suspend", client, "--home", acme.home, "--dry-run").out
    assert text.startswith("nothing was changed; the audit would say:\n  client_suspended ")
    refused = program.run("client", "resume", client, "--home", acme.home, "--dry-run", "--json", code=1)
    assert refused.json["error"] != "usage"


def test_what_has_words_of_its_own_leaves_nothing_behind_either(program, home, tmp_path):
    before = left(program, home, tmp_path)
    copied = program.run("backup", tmp_path / "copy", "--home", home, "--dry-run", "--json").json
    assert "operator.asc" in copied["files"] and "keys/kek" not in copied["files"]
    secret = program.run("alarm", "secret", "--out", tmp_path / "s", "--home", home, "--dry-run", "--json").json
    assert secret == {"dry_run": True, "replaces": False}
    rewrapped = program.run("key", "rewrap", "--kek", "file", "--home", home, "--dry-run", "--json").json
    assert (rewrapped["from"], rewrapped["to"]) == ("file", "file") and rewrapped["envelopes"] > 3
    assert left(program, home, tmp_path) == before


def test_a_home_that_is_rehearsed_is_not_made(program, tmp_path):
    shown = program.run("init", "--home", tmp_path / "new", "--issuer", ISSUER, "--dry-run", "--json").json
    assert "installation_created" in [one["kind"] for one in shown["would_record"]]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_asked_rehearses_nothing(program, home):
    command = ("client", "suspend", "cl_x", "--server", ISSUER, "--dry-run", "--json")
    assert program.run(*command, code=2).json["error"] == "dry-run-far"

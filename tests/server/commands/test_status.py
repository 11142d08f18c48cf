"""`status`: silent when all is well; else what, where, and the command that mends it."""

import contextlib
import sqlite3

import pytest

from keyfob.ambient import system_entropy
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.server import installation
from keyfob.server.storage.records import TokenIssued

DAY = 24 * 60 * 60


@pytest.fixture
def status(program, acme):
    def run(*, code=0):
        return program.run("status", "--home", acme.home, "--json", code=code).json

    return run


@pytest.fixture
def use(program, acme):
    """A token is recorded for a credential, as the server does it."""

    def run(client_id, credential_id):
        grant = TokenIssued(
            jti=system_entropy(8).hex(),
            client_id=client_id,
            credential_id=credential_id,
            resource="https://api.example",
            scope=frozenset({"a:read"}),
            authorization_details=(CdmsStudy("S.1"),),
            kid="k",
            expires_at=program.now + 300,
            address="192.0.2.7",
            request_id="r",
        )
        opened = installation.open(acme.home, environ={}, entropy=system_entropy)
        with contextlib.closing(opened):
            opened.store.record_grants([grant], program.now)

    return run


def test_when_all_is_well_it_says_so_in_one_screen_without_colours_in_a_pipe(program, acme, status):
    acme.create()
    assert status()["needs_attention"] is False
    shown = program.run("status", "--home", acme.home).out
    assert "all is well" in shown and "\x1b" not in shown
    assert len(shown.splitlines()) < 24
    assert shown.count("ok  ") == 8


def test_on_a_terminal_it_has_colours(program, acme, monkeypatch):
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    assert "\x1b[32mall is well" in program.run("status", "--home", acme.home).out


def test_a_message_that_nobody_opened_for_a_day_is_named_with_its_client(program, acme, status, use):
    made = acme.create()
    program.now += DAY - 1
    status()
    program.now += 1
    found = status(code=1)
    assert [one["client_id"] for one in found["unopened_messages"]] == [made["client_id"]]
    shown = program.run("status", "--home", acme.home, code=1).out
    assert made["client_id"] in shown and "Acme" in shown and "keyfob-server client rotate" in shown
    use(made["client_id"], made["credential_id"])
    assert status()["unopened_messages"] == []


def test_what_ends_soon_is_named(program, acme, status, use):
    made = acme.create()
    use(made["client_id"], made["credential_id"])
    program.now += 21 * DAY + 60
    (ending,) = status(code=1)["expiring_certificates"]
    assert ending["partner"] == "Acme"
    program.now += (365 - 30 - 21) * DAY
    found = status(code=1)
    assert [one["credential_id"] for one in found["expiring_credentials"]] == [made["credential_id"]]
    assert "in 29 d" in program.run("status", "--home", acme.home, code=1).out


def test_an_old_secret_is_named_only_when_it_was_used_after_the_new_one(program, acme, status, use):
    made = acme.create()
    client_id = made["client_id"]
    use(client_id, made["credential_id"])
    program.now += 60
    new = program.run("client", "rotate", client_id, "--home", acme.home, "--json").json
    use(client_id, new["credential_id"])
    assert status()["old_secrets_in_use"] == []
    program.now += 60
    use(client_id, made["credential_id"])
    (old,) = status(code=1)["old_secrets_in_use"]
    assert (old["credential_id"], old["last_used_from"]) == (made["credential_id"], "192.0.2.7")
    program.run("client", "rotate", "--finish", client_id, "--home", acme.home)
    assert status()["old_secrets_in_use"] == []


def test_a_suspended_client_needs_nothing(program, acme, status):
    made = acme.create()
    program.now += 2 * DAY
    status(code=1)
    program.run("client", "suspend", made["client_id"], "--home", acme.home)
    status()


def test_a_signing_key_and_a_tls_certificate_that_are_due_are_named(program, acme, status):
    program.now += 31 * DAY
    assert any("signing key" in one for one in status(code=1)["keys_due"])
    program.now += 3000 * DAY
    assert any("has expired" in one for one in status(code=1)["keys_due"])


@pytest.mark.on("sqlite")
def test_an_altered_record_of_the_audit_is_named(program, acme, status):
    with contextlib.closing(sqlite3.connect(acme.home / "keyfob.db")) as connection:
        connection.execute("UPDATE audit_record SET at = at + 1 WHERE sequence = 2")
        connection.commit()
    found = status(code=1)
    assert found["audit"]["whole"] is False
    assert "breaks the chain" in found["audit"]["findings"][0]

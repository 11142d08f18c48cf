"""`client change`: what a client may do is changed in place, recorded as it was and as it is."""

import json

import pytest

from keyfob.ambient import system_entropy
from keyfob.server import installation


@pytest.fixture
def client(program, acme):
    made = acme.create("--default-scope", "a:read", "--study", "S.1", scope="a:read b:read")

    class Made:
        id = made["client_id"]

        def change(self, *options, code=0):
            return program.run("client", "change", self.id, "--home", acme.home, *options, "--json", code=code).json

        def show(self):
            return program.run("client", "show", self.id, "--home", acme.home, "--json").json

        def records(self):
            shown = program.run("audit", "tail", "--home", acme.home, "--count", "100", "--json").json
            return [one for one in shown["records"] if one["kind"] == "client_changed"]

    return Made()


def test_what_is_named_changes_and_all_else_stays(client):
    before = client.show()
    client.change("--scope", "a:read", "--token-lifetime", "60")
    after = client.show()
    assert after["grants"] == [{"resource": "https://api.example", "scope": "a:read", "default_scope": "a:read"}]
    assert after["token_lifetime"] == 60
    untouched = ("client_id", "name", "authorization_details", "networks", "credentials", "auth_method", "state")
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_the_record_says_what_was_and_what_is(client):
    client.change("--no-studies", "--no-default-scope", "--reason", "the study is closed")
    (record,) = client.records()
    assert json.loads(record["authorization_details_before"]) == [{"type": "cdms_study", "identifier": "S.1"}]
    assert json.loads(record["authorization_details"]) == []
    assert record["grants_before"] == ["https://api.example a:read b:read (default: a:read)"]
    assert record["grants"] == ["https://api.example a:read b:read"]
    assert record["reason"] == "the study is closed"
    assert "token_lifetime" not in record


def test_what_is_so_already_is_not_recorded(client):
    assert client.change("--scope", "b:read a:read", "--token-lifetime", "300")["changed"] == {}
    assert client.records() == []


def test_a_dry_run_shows_and_changes_nothing(client):
    before = client.show()
    assert set(client.change("--scope", "a:read", "--dry-run")["changed"]) == {"grants"}
    assert client.show() == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "nothing-asked"),
        (("--scope", "c:read"), "unknown-scope"),
        (("--scope", "b:read"), "bad-default-scope"),
        (("--resource", "https://other.example"), "unknown-resource"),
        (("--no-studies", "--all-studies"), "studies-twice"),
        (("--default-scope", "a:read", "--no-default-scope"), "default-twice"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(client, options, code):
    before = client.show()
    assert client.change(*options, code=2)["error"] == code
    assert client.show() == before


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        (("--scope", "a:read"), True),
        (("--no-studies",), True),
        (("--study", "S.2"), True),
        (("--token-lifetime", "60"), False),
        (("--no-default-scope",), False),
    ],
)
def test_tokens_from_before_end_when_they_may_hold_what_is_gone(client, acme, options, ends):
    client.change(*options)
    opened = installation.open(acme.home, environ={}, entropy=system_entropy)
    try:
        assert [one.client_id for one in opened.store.revocations()] == ([client.id] if ends else [])
    finally:
        opened.close()

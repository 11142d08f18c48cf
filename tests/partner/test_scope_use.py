"""`keyfob status --scopes`: what is granted and used, asked of a real issuer with the vault's credential."""

import base64
import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth.wire import Response
from keyfob.partner import opening, scope_use
from keyfob.partner.cli import cli
from keyfob.partner.scope_use import Verdict
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse, Problem

TOLD = [
    {"resource": "https://a", "scope": "studies:read\x1b[31m", "verdict": "used", "why": None, "last_used_at": 86400},
    {"resource": "https://a", "scope": "b", "verdict": "of a later version", "why": "x", "last_used_at": 1e99},
]


@pytest.fixture
def asked(handoff, service, monkeypatch):
    """The headers of each question; the vault is there, kept under a key file."""
    handoff.receive(handoff.message())
    found = []

    def answer(_method, headers, _body):
        found.append(headers["authorization"])
        return service.say(200, {"client_id": "cl_1", "unused_for": 7776000, "scopes": TOLD})

    service.handle["/partner/v1/scopes"] = answer
    monkeypatch.setenv("KEYFOB_VAULT", str(handoff.vault))
    monkeypatch.setenv("KEYFOB_CA_FILE", str(service.ca))
    return found


def test_it_is_asked_with_the_credential_and_only_where_that_is_wished(asked, handoff, service):
    def status(*arguments):
        return CliRunner().invoke(cli, ["status", *arguments], catch_exceptions=False).stdout

    assert "scopes" not in json.loads(status("--json"))["clients"][0]
    assert asked == []
    first, second = json.loads(status("--scopes", "--json"))["clients"][0]["scopes"]
    assert (first["verdict"], first["last_used_at"], "\x1b" in first["scope"]) == ("used", 86400, False)
    assert (second["verdict"], second["last_used_at"]) == ("unknown", None)
    assert "unknown  b at https://a: x" in status("--scopes")
    service.handle["/partner/v1/scopes"] = lambda *_: service.say(404, {})
    assert "unknown  what was used: this issuer does not tell" in status("--scopes")
    pair = f"{handoff.info.client_id}:{handoff.info.client_secret.reveal()}".encode()
    assert set(asked) == {"Basic " + base64.b64encode(pair).decode()}


def test_where_nobody_may_be_asked_for_a_passphrase_nobody_is(asked, handoff, monkeypatch, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("a passphrase")
    monkeypatch.setenv("KEYFOB_PASSPHRASE_FILE", str(passphrase))
    handoff.receive(handoff.message(), keeping=opening.Keeping.PASSPHRASE)
    monkeypatch.delenv("KEYFOB_PASSPHRASE_FILE")
    monkeypatch.setattr(opening, "attended", lambda: True)
    monkeypatch.setattr(opening, "ask_secret", lambda prompt: pytest.fail(prompt))
    with pytest.raises(Misuse, match="nobody is there"):
        opening.granted_scopes(Vault.open(handoff.vault), "cl_1", ask=False, ca=None)
    assert asked == []


@given(st.one_of(st.binary(), st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps)))
def test_no_answer_is_beyond_reading(body):
    body = body if isinstance(body, bytes) else f'{{"scopes": [{body}, {{"verdict": {body}}}]}}'.encode()
    try:
        found = scope_use.read_response(Response(200, (), body))
    except Problem:
        return
    assert all(one.verdict in Verdict for one in found)

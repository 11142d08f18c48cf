"""keyfob.partner.leak_reporting: what is presented, where, and what is never sent elsewhere."""

import json

import pytest

from keyfob import client_secret
from keyfob.oauth import server_metadata
from keyfob.oauth.server_metadata import ServerMetadata
from keyfob.oauth.wire import Response
from keyfob.partner import leak_reporting
from keyfob.partner.cli import cli
from keyfob.partner.errors import Unreachable, UnsafeCall
from keyfob.problem import Misuse, Problem

ISSUER = "https://id.example"
SECRETS = [client_secret.make("credential", bytes([number]) * 32) for number in range(120)]


class Wire:
    """Answers in order, and what was sent."""

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def send(self, request):
        self.sent.append(request)
        return self.answers.pop(0)


def described(**changes):
    members = {"token_endpoint": f"{ISSUER}/token", "jwks_uri": f"{ISSUER}/jwks"}
    document = ServerMetadata(issuer=ISSUER, **members, **({"keyfob_leaks_endpoint": f"{ISSUER}/leaks"} | changes))
    return Response(200, (), server_metadata.write(document))


TAKEN = Response(202, (), b'{"status":"received"}')


def test_of_a_longer_text_every_secret_is_presented_once():
    one, two = SECRETS[:2]
    text = f"a={one.reveal()}&b={two.reveal()}\n{one.reveal()} {one.reveal()[:-1]}-"
    assert [found.reveal() for found in leak_reporting.secrets_in(text)] == [one.reveal(), two.reveal()]
    assert [found.reveal() for found in leak_reporting.secrets_in("  eyJ.x.y\n")] == ["eyJ.x.y"]
    for nothing in ("", " \n", "no secret " * 1000):
        with pytest.raises(Misuse):
            leak_reporting.secrets_in(nothing)


def test_what_is_presented_goes_to_the_issuers_own_place_and_shows_itself_nowhere():
    wire = Wire(described(), TAKEN, TAKEN, TAKEN)
    found = leak_reporting.report(ISSUER, SECRETS, where="https://git.example/x", transport=wire)
    assert found == f"{ISSUER}/leaks"
    asked, *sent = wire.sent
    assert (asked.method, asked.url) == ("GET", f"{ISSUER}/.well-known/oauth-authorization-server")
    assert {(one.method, one.url) for one in sent} == {("POST", f"{ISSUER}/leaks")}
    documents = [entry for one in sent for entry in json.loads(one.body.reveal())]
    assert [entry["secret"] for entry in documents] == [one.reveal() for one in SECRETS]
    assert {entry["url"] for entry in documents} == {"https://git.example/x"}
    assert [len(json.loads(one.body.reveal())) for one in sent] == [50, 50, 20]
    assert "kfs_" not in repr(sent)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/leaks", "https://id.example:444/leaks", ""])
def test_no_secret_is_sent_to_another_host_than_the_issuers(elsewhere):
    wire = Wire(described(keyfob_leaks_endpoint=elsewhere))
    with pytest.raises(Unreachable) as refused:
        leak_reporting.report(ISSUER, SECRETS[:1], where=None, transport=wire)
    assert refused.value.code == "no-leaks-endpoint"
    assert len(wire.sent) == 1


@pytest.mark.parametrize("answer", [Response(404, (), b""), Response(200, (), b"{}"), Response(200, (), b"<html>")])
def test_who_does_not_describe_itself_gets_no_secret(answer):
    """RFC 8414 §3.3."""
    wire = Wire(answer)
    with pytest.raises(Unreachable):
        leak_reporting.report(ISSUER, SECRETS[:1], where=None, transport=wire)
    assert len(wire.sent) == 1


def test_only_https_is_spoken():
    with pytest.raises(UnsafeCall):
        leak_reporting.ask_endpoint("http://id.example")


def test_what_is_not_taken_is_said():
    with pytest.raises(Problem, match="ended nothing") as late:
        leak_reporting.read_response(Response(429, ((b"retry-after", b"7"),), b""))
    assert "7 s" in late.value.hint
    for status in (200, 302, 400, 503):
        with pytest.raises(Unreachable):
            leak_reporting.read_response(Response(status, (), b""))


def test_a_secret_on_the_command_line_is_refused_and_not_repeated():
    with pytest.raises(Misuse) as refused:
        cli.main(["report-leak", SECRETS[0].reveal(), "--issuer", ISSUER], standalone_mode=False)
    assert refused.value.code == "secret-on-command-line"
    assert "kfs_" not in refused.value.message + str(refused.value.hint)


def test_without_an_issuer_or_a_vault_nothing_is_sent(tmp_path):
    (tmp_path / "secret").write_text(SECRETS[0].reveal())
    arguments = ["report-leak", str(tmp_path / "secret"), "--vault", str(tmp_path / "none")]
    with pytest.raises(Misuse) as refused:
        cli.main(arguments, standalone_mode=False)
    assert refused.value.code == "which-issuer"

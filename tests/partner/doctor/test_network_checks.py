"""What the network does to us, at a real issuer and API over HTTPS; nothing of ours is sent."""

from dataclasses import replace

import pytest

from keyfob.partner.doctor.check import Status
from keyfob.partner.doctor.network import NO_TOKEN, Network
from keyfob.partner.doctor.scene import DAY
from keyfob.problem import Misuse

CHECKS = ("tls", "redirects", "clock", "proxies")


@pytest.fixture(autouse=True)
def receipt(store, service):
    store()

    def with_id(*_):
        return service.say(404, {}, {"keyfob-request-id": "r1"})

    service.handle["/"] = with_id
    # RFC 6749 §3.2: a token is asked for by POST.
    granting = service.handle["/oauth2/token"]
    refusing = service.say(405, {}, {"allow": "POST"})
    service.handle["/oauth2/token"] = lambda method, *given: granting(method, *given) if method == "POST" else refusing


def test_all_is_well(look, service):
    for name in CHECKS:
        assert look(name, online=True).status is Status.PASS, look(name, online=True)
    assert service.asked == []
    assert set(service.calls) == {f"Bearer {NO_TOKEN}"}


@pytest.mark.parametrize("name", CHECKS)
def test_offline_nothing_is_sent_and_that_is_said(name, look, service):
    assert look(name).status is Status.UNKNOWN
    assert service.calls == []


def test_a_chain_that_is_not_verified_fails(look, scene, make_tls, tmp_path):
    other = make_tls(tmp_path / "other")
    network = Network(other.client_context(), lambda: 0)
    outcome = look("tls", network=network)
    assert outcome.status is Status.FAIL
    assert "is not trusted" in outcome.said


def test_a_certificate_that_ends_soon_is_told(look, scene):
    ends_at = scene(online=True).network.get(scene().issuers()[0]).certificate_ends_at
    assert look("tls", online=True, now=ends_at - 14 * DAY).status is Status.PASS
    assert look("tls", online=True, now=ends_at - 14 * DAY + 1).status is Status.WARN


def test_an_older_version_of_tls_is_told(look, scene, service):
    online = scene(online=True)
    online.network._context.maximum_version = online.network._context.minimum_version
    outcome = look("tls", network=online.network)
    assert outcome.status is Status.WARN
    assert "TLSv1.2" in outcome.said


@pytest.mark.parametrize("path", ["/oauth2/token", "/api"])
def test_a_redirect_fails_and_is_not_followed(path, look, service):
    there = "https://elsewhere.example/x?y=z"
    service.handle[path] = lambda *_: service.say(307, {}, {"location": there})
    outcome = look("redirects", online=True)
    assert outcome.status is Status.FAIL
    assert "redirects to https://elsewhere.example/x:" in outcome.said


@pytest.mark.parametrize(
    ("ahead", "status"),
    [(0, Status.PASS), (3, Status.PASS), (-3, Status.PASS), (12, Status.WARN), (-12, Status.WARN), (60, Status.FAIL),
     (-60, Status.FAIL)],
)  # fmt: skip
def test_the_clock_is_held_against_the_servers(ahead, status, look):
    outcome = look("clock", online=True, ahead=ahead)
    assert outcome.status is status
    if ahead:
        assert ("ahead of" in outcome.said) is (ahead > 5)


def test_an_authorization_header_that_does_not_arrive_fails(look, service):
    """RFC 6750 §3.1: without a token, the challenge holds no error code."""
    service.handle["/api/v1/studies"] = lambda *_: service.say(401, {}, {"www-authenticate": "Bearer"})
    outcome = look("proxies", online=True)
    assert outcome.status is Status.FAIL
    assert "Authorization header does not reach" in outcome.said


def test_an_answer_that_has_lost_its_headers_is_told(look, service):
    service.handle["/"] = lambda *_: service.say(404, {})
    assert look("proxies", online=True).status is Status.WARN


def test_an_api_that_describes_nothing_is_not_known(look, service):
    del service.handle["/api/openapi.json"]
    outcome = look("proxies", online=True)
    assert outcome.status is Status.UNKNOWN
    assert "describes no call" in outcome.said


def test_the_proxy_is_named_by_its_host_alone(look, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@127.0.0.1:9")
    outcome = look("proxies", online=True)
    assert outcome.status is Status.UNKNOWN, "it is not there"
    assert "password" not in repr(outcome)


def test_a_server_that_is_not_there_fails_once_and_is_asked_once(look, scene, service):
    online = scene(online=True)
    gone = replace(
        online.entries()[0], issuer="https://localhost:1", resource=(), token_endpoint="https://localhost:1/t"
    )
    vault = type("Gone", (), {"clients": lambda _: ("c",), "entries": lambda *_: (gone,)})()
    outcomes = {name: look(name, online=True, vault=vault).status for name in CHECKS}
    assert outcomes == {"tls": Status.FAIL, **dict.fromkeys(CHECKS[1:], Status.UNKNOWN)}


def held(service, *verdicts, status=200):
    """What the issuer says of the client's scopes, a verdict and a date each."""
    scopes = [
        {"resource": f"{service.url}/api", "scope": f"s{number}", "verdict": verdict, "why": why, "last_used_at": last}
        for number, (verdict, why, last) in enumerate(verdicts)
    ]
    service.handle["/partner/v1/scopes"] = lambda *_: service.say(status, {"client_id": "cl_1", "scopes": scopes})


@pytest.mark.parametrize(
    ("verdicts", "status", "said"),
    [
        ([("used", None, 86400)], Status.PASS, "each of its 1 scopes"),
        (
            [("used", None, 86400), ("unknown", "this API has never told of its use", None)],
            Status.UNKNOWN,
            "never told",
        ),
        ([("used", None, 86400), ("unused", None, 86400), ("unused", None, None)], Status.WARN, "not used 2 of its 3"),
    ],
)
def test_what_is_granted_and_not_used_the_issuer_tells(look, service, verdicts, status, said):
    held(service, *verdicts)
    outcome = look("scopes", online=True)
    assert (outcome.status, said in outcome.said) == (status, True), outcome
    if status is Status.WARN:
        host = service.url + "/api"
        assert outcome.details == (f"s1 at {host}: last used 1970-01-02 00:00:00Z", f"s2 at {host}: never used")
        assert "client narrow cl_1" in outcome.mend
    assert service.asked == [], "no token is asked for"


def test_an_issuer_that_does_not_tell_and_a_locked_vault_are_no_failure(look, service):
    assert look("scopes", online=True).status is Status.UNKNOWN
    held(service, status=401)
    assert "refuses the credential" in look("scopes", online=True).said
    assert look("scopes").said == "nothing was sent, as you said"
    assert look("scopes", granted=ask_for_passphrase).mend.startswith("keyfob status --scopes")


def ask_for_passphrase(_client_id):
    raise Misuse("no-passphrase", "nobody is there to be asked for the vault's passphrase", hint="set X")

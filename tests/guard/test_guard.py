"""keyfob.guard against a real issuer over HTTPS: keys are found, cached, renewed; and every doubt is a refusal."""

import asyncio
import http.server
import inspect
import threading

import pytest

from keyfob.guard import Guard, IssuerUnavailable, MissingToken, protect
from keyfob.guard import issuer as caching
from keyfob.jose import keys
from keyfob.jose.tokens import verify_access_token
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken
from keyfob.problem import Problem
from keyfob.secret import Secret

AUDIENCE = "https://api.example"
NOW = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(issuer, clock) -> Guard:
    return Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=clock)


def bearing(token: Secret, scheme: bytes = b"Bearer") -> list[tuple[bytes, bytes]]:
    return [(b"host", b"api.example"), (b"authorization", scheme + b" " + token.reveal_bytes())]


def admit(guard, headers, scope="studies:read", query=b""):
    return asyncio.run(guard.admit(headers, query, scope))


def test_a_good_token_is_admitted_and_the_keys_are_fetched_once(guard, issuer):
    """RFC 9068 §4, RFC 8414 §3: the keys are found by the issuer's metadata."""
    for _ in range(5):
        assert admit(guard, bearing(issuer.token())).client_id == "cl_1"
    assert admit(guard, bearing(issuer.token(), b"bearer")).scope == {"studies:read"}
    assert issuer.asked == ["/.well-known/oauth-authorization-server", "/jwks"]


def test_many_first_requests_at_once_fetch_the_keys_once(guard, issuer):
    async def all_at_once():
        await asyncio.gather(*(guard.admit(bearing(issuer.token()), b"", "studies:read") for _ in range(20)))

    asyncio.run(all_at_once())
    assert len(issuer.asked) == 2


def test_a_scope_is_compared_whole(guard, issuer):
    """RFC 6749 §3.3, RFC 6750 §3.1, RFC 9700 §2.3: no scope implies another; the refusal names what is needed."""
    for scope in ("studies:write", "studies", "studies:read:more", "STUDIES:READ"):
        with pytest.raises(InsufficientScope) as refused:
            admit(guard, bearing(issuer.token()), scope)
        assert refused.value.scope == scope


def test_no_token_two_tokens_and_a_token_in_the_url_are_told_apart(guard, issuer):
    """RFC 6750 §2, §2.1, §2.3."""
    token = issuer.token()
    with pytest.raises(MissingToken):
        admit(guard, [(b"host", b"a")])
    with pytest.raises(MissingToken):
        admit(guard, [(b"authorization", b"Basic abc")])
    with pytest.raises(InvalidRequest):
        admit(guard, bearing(token) * 2)
    for query in (b"access_token=", b"a=1&access_token=x", b"Access_Token=x", b"%61ccess_token=x"):
        with pytest.raises(InvalidRequest):
            admit(guard, bearing(token), query=query + token.reveal_bytes())
    for header in (b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer \xff", b"Bearer " + b"a" * 9000):
        with pytest.raises(InvalidRequest):
            admit(guard, [(b"authorization", header)])


def test_a_remembered_token_expires_all_the_same(guard, issuer, clock):
    """RFC 7519 §4.1.4, also for a token whose signature is not looked at again."""
    token = issuer.token()
    admit(guard, bearing(token))
    clock.now = NOW + 299
    admit(guard, bearing(token))
    clock.now = NOW + 300
    with pytest.raises(InvalidToken):
        admit(guard, bearing(token))


def test_a_remembered_token_dies_with_its_key(guard, issuer, clock):
    """RFC 9068 §4."""
    token = issuer.token(exp=NOW + 900)
    admit(guard, bearing(token))
    issuer.publish(keys.generate("ES256"))
    clock.now += caching.MAX_AGE
    with pytest.raises(InvalidToken):
        admit(guard, bearing(token))


def test_the_memory_of_tokens_is_bounded_and_what_fell_out_is_verified_anew(guard, issuer, monkeypatch):
    monkeypatch.setattr("keyfob.guard.guard._MAX_REMEMBERED", 3)
    verified = []

    def counting(presented, *args, **options):
        verified.append(presented)
        return verify_access_token(presented, *args, **options)

    monkeypatch.setattr("keyfob.guard.guard.verify_access_token", counting)
    tokens = [issuer.token(jti=str(number)) for number in range(5)]
    for token in (*tokens, *tokens[2:], tokens[0], *tokens[3:]):
        admit(guard, bearing(token))
    assert len(verified) == 6


def test_a_new_key_is_found_when_a_token_names_it_but_forgers_cannot_make_us_ask_often(guard, issuer, clock):
    admit(guard, bearing(issuer.token()))
    new = keys.generate("ES256")
    issuer.publish(issuer.key, new)
    clock.now += caching.COOLDOWN
    assert admit(guard, bearing(issuer.token(new, iat=clock.now))).jti == "j"
    asked = len(issuer.asked)
    for _ in range(10):
        with pytest.raises(InvalidToken):
            admit(guard, bearing(issuer.token(keys.generate("ES256"))))
    assert len(issuer.asked) == asked
    clock.now += caching.COOLDOWN
    with pytest.raises(InvalidToken):
        admit(guard, bearing(issuer.token(keys.generate("ES256"))))
    assert len(issuer.asked) == asked + 2


def test_an_issuer_that_is_away_does_not_stop_an_api_that_knows_its_keys(guard, issuer, clock):
    admit(guard, bearing(issuer.token()))
    issuer.answers.clear()
    clock.now += caching.MAX_AGE + 100
    assert admit(guard, bearing(issuer.token(iat=clock.now, exp=clock.now + 300)))
    clock.now += caching.MAX_STALE
    with pytest.raises(IssuerUnavailable):
        admit(guard, bearing(issuer.token(iat=clock.now, exp=clock.now + 300)))


def test_an_issuer_that_does_not_answer_makes_one_request_wait_and_no_other(guard, issuer, clock, monkeypatch):
    """However often it is asked anew, an API that knows its keys goes on at its own pace."""
    monkeypatch.setattr("keyfob.refreshing._PATIENCE", 1.0)
    token = issuer.token(exp=NOW + 10_000)

    async def all_of_it():
        await guard.admit(bearing(token), b"", "studies:read")
        hangs, asked = threading.Event(), len(issuer.asked)
        issuer.answers["/.well-known/oauth-authorization-server"] = lambda _: (hangs.wait(20), (500, {}, b""))[1]
        clock.now += caching.MAX_AGE
        await guard.admit(bearing(token), b"", "studies:read")
        for _ in range(200):
            begun = asyncio.get_running_loop().time()
            await guard.admit(bearing(token), b"", "studies:read")
            # Not one turn of the loop was spent on waiting for an answer that never came.
            assert asyncio.get_running_loop().time() - begun < 0.5
        hangs.set()
        assert len(issuer.asked) == asked + 1

    asyncio.run(all_of_it())


def test_a_clock_that_was_ahead_and_is_set_back_does_not_keep_old_keys_for_ever(guard, issuer, clock):
    clock.now = NOW + 40 * 24 * 3600
    admit(guard, bearing(issuer.token(iat=clock.now, exp=clock.now + 300)))
    asked = len(issuer.asked)
    clock.now = NOW
    admit(guard, bearing(issuer.token()))
    assert len(issuer.asked) > asked


def test_without_keys_nobody_is_admitted_and_it_recovers(guard, issuer, clock):
    kept = dict(issuer.answers)
    issuer.answers.clear()
    with pytest.raises(IssuerUnavailable):
        admit(guard, bearing(issuer.token()))
    with pytest.raises(IssuerUnavailable):
        guard.check(issuer.token(), NOW)
    issuer.answers.update(kept)
    clock.now += caching.COOLDOWN
    admit(guard, bearing(issuer.token()))
    assert guard.check(issuer.token(), NOW).client_id == "cl_1"


def test_an_issuer_that_cannot_be_trusted_is_as_good_as_none(issuer, clock, tls_files, tmp_path, make_tls):
    """RFC 8414 §3.3, §6.1, §6.2, RFC 9068 §4."""

    def refused(**options):
        one = Guard.discover(issuer.url, audience=AUDIENCE, clock=clock, **{"ca_file": issuer.ca, **options})
        with pytest.raises(IssuerUnavailable):
            admit(one, bearing(issuer.token()))

    good = dict(issuer.answers)
    path = "/.well-known/oauth-authorization-server"
    metadata = {"issuer": issuer.url, "token_endpoint": issuer.url + "/t", "jwks_uri": issuer.url + "/jwks"}
    for broken in (
        {**metadata, "issuer": "https://evil.example"},
        {**metadata, "jwks_uri": issuer.url.replace("https", "http") + "/jwks"},
        {**metadata, "jwks_uri": "file:///etc/passwd"},
        {},
        [],
        "x" * 70_000,
    ):
        issuer.say(broken)
        refused()
    issuer.say(metadata, status=500)
    refused()
    issuer.answers[path] = (302, {"location": issuer.url + "/elsewhere"}, b"")
    issuer.answers["/elsewhere"] = good[path]
    refused()
    issuer.answers.update(good)
    issuer.answers["/jwks"] = (200, {}, b'{"keys":[]}')
    refused()
    issuer.answers.update(good)
    refused(ca_file=make_tls(tmp_path / "other").ca)


def test_keys_that_came_over_plain_http_are_not_believed(issuer, clock, free_port_of):
    """RFC 8414 §2, §6.1: the right keys, where anybody could have put others in their place."""

    class Plain(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.answers["/jwks"][2]
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", free_port_of()), Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/jwks"
        issuer.say({"issuer": issuer.url, "token_endpoint": issuer.url + "/t", "jwks_uri": url})
        one = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=clock)
        with pytest.raises(IssuerUnavailable):
            admit(one, bearing(issuer.token()))
        server.shutdown()


def test_a_guard_is_not_made_of_urls_that_cannot_be_trusted(issuer):
    for url in ("http://auth.example", "https://auth.example/?x=1", "https://user@auth.example", "auth.example", ""):
        with pytest.raises(Problem):
            Guard.discover(url, audience=AUDIENCE, ca_file=issuer.ca)
        with pytest.raises(Problem):
            Guard.discover(issuer.url, audience=url, ca_file=issuer.ca)
    for issued_by, audience in ((issuer.url + "/", AUDIENCE), (issuer.url, AUDIENCE + "/")):
        with pytest.raises(Problem, match="ends with a slash"):
            Guard.discover(issued_by, audience=audience, ca_file=issuer.ca)


def test_the_log_says_that_the_issuers_certificate_is_not_trusted_and_what_names_its_authority(
    issuer, clock, make_tls, tmp_path, caplog
):
    other = str(make_tls(tmp_path / "other").ca)  # a path may be a text
    guard = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=other, clock=clock)
    with pytest.raises(IssuerUnavailable):
        admit(guard, bearing(issuer.token()))
    assert "is not trusted" in caplog.text and "KEYFOB_CA_FILE" in caplog.text


def test_help_shows_the_names_of_the_types():
    assert str(inspect.signature(protect)).startswith("(app: 'App', guard: 'Guard', scope: 'str'")

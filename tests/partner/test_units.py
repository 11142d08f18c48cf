"""The partner's parsers: each takes any bytes, and raises only what it says."""

import contextlib
import dataclasses
import io
import json
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.oauth import client_authentication, form
from keyfob.oauth.client_information import MAX_BYTES, ClientInformation
from keyfob.partner import calling, minimal_scope, safe_url
from keyfob.partner.adapters.flow import put
from keyfob.partner.authorizer import asks_for_another_token
from keyfob.partner.errors import MessageRefused, ScopeNotHeld, UnknownOperation, Unreachable, UnsafeCall, VaultProblem
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.proving import Proving, write_request
from keyfob.partner.receive import check_fingerprint, check_message
from keyfob.partner.renewal import Times
from keyfob.partner.transport import unreachable
from keyfob.partner.vault import entries
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True)
ENTRIES = st.builds(
    Entry, client_id=NAMES, credential_id=NAMES, issuer=st.text(max_size=20), token_endpoint=st.text(max_size=20),
    scope=st.frozensets(st.sampled_from(["a", "b:c"])), resource=st.lists(st.text(max_size=9), max_size=2).map(tuple),
    issued_at=st.integers(), expires_at=st.integers(), message_id=st.text(max_size=9),
    recipient_fingerprint=st.just("A" * 40), signer_fingerprint=st.just("B" * 64),
    signer_certificate=st.text(max_size=9), received=st.integers(0, 9), keeping=st.sampled_from(list(Keeping)),
    opened_with=st.none() | st.text(max_size=9), ciphertext=st.text(max_size=20),
)  # fmt: skip


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was_written(entry: Entry):
    with contextlib.suppress(UnicodeEncodeError):
        assert entries.read(entries.write(entry), where="x") == entry


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_an_entry_or_damaged(body: bytes):
    with pytest.raises(VaultProblem):
        entries.read(body, where="x")


@given(st.text(max_size=80) | st.text(max_size=40).map(lambda text: "https://a.example/" + text))
def test_any_url_is_safe_or_refused(url: str):
    with contextlib.suppress(UnsafeCall):
        assert safe_url.check(url).startswith("https://")


@pytest.mark.parametrize("above", ["..%2Fb", "%2e%2e%2Fb", "x/..%2f..%2fb", "..%5Cb", "%2e%5cb", "..;/b", "..;v=1%2Fb"])
def test_a_path_that_some_server_may_read_as_another_is_refused(above: str):
    """Also where a slash is written %2F, or a path parameter hides the dots: some servers decode before they route."""
    with pytest.raises(UnsafeCall):
        safe_url.check_within(f"https://h.example/a/{above}", "https://h.example/a")


@pytest.mark.parametrize("inside", ["b", "b..c/d", "...", "a%2Fb", "b;v=1", "%252e"])
def test_a_path_with_dots_inside_its_names_is_not(inside: str):
    assert safe_url.check_within(f"https://h.example/a/{inside}", "https://h.example/a").endswith(inside)


@given(
    st.binary(max_size=200) | JSON.map(lambda v: json.dumps({"openapi": "3.1.0", "paths": v, "security": v}).encode())
)
def test_any_document_is_a_description_or_refused(body: bytes):
    with contextlib.suppress(Unreachable):
        minimal_scope.read(body, resource="https://a.example")


def description(paths: dict[str, object], **more: object) -> minimal_scope.Description:
    schemes = {"o": {"type": "oauth2"}, "key": {"type": "apiKey"}, "b": {"type": "http", "scheme": "bearer"}}
    document = {"openapi": "3.0.3", "paths": paths, "components": {"securitySchemes": schemes}, **more}
    return minimal_scope.read(json.dumps(document).encode(), resource="https://a.example/base")


def needs(*scopes: str) -> dict[str, object]:
    return {"security": [{"o": list(scopes)}]}


def test_a_literal_path_goes_before_a_template_and_an_encoded_slash_is_no_segment():
    """OpenAPI 3.1 §4.8.8."""
    found = description({"/s/{id}": {"get": needs("a")}, "/s/lookup": {"get": needs("b")}})
    assert found.find("GET", "/base/s/lookup").alternatives == (frozenset({"b"}),)
    assert found.find("get", "/base/s/x").alternatives == (frozenset({"a"}),)
    assert found.find("HEAD", "/base/s/x") is not None
    assert found.find("GET", "/base/s/a%2Flookup").template.endswith("{id}")
    assert found.find("GET", "/base/s/a/b") is None
    assert found.find("POST", "/base/s/x") is None
    assert found.find("GET", "/s/x") is None


def test_the_least_alternative_within_what_is_held_is_chosen():
    operation = description({"/x": {"get": {"security": [{"o": ["a", "b"]}, {"o": ["c"]}, {"key": []}]}}}).find(
        "GET", "/base/x"
    )
    assert minimal_scope.narrowest(operation, frozenset({"a", "b", "c"})) == {"c"}
    assert minimal_scope.narrowest(operation, frozenset({"a", "b"})) == {"a", "b"}
    with pytest.raises(ScopeNotHeld) as refused:
        minimal_scope.narrowest(operation, frozenset({"a"}))
    assert refused.value.missing in ("b", "c")
    public = description({"/x": {"get": {"security": []}}}).find("GET", "/base/x")
    assert minimal_scope.narrowest(public, frozenset()) is None
    only_keys = description({"/x": {"get": {"security": [{"key": []}]}}}).find("GET", "/base/x")
    with pytest.raises(UnknownOperation):
        minimal_scope.narrowest(only_keys, frozenset())


@given(st.binary(max_size=200))
def test_any_file_may_be_a_message_or_is_refused(content: bytes):
    with contextlib.suppress(MessageRefused):
        check_message(content)


@given(st.text(max_size=60))
def test_a_fingerprint_is_read_as_people_write_it(text: str):
    with contextlib.suppress(Misuse):
        assert len(check_fingerprint(text)) in (40, 64)
    assert check_fingerprint("7f3a 22b0 " * 5) == "7F3A22B0" * 5
    assert check_fingerprint("0x" + "7f" * 20) == "7F" * 20


@pytest.mark.parametrize(
    ("openssl", "words"),
    [
        ("certificate has expired", "clock"),
        ("certificate is not yet valid", "clock"),
        ("Hostname mismatch, certificate is not valid for 'a'.", "address"),
        ("unable to get local issuer certificate", "--ca"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_with_what_mends_its_cause(openssl: str, words: str):
    failed = OSError(f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {openssl} (_ssl.c:1000)")
    told = unreachable("https://a.example/x?secret", failed)
    assert words in told.hint
    assert openssl in told.message
    assert "secret" not in told.message


def test_a_traceback_shows_the_hint():
    assert Problem("code", "message", hint="do this").__notes__ == ["hint: do this"]


@given(st.integers(100, 599), st.text(max_size=20), st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_response_is_told_in_one_printable_line(status: int, reason: str, body: bytes):
    headers = [("content-type", "application/problem+json"), ("www-authenticate", 'Bearer error="x", scope="y"')]
    refusal = calling.refusal(status, reason, headers, body)
    assert (refusal is None) == (status < 300 or status == 304)
    if refusal is not None:
        assert refusal.message.isprintable() and refusal.hint.isprintable()
    json.dumps(calling.document(status, headers, body))


@pytest.mark.parametrize(
    "line", ["no colon", ": x", "a b: c", "x: \x01", "x: é", "Host: a", "X: kfs_abcdefgh_" + "A" * 43 + "_123456"]
)
def test_a_header_that_must_not_be_sent_is_refused(line: str):
    with pytest.raises(Problem):
        calling.read_headers([line])


def test_headers_and_content_types():
    assert calling.read_headers(['If-Match: "1"']) == {"if-match": '"1"'}
    assert calling.content_type("a.XML") == "application/xml"
    assert calling.content_type("lb.dsjc") == "application/zlib"
    assert calling.content_type("a") == "application/octet-stream"
    assert MAX_BYTES > 0


@pytest.mark.parametrize(
    ("status", "challenge", "again"),
    [
        (401, 'Bearer error="invalid_token"', True),
        (401, 'bearer realm="x", error=invalid_token', True),
        (401, 'Bearer realm="api"', False),
        (401, 'Bearer error="invalid_request"', False),
        (401, 'Bearer error="insufficient_scope"', False),
        (401, 'Basic realm="invalid_token"', False),
        (401, None, False),
        (403, 'Bearer error="invalid_token"', False),
    ],
)
def test_another_token_is_tried_for_the_one_refusal_that_it_may_help(status, challenge, again):
    """RFC 6750 §3.1: a new token may be asked for when this one is invalid, and for nothing else."""
    assert asks_for_another_token(status, challenge) is again


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://api.example/v1", "plain-http"),
        ("https://api.example/v1?access_token=x", "secret-in-url"),
        ("https://api.example/v1?a=b&CLIENT_SECRET=x", "secret-in-url"),
    ],
)
def test_a_token_travels_over_tls_and_never_in_a_url(url: str, code: str):
    """RFC 6750 §2.3, §5.3, RFC 9700 §4.3.2."""
    with pytest.raises(UnsafeCall) as refused:
        safe_url.check(url)
    assert refused.value.code == code


INFORMATION = ClientInformation(
    "cl_1", client_secret.make("credential1", bytes(32)), 1, 0, "https://auth.example", "https://auth.example/token",
    frozenset({"a"}), ("https://api.example",), "credential1", "m1", 1, "A" * 40,
)  # fmt: skip


def proving(**more: bool) -> Proving:
    return Proving(now=lambda: 1000, entropy=lambda count: bytes(count), **more)


WISH = Wish(frozenset({"a"}), "https://api.example", "")


def test_a_token_is_asked_for_by_post_with_the_secret_in_the_header_over_tls_alone():
    """RFC 6749 §2.3.1, §3.2, §4.4.2."""
    request = write_request(INFORMATION, WISH, proving().prove(INFORMATION))
    assert (request.method, request.url) == ("POST", "https://auth.example/token")
    assert ("content-type", "application/x-www-form-urlencoded") in request.headers
    assert request.authorization is not None
    presented = client_authentication.read([(b"authorization", request.authorization.reveal_bytes())], {})
    assert (presented.client_id, presented.secret) == ("cl_1", INFORMATION.client_secret)
    assert form.parse("application/x-www-form-urlencoded", request.body.reveal_bytes()) == {
        "grant_type": "client_credentials",
        "scope": "a",
        "resource": "https://api.example",
    }
    plain = dataclasses.replace(INFORMATION, token_endpoint="http://auth.example/token")
    with pytest.raises(VaultProblem) as refused:
        write_request(plain, WISH, proving().prove(plain))
    assert refused.value.code == "plain-http"


def test_the_secret_may_go_into_the_body_and_is_shown_nowhere():
    """RFC 6749 §2.3.1: never in the URL."""
    request = write_request(INFORMATION, WISH, proving(secret_in_body=True).prove(INFORMATION))
    presented = client_authentication.read([], form.parse(request.headers[0][1], request.body.reveal_bytes()))
    assert presented.secret == INFORMATION.client_secret
    assert request.authorization is None
    assert INFORMATION.client_secret.reveal() not in repr(request) + request.url


def test_a_token_stands_in_the_header_and_takes_the_place_of_every_other_credential():
    """RFC 6750 §2, §2.1."""
    identity = Identity("credential1", client_authentication.Method.CLIENT_SECRET_BASIC, "")
    token = HeldToken(Secret("abc"), identity, frozenset({"a"}), (), Times(1, 2, 3))
    basic = httpx2.Request("GET", "https://api.example", headers={"Authorization": "Basic eDp5"})
    assert put(basic, token).headers.get_list("Authorization") == ["Bearer abc"]
    basic = httpx2.Request("GET", "https://api.example", headers={"Authorization": "Basic eDp5"})
    assert "Authorization" not in put(basic, None).headers


def test_more_than_can_be_sent_is_refused_and_never_cut(monkeypatch, tmp_path):
    """From a file and from standard input alike."""
    from keyfob.partner import cli

    monkeypatch.setattr(cli, "_MAX_INPUT_BYTES", 4)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"12345")))
    (tmp_path / "x").write_bytes(b"12345")
    for path in (Path("-"), tmp_path / "x"):
        with pytest.raises(Misuse, match="larger than 4 bytes"):
            cli._read_input(path, "data")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1234")))
    assert cli._read_input(Path("-"), "data") == b"1234"

"""The issuer's other URLs, its start and its end."""

import json
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

RESOURCE = "https://api.example"
PUBLIC = (
    "/documentation",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/oauth2/jwks",
    "/.well-known/keyfob/operator.asc",
)

METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def test_the_metadata_come_from_configuration_and_not_from_the_host(operator):
    """RFC 8414 §2, §3, §3.1, §3.2, RFC 9396 §10, RFC 9728 §4."""
    for path in METADATA:
        answer = operator.request("GET", path, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
        document = answer.document
        assert document["issuer"] == operator.issuer
        assert document["token_endpoint"] == f"{operator.issuer}/oauth2/token"
        assert document["jwks_uri"] == f"{operator.issuer}/oauth2/jwks"
        assert document["grant_types_supported"] == ["client_credentials"]
        assert document["response_types_supported"] == []
        methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
        assert document["token_endpoint_auth_methods_supported"] == methods
        assert "studies:read" in document["scopes_supported"]
        assert document["introspection_endpoint"] == f"{operator.issuer}/oauth2/introspect"
        assert document["revocation_endpoint"] == f"{operator.issuer}/oauth2/revoke"
        assert "private_key_jwt" in document["introspection_endpoint_auth_methods_supported"]
        # RFC 8414 §2: where keys authenticate, their algorithms are named; none of them is `none` or an HMAC.
        algorithms = document["introspection_endpoint_auth_signing_alg_values_supported"]
        assert set(algorithms) == {"ES256", "ES384", "EdDSA", "PS256", "RS256", "RS384"}
        assert document["revocation_endpoint_auth_methods_supported"] == methods
        assert document["service_documentation"] == f"{operator.issuer}/documentation"
        assert RESOURCE in document["protected_resources"]
        assert "evil" not in answer.body.decode()


def test_the_metadata_promise_nothing_that_is_not_there(operator):
    """RFC 8414 §2: every URL of ours in it is answered by something else than 404."""
    document = operator.metadata()
    urls = {name: value for name, value in document.items() if isinstance(value, str) and value.startswith("https")}
    assert len(urls) >= 7
    for name, url in urls.items():
        path = url.removeprefix(operator.issuer)
        assert name == "issuer" or operator.request("GET", path).status in (200, 405), name


def test_a_partners_developer_finds_a_page_about_what_to_do(operator):
    page = operator.request("GET", "/documentation")
    assert page.headers["content-type"].startswith("text/plain")
    assert f"{operator.issuer}/oauth2/token" in page.body.decode()
    assert RESOURCE in page.body.decode()


@pytest.mark.parametrize("path", PUBLIC)
def test_public_documents_can_be_kept_and_asked_for_again(operator, path):
    """RFC 9110 §8.6, §13.1.2, §15.4.5, §9.3.2: kept as it was, and by HEAD without a body."""
    first = operator.request("GET", path)
    assert first.status == 200
    assert first.headers["cache-control"].startswith("public, max-age=")
    again = operator.request("GET", path, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")
    assert "content-length" not in again.headers
    assert [again.headers[name] for name in ("etag", "cache-control")] == [
        first.headers[name] for name in ("etag", "cache-control")
    ]
    assert operator.request("GET", path, headers={"if-none-match": '"other"'}).status == 200
    head = operator.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")


def test_the_operators_certificate_is_the_one_in_the_home(operator):
    answer = operator.request("GET", "/.well-known/keyfob/operator.asc")
    assert answer.body == (operator.home / "operator.asc").read_bytes()
    assert answer.headers["content-type"] == "application/pgp-keys"


def test_the_published_keys_are_public(operator):
    """RFC 7517 §4.2, §4.4, §4.5, §5, §9.2, RFC 9068 §4."""
    for key in operator.request("GET", "/oauth2/jwks").document["keys"]:
        assert key["kid"] and key["use"] == "sig" and key["alg"] == "ES256"
        assert "d" not in key


@pytest.mark.parametrize(("path", "allow"), [("/oauth2/token", "POST"), ("/oauth2/jwks", "GET, HEAD")])
def test_another_method_is_told_what_is_allowed(operator, path, allow):
    """RFC 9110 §15.5.6, §9.1."""
    for method in ("PUT", "DELETE", "OPTIONS", "POST" if allow != "POST" else "GET"):
        answer = operator.request(method, path)
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        assert answer.document["error"] == "method_not_allowed"


def test_every_refusal_is_json_and_carries_the_security_headers(operator):
    form = {"content-type": "application/x-www-form-urlencoded"}
    refusals = {
        400: operator.request("POST", "/oauth2/token", b"a=%00", form),
        401: operator.request("POST", "/oauth2/token", b"grant_type=client_credentials", form),
        404: operator.request("GET", "/admin"),
        405: operator.request("PUT", "/oauth2/token"),
        413: operator.request("POST", "/oauth2/token", b"a" * 70_000, form),
    }
    for status, answer in refusals.items():
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert {"error", "error_description", "error_id"} == answer.document.keys()
        assert int(answer.headers["strict-transport-security"].removeprefix("max-age=")) >= 180 * 24 * 3600
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    assert refusals[401].headers["www-authenticate"].startswith("Basic")


def test_two_authorization_headers_are_a_malformed_request(operator):
    """RFC 9110 §11.6.2: one value; which of two counts is what an attacker and a proxy may disagree about."""
    body = b"grant_type=client_credentials"
    connection = operator.connect()
    connection.putrequest("POST", "/oauth2/token")
    connection.putheader("content-type", "application/x-www-form-urlencoded")
    connection.putheader("content-length", str(len(body)))
    for _ in range(2):
        connection.putheader("authorization", "Basic Y2xfMTp4")
    connection.endheaders(body)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]) == (400, "invalid_request")
    connection.close()


@pytest.mark.parametrize("path", ["/", "/oauth2/token/", "/oauth2/../oauth2/token", "/OAuth2/token", "//oauth2/token"])
def test_nothing_is_at_another_path(operator, path):
    answer = operator.request("GET", path)
    assert (answer.status, answer.document["error"]) == (404, "not_found")


def test_health_is_alive_and_ready(operator):
    assert operator.request("GET", "/healthz").document == {"status": "ok"}
    assert operator.request("GET", "/readyz").document == {"status": "ready"}


def test_a_body_beyond_the_bound_is_413(operator):
    answer = operator.request("POST", "/oauth2/token", b"a" * 70_000)
    assert answer.status == 413


def test_a_stopped_server_drains_and_starts_again_with_what_it_knew(new_operator):
    operator = new_operator()
    info = operator.client("lasting")
    process = operator.serve()
    assert operator.token(info, scope="studies:read").status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    operator.serve()
    assert operator.token(info, scope="studies:read").status == 200
    assert operator.run("audit", "verify")["whole"] is True


@pytest.mark.on("sqlite")
def test_a_token_that_cannot_be_recorded_is_not_issued(new_operator):
    """Fail closed: while the writers' lock is held elsewhere, tokens wait, then are refused, and none leaves."""
    operator = new_operator()
    info = operator.client("blocked")
    operator.serve()
    assert operator.token(info, scope="studies:read").status == 200
    lock = operator.home / "keyfob.db.lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys; f=open(sys.argv[1],'ab'); fcntl.flock(f,2); print(flush=True); input()",
            lock,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        answer = operator.token(info, scope="studies:read")
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.document["error"] == "temporarily_unavailable"
        assert "access_token" not in answer.document
    finally:
        holder.kill()
        holder.communicate()
    deadline = time.monotonic() + 20
    while operator.token(info, scope="studies:read").status != 200:
        assert time.monotonic() < deadline


def test_plain_http_is_for_the_named_proxy_alone(new_operator):
    """RFC 9700 §4.13: whoever goes around the proxy that ends TLS is not listened to."""
    import http.client

    operator = new_operator()
    settings = operator.home / "keyfob.toml"
    settings.write_text(settings.read_text() + '\n[http]\ntrusted_proxy = "127.0.0.1"\n')
    operator.serve()
    connection = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    operator.stop()
    settings.write_text(settings.read_text().replace("127.0.0.1", "127.0.0.9"))
    operator.serve()
    connection = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 403
    connection.close()


def test_no_secret_and_no_query_is_in_the_log(operator):
    log = operator.log
    assert "kfs_" not in log
    assert "?" not in log


@pytest.mark.on("sqlite")
def test_the_database_holds_no_secret_in_clear(operator):
    info = operator.client("hashed")
    operator.token(info, scope="studies:read")
    copy = sqlite3.connect(operator.home / "keyfob.db")
    dump = "\n".join(copy.iterdump())
    copy.close()
    assert info.client_secret.reveal() not in dump
    assert info.client_secret.reveal().encode().hex() not in dump.lower()


def test_serve_says_what_is_wrong(operator, tmp_path):
    def refused(*options):
        done = subprocess.run(
            [sys.executable, "-c", "from keyfob.server.cli import main; main()", "serve", *options],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr

    assert refused("--home", str(tmp_path)) == (2, pytest.approx(refused("--home", str(tmp_path))[1]))
    status, words = refused("--home", str(operator.home), "--port", str(operator.port))
    assert status == 1
    assert f"port {operator.port}" in words
    assert json.dumps(words).count("Traceback") == 0

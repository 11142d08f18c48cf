"""`/oauth2/token` on real sockets: RFC 6749 §4.4 and §5, RFC 8707, RFC 9068, RFC 9396."""

import base64
import concurrent.futures
import dataclasses
import json
import subprocess
import time

import pytest
from joserfc import jwk, jwt

from keyfob import client_secret
from keyfob.oauth.client_information import ClientInformation
from keyfob.secret import Secret

RESOURCE = "https://api.example"
OTHER = "https://other.example"


@pytest.fixture(scope="module")
def client(operator) -> ClientInformation:
    return operator.client("sync", "--study", "S.1:701,702", "--study", "S.2")


def claims_of(operator, answer) -> dict[str, object]:
    """Verified by a library that is not ours, with the keys that the server publishes."""
    keys = jwk.KeySet.import_key_set(operator.request("GET", "/oauth2/jwks").document)
    token = jwt.decode(answer.document["access_token"], keys, ["ES256"])
    assert token.header["typ"] == "at+jwt"
    return token.claims


def test_an_answer_says_for_how_long_the_secret_works_and_an_old_one_until_its_overlap_ends(new_operator):
    operator = new_operator()
    operator.serve()
    info = operator.client("ending")

    def said(credential):
        return int(operator.token(credential, scope="studies:read").headers["keyfob-credential-expires-in"])

    year, day = 365 * 24 * 3600, 24 * 3600
    assert year - 120 < said(info) <= year
    out = operator.home.parent / "successor.asc"
    operator.run("client", "rotate", info.client_id, "--overlap", "2", "--out", out)
    assert said(info) > year - 120  # an unopened successor shortens nothing
    successor = operator.open(out)
    assert said(successor) > year - 120
    assert 2 * day - 120 < said(info) <= 2 * day
    wrong = dataclasses.replace(info, client_secret=Secret(info.client_secret.reveal()[:-1] + "x"))
    refused = operator.token(wrong, scope="studies:read")
    assert refused.status == 401 and "keyfob-credential-expires-in" not in refused.headers


def test_a_token_says_what_was_granted_and_nothing_more(operator, client):
    """RFC 6749 §3.3, §5.1, RFC 9068 §2.1, §2.2, RFC 8707 §2, RFC 9396 §7, §9.1."""
    before = int(time.time())
    answer = operator.token(client, scope="subjects:read studies:read studies:read")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    document = answer.document
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 300
    assert document["scope"] == "studies:read subjects:read"
    details = [
        {"type": "cdms_study", "identifier": "S.1", "sites": ["701", "702"]},
        {"type": "cdms_study", "identifier": "S.2"},
    ]
    assert document["authorization_details"] == details
    claims = claims_of(operator, answer)
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + 300
    assert {name: claims[name] for name in ("iss", "sub", "client_id", "aud", "scope", "authorization_details")} == {
        "iss": operator.issuer,
        "sub": client.client_id,
        "client_id": client.client_id,
        "aud": RESOURCE,
        "scope": "studies:read subjects:read",
        "authorization_details": details,
    }
    assert claims["credential_id"] == client.credential_id


def test_basic_and_body_are_alike_for_one_client(operator, client):
    """RFC 6749 §2.3.1."""
    assert operator.token(client, scope="studies:read", post=True).status == 200


def test_details_can_be_narrowed_and_never_widened(operator, client):
    """RFC 9396 §5, §7: the answer and the token carry the effective details."""
    narrower = json.dumps([{"type": "cdms_study", "identifier": "S.1", "sites": ["701"]}])
    answer = operator.token(client, scope="studies:read", authorization_details=narrower)
    assert claims_of(operator, answer)["authorization_details"] == json.loads(narrower)
    for wider in ("S.3", "*"):
        details = json.dumps([{"type": "cdms_study", "identifier": wider}])
        answer = operator.token(client, scope="studies:read", authorization_details=details)
        assert (answer.status, answer.document["error"]) == (400, "invalid_authorization_details")


def test_a_token_comes_without_a_refresh_token(operator, client):
    """RFC 6749 §4.4.3, RFC 9700 §4.14."""
    answer = operator.token(client, scope="studies:read")
    assert set(answer.document) == {"access_token", "token_type", "expires_in", "scope", "authorization_details"}
    refused = operator.token(client, grant_type="refresh_token", refresh_token="x")
    assert (refused.status, refused.document["error"]) == (400, "unsupported_grant_type")


def test_no_scope_is_given_away_without_being_asked_for(operator, client):
    """RFC 6749 §3.2, §3.3: unknown parameters change nothing, and an empty one is none."""
    answer = operator.token(client, scope="studies:read", audience="x", resource="", extra="studies:write")
    assert (answer.status, answer.document["scope"]) == (200, "studies:read")


def test_whoever_does_not_authenticate_gets_no_token(operator, client):
    """RFC 6749 §3.2.1, §4.4, §5.2, RFC 9700 §2.5: the grant is for clients that can keep a secret."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for body in (
        b"grant_type=client_credentials&scope=studies:read",
        f"grant_type=client_credentials&scope=studies:read&client_id={client.client_id}".encode(),
        f"grant_type=client_credentials&scope=studies:read&client_id={client.client_id}&client_secret=".encode(),
    ):
        answer = operator.request("POST", "/oauth2/token", body, headers)
        assert (answer.status, answer.document["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_only_post_asks_for_a_token(operator):
    """RFC 6749 §3.2."""
    answer = operator.request("GET", "/oauth2/token?grant_type=client_credentials")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_client_without_studies_gets_tokens_that_reach_none(operator):
    info = operator.client("nothing")
    assert operator.token(info, scope="studies:read").document["authorization_details"] == []


def test_no_scope_is_the_default_scope_or_a_refusal(operator, client):
    """RFC 6749 §3.3: never everything by omission."""
    answer = operator.token(client)
    assert (answer.status, answer.document["error"]) == (400, "invalid_scope")
    info = operator.client("default", "--default-scope", "studies:read")
    assert operator.token(info).document["scope"] == "studies:read"
    assert operator.token(info, scope="").document["scope"] == "studies:read"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "studies:delete"}, "invalid_scope"),
        ({"scope": "studies:read unknown"}, "invalid_scope"),
        ({"scope": "studies:read  x"}, "invalid_scope"),
        ({"resource": OTHER}, "invalid_target"),
        ({"resource": "https://api.example.evil.example"}, "invalid_target"),
        ({"resource": "http://api.example"}, "invalid_target"),
        ({"resource": RESOURCE + "/v1"}, "invalid_target"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": "{"}, "invalid_authorization_details"),
    ],
)
def test_each_refusal_has_its_code_and_an_id(operator, client, parameters, code):
    """RFC 6749 §5.2, RFC 8707 §2, RFC 9396 §5."""
    answer = operator.token(client, **{"scope": "studies:read", **parameters})
    assert (answer.status, answer.document["error"]) == (400, code)
    assert answer.document["error_id"] == answer.headers["keyfob-request-id"]
    assert answer.headers["cache-control"] == "no-store"


def test_the_resource_may_be_named(operator, client):
    assert operator.token(client, scope="studies:read", resource=RESOURCE).status == 200
    assert operator.token(client, scope="studies:read", resource=RESOURCE + "/").status == 200


def test_a_client_of_two_resources_chooses_one(operator):
    """RFC 8707 §2, RFC 9068 §3, §5: each resource has an audience of its own."""
    info = operator.client("two", "--resource", OTHER)
    assert claims_of(operator, operator.token(info, scope="studies:read", resource=OTHER))["aud"] == OTHER
    assert claims_of(operator, operator.token(info, scope="studies:read"))["aud"] == RESOURCE


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/json"}, b'{"grant_type": "client_credentials"}'),
        ({"content-type": "multipart/form-data; boundary=x"}, b""),
        ({}, b"grant_type=client_credentials"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"grant_type=client_credentials&grant_type=x"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=%ff"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=%00"),
        ({"content-type": "application/x-www-form-urlencoded"}, b""),
    ],
)
def test_a_malformed_request_is_never_a_500(operator, headers, body):
    """RFC 6749 §3.2, §4.4.2, §5.2."""
    answer = operator.request("POST", "/oauth2/token", body, headers)
    assert answer.status in (400, 401)
    assert answer.document["error"] in ("invalid_request", "invalid_client")


def test_a_parameter_in_the_url_is_refused_and_not_logged(operator, client):
    """RFC 6749 §2.3.1, §3.2. Not the real secret, which would be withdrawn: test_leaks."""
    secret = client_secret.make(client.credential_id, bytes(32)).reveal()
    path = f"/oauth2/token?client_id={client.client_id}&client_secret={secret}"
    answer = operator.request(
        "POST", path, b"grant_type=client_credentials", {"content-type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status, answer.document["error"]) == (400, "invalid_request")
    assert secret not in operator.log
    assert secret not in answer.body.decode()


def test_an_unknown_client_and_a_wrong_secret_are_the_same_bytes(operator, client):
    """RFC 6749 §5.2; only the random id differs."""
    from dataclasses import replace

    wrong = replace(client, client_secret=client_secret.make(client.credential_id, bytes(32)))
    strange = replace(client, client_secret=client_secret.make("abcdefgh", bytes(32)))
    unknown = replace(wrong, client_id="cl_0000000000000000000000")
    rubbish = replace(client, client_secret=Secret("rubbish"))
    seen = set()
    for info in (wrong, strange, unknown, rubbish):
        answer = operator.token(info, scope="studies:read")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        error_id = answer.headers["keyfob-request-id"]
        same = {name: value for name, value in answer.headers.items() if name not in ("keyfob-request-id", "date")}
        seen.add((tuple(sorted(same.items())), answer.body.replace(error_id.encode(), b"ID")))
    assert len(seen) == 1


def test_refusals_reach_the_audit_with_their_reason_and_without_a_pasted_secret(operator, client, until):
    from dataclasses import replace

    pasted = replace(client, client_id="my-pasted-S3cret", client_secret=Secret("x"))
    answer = operator.token(pasted, scope="studies:read")
    until(lambda: any(r.get("request_id") == answer.headers["keyfob-request-id"] for r in operator.audit()))
    found = next(r for r in operator.audit() if r.get("request_id") == answer.headers["keyfob-request-id"])
    assert found["reason"] == "unknown client"
    assert "S3cret" not in json.dumps(found)
    assert "S3cret" not in operator.log


def test_a_plain_curl_gets_a_token_with_what_the_message_held(operator, client, tmp_path):
    """Nothing of ours on the client's side: curl reads the credential from a file, not from its arguments."""
    config = tmp_path / "curl.conf"
    config.write_text(f'user = "{client.client_id}:{client.client_secret.reveal()}"\n')
    asked = ["-d", "grant_type=client_credentials", "--data-urlencode", "scope=studies:read"]
    done = subprocess.run(
        ["curl", "-sS", "--cacert", operator.home / "tls" / "ca.pem", "-K", config, *asked, client.token_endpoint],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scope"] == "studies:read"


def test_what_the_operator_changes_holds_from_the_next_request_on(operator):
    """RFC 6749 §3.2.1: another process changed it; no cache of the server's may outlive that."""
    info = operator.client("changing")
    assert operator.token(info, scope="studies:read").status == 200
    operator.run("client", "suspend", info.client_id)
    assert operator.token(info, scope="studies:read").status == 401
    operator.run("client", "resume", info.client_id)
    assert operator.token(info, scope="studies:read").status == 200
    operator.run("client", "revoke", info.client_id)
    assert operator.token(info, scope="studies:read").status == 401


def test_both_secrets_live_through_a_rotation_until_it_is_finished(operator):
    info = operator.client("rotating")
    out = operator.home.parent / "rotated.asc"
    operator.run("client", "rotate", info.client_id, "--out", out)
    successor = operator.open(out)
    assert successor.credential_id != info.credential_id
    assert operator.token(info, scope="studies:read").status == 200
    assert operator.token(successor, scope="studies:read").status == 200
    assert operator.token(info, scope="studies:read").status == 200
    operator.run("client", "rotate", "--finish", info.client_id)
    assert operator.token(info, scope="studies:read").status == 401
    assert operator.token(successor, scope="studies:read").status == 200


def test_every_token_that_left_is_in_the_audit_and_the_audit_is_whole(operator, client):
    def one(_: int) -> str:
        return str(claims_of(operator, operator.token(client, scope="studies:read"))["jti"])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        issued = set(pool.map(one, range(100)))
    assert len(issued) == 100
    assert issued <= {record.get("jti") for record in operator.audit()}
    assert operator.run("audit", "verify")["whole"] is True


def test_a_kept_connection_serves_many_tokens(operator, client):
    connection = operator.connect()
    pair = base64.b64encode(f"{client.client_id}:{client.client_secret.reveal()}".encode()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {pair}"}
    for _ in range(5):
        connection.request("POST", "/oauth2/token", b"grant_type=client_credentials&scope=studies:read", headers)
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    connection.close()

"""Clients that register themselves (RFC 7591), on a real server."""

import concurrent.futures
import json
import time

import pytest

from keyfob.jose import jws, keys
from keyfob.oauth import client_assertion, client_authentication

RESOURCE, OTHER = "https://api.example", "https://other.example"
NAMES = iter(range(1000))


def metadata(key=None, **changes):
    made = key or keys.generate("ES256")
    found = {
        "client_name": f"registered {next(NAMES)}",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [made.public_jwk()]},
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def ask(operator, client_id, key, **parameters):
    claims = client_assertion.write_claims(
        client_id, audience=operator.issuer, now=int(time.time()), jti=str(time.time_ns())
    )
    asserted = client_authentication.write_assertion(jws.sign(claims, key, header=key.header("JWT")))
    return operator.form("/oauth2/token", {"grant_type": "client_credentials", **parameters} | asserted)


def reason(operator, answer, until):
    def known():
        found.update(operator.run("explain", answer.document["error_id"]))
        return True

    found = {}
    until(known)
    return found


@pytest.fixture(scope="module")
def many(operator):
    """A token that registers as many clients as the tests here need."""
    return operator.allow("--uses", "100", "--study", "S.1:001,002")["initial_access_token"]


def test_a_client_registers_with_its_key_and_gets_a_token(operator):
    """RFC 7591 §3.1, §3.2.1, RFC 7592 §3: 201, an id, everything that is registered, and no secret."""
    invitation = operator.allow("--study", "S.1")
    assert invitation["registration_endpoint"] == operator.metadata()["registration_endpoint"]
    assert (invitation["uses"], invitation["scope"]) == (1, "studies:read subjects:read subjects:write")
    key, now = keys.generate("ES256"), int(time.time())
    asked = metadata(key, client_uri="https://acme.example/sync", contacts=["dev@acme.example"], software_id="sync-1")
    answer = operator.register(invitation["initial_access_token"], asked)
    assert answer.status == 201
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert answer.headers["content-type"] == "application/json"
    made = answer.document
    assert made["client_id"].startswith("cl_")
    assert now <= made["client_id_issued_at"] <= now + 5
    assert made["registration_client_uri"] == f"{invitation['registration_endpoint']}/{made['client_id']}"
    assert made["registration_access_token"].startswith("kfr_")
    assert not {"client_secret", "client_secret_expires_at"} & set(made)
    assert {name: made[name] for name in asked} == asked
    assert (made["grant_types"], made["response_types"]) == (["client_credentials"], [])
    assert (made["scope"], made["resource"]) == (invitation["scope"], [RESOURCE])
    assert made["authorization_details"] == [{"type": "cdms_study", "identifier": "S.1"}]
    assert made["keyfob_token_lifetime"] == 300
    issued = ask(operator, made["client_id"], key, scope="studies:read")
    assert issued.status == 200
    assert issued.document["authorization_details"] == made["authorization_details"]
    kinds = [record["kind"] for record in operator.audit() if record.get("client_id") == made["client_id"]]
    assert {"client_created", "client_registered"} <= set(kinds)


def test_a_token_registers_as_often_as_it_may_and_then_is_misused(operator, until):
    token = operator.allow()["initial_access_token"]
    assert operator.register(token, metadata(scope="unheard:of")).document["error"] == "invalid_client_metadata"
    assert operator.register(token, metadata()).status == 201  # what failed used nothing up
    again = operator.register(token, metadata())
    assert (again.status, again.document["error"]) == (401, "invalid_token")
    until(lambda: "kind=registration_token_misused" in operator.log)
    assert reason(operator, again, until)["reason"] == "registration_used_up"


def test_every_token_that_is_not_good_is_the_same_401(operator, until):
    """RFC 7591 §3, RFC 6750 §3.1: unknown, mistyped, withdrawn, and another kind of secret."""
    withdrawn = operator.allow()
    operator.run("registration", "withdraw", withdrawn["allowance"])
    token = withdrawn["initial_access_token"]
    made = operator.register(operator.allow()["initial_access_token"], metadata()).document
    cases = {
        "registration_withdrawn": token,
        "registration_token_unknown": token[:-1] + ("0" if token[-1] != "0" else "1"),
    }
    others = [made["registration_access_token"], "x" * 40, token.replace("kfi_", "kfs_")]
    answers = {name: operator.register(presented, metadata()) for name, presented in cases.items()}
    bodies = set()
    for answer in (*answers.values(), *(operator.register(presented, metadata()) for presented in others)):
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        bodies.add(json.dumps(answer.document | {"error_id": ""}))
    assert len(bodies) == 1
    for name, answer in answers.items():
        assert reason(operator, answer, until)["reason"] == name
    missing = operator.register(None, metadata())
    assert (missing.status, missing.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    assert operator.register(token, metadata(), authorization="Basic eDp5").status == 401


def test_a_token_is_refused_before_its_metadata_are_looked_at(operator):
    assert operator.register("kfi_nonsense", b"\xff\xfe").status == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": ["https://acme.example/back"]}, "invalid_redirect_uri"),
        ({"software_statement": "no statement"}, "invalid_software_statement"),
        ({"software_statement": 7}, "invalid_software_statement"),
        ({"software_statement": "e30.e30.c2ln"}, "unapproved_software_statement"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"client_secret": "chosen"}, "invalid_client_metadata"),
        ({"grant_types": ["authorization_code"]}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials", "refresh_token"]}, "invalid_client_metadata"),
        ({"response_types": ["code"]}, "invalid_client_metadata"),
        ({"scope": "studies:read audit:read"}, "invalid_client_metadata"),
        ({"scope": "studies:read  twice"}, "invalid_client_metadata"),
        ({"resource": [OTHER]}, "invalid_client_metadata"),
        ({"resource": []}, "invalid_client_metadata"),
        ({"keyfob_token_lifetime": 301}, "invalid_client_metadata"),
        ({"keyfob_token_lifetime": True}, "invalid_client_metadata"),
        ({"authorization_details": [{"type": "cdms_study", "identifier": "S.2"}]}, "invalid_client_metadata"),
        ({"authorization_details": [{"type": "cdms_study", "identifier": "*"}]}, "invalid_client_metadata"),
        ({"authorization_details": []}, "invalid_client_metadata"),
        ({"client_name": ""}, "invalid_client_metadata"),
        ({"client_name": "a\u202eb"}, "invalid_client_metadata"),
        ({"client_uri": "http://acme.example"}, "invalid_client_metadata"),
        ({"logo_uri": "https://user@acme.example/x"}, "invalid_client_metadata"),
        ({"contacts": "dev@acme.example"}, "invalid_client_metadata"),
        ({"jwks": None}, "invalid_client_metadata"),
        ({"jwks": {"keys": []}}, "invalid_client_metadata"),
        ({"jwks": "https://acme.example/jwks"}, "invalid_client_metadata"),
        ({"jwks_uri": "https://acme.example/jwks"}, "invalid_client_metadata"),
        ({"jwks": None, "jwks_uri": "https://127.0.0.1/jwks"}, "invalid_client_metadata"),
        ({"jwks": None, "jwks_uri": "http://acme.example/jwks"}, "invalid_client_metadata"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_registered_is_refused_with_the_code_of_the_standard(operator, many, changes, error):
    """RFC 7591 §2, §2.1, §3.2.2."""
    answer = operator.register(many, metadata(**changes))
    assert (answer.status, answer.document["error"]) == (400, error)
    assert set(answer.document) == {"error", "error_description", "error_id"}
    assert answer.headers["cache-control"] == "no-store"


def test_a_key_set_with_a_private_key_is_refused(operator, many):
    from joserfc import jwk

    private = jwk.generate_key("EC", "P-256").as_dict(private=True)
    answer = operator.register(many, metadata(jwks={"keys": [private]}))
    assert answer.document["error"] == "invalid_client_metadata"
    assert "private" in answer.document["error_description"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        json.dumps(metadata()).encode("utf-16"),
        b'{"client_name": "a", "client_name": "b"}',
        b'{"jwks": {"keys": [], "keys": []}}',
        b'{"client_name": "\\ud800"}',
        b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"keyfob_token_lifetime": NaN}',
    ],
    ids=["nothing", "list", "text", "cut", "UTF-16", "repeated", "repeated inside", "surrogate", "deep", "NaN"],
)
def test_a_body_that_has_no_one_meaning_is_refused(operator, many, body):
    answer = operator.register(many, body)
    assert (answer.status, answer.document["error"]) == (400, "invalid_request")


def test_the_body_is_json_and_says_so_and_has_a_bound(operator, many):
    """RFC 7591 §3.1."""
    form = operator.register(many, metadata(), content_type="application/x-www-form-urlencoded")
    assert (form.status, form.document["error"]) == (400, "invalid_request")
    with_charset = operator.register(many, metadata(), content_type="application/json; charset=utf-8")
    assert with_charset.status == 201
    assert operator.register(many, metadata(software_id="x" * 64 * 1024)).status == 413
    assert operator.register(many, metadata(unknown="x" * 60 * 1024)).status == 201
    # One of its own: what was in a URL is withdrawn.
    shown = operator.allow("--uses", "1")["initial_access_token"]
    in_url = operator.manage("POST", f"{operator.issuer}/oauth2/register?access_token={shown}", None, metadata())
    assert in_url.status == 400


def test_what_is_not_known_is_ignored_and_what_is_not_said_is_filled_in(operator, many):
    """RFC 7591 §2, §3.2.1: the answer says what holds."""
    asked = metadata(client_name=None, token_endpoint_auth_method=None, scope=None, application_type="web", x_unheard=1)
    made = operator.register(many, asked | {"client_uri": None, "redirect_uris": [], "response_types": []}).document
    assert made["client_name"] == made["client_id"]
    assert made["token_endpoint_auth_method"] == "private_key_jwt"
    assert not {"application_type", "x_unheard", "client_uri"} & set(made)
    assert made["scope"] == "studies:read subjects:read subjects:write"


def test_less_may_be_asked_than_what_is_allowed(operator, many):
    details = [{"type": "cdms_study", "identifier": "S.1", "sites": ["001"]}]
    asked = metadata(
        scope="studies:read",
        keyfob_token_lifetime=60,
        authorization_details=details,
        dpop_bound_access_tokens=True,
    )
    made = operator.register(many, asked).document
    assert {name: made[name] for name in asked} == asked
    shown = operator.run("client", "show", made["client_id"])
    assert (shown["token_lifetime"], shown["dpop_bound"], shown["authorization_details"]) == (60, True, details)


def test_a_name_that_a_client_of_the_partner_has_is_refused(operator, many):
    first = operator.register(many, metadata(client_name="the same")).document
    again = operator.register(many, metadata(client_name="the same"))
    assert again.document["error"] == "invalid_client_metadata"
    assert first["client_id"] in again.document["error_description"]


def test_a_profile_holds_for_who_registers_as_for_whom_the_operator_makes(operator):
    token = operator.allow("--profile", "fapi2", "--uses", "2")["initial_access_token"]
    refused = operator.register(token, metadata())
    assert "only bound tokens" in refused.document["error_description"]
    made = operator.register(token, metadata(dpop_bound_access_tokens=True)).document
    assert operator.run("client", "show", made["client_id"])["profile"] == "fapi2"
    always = operator.allow("--profile", "fapi2", "--dpop")["initial_access_token"]
    assert operator.register(always, metadata()).document["dpop_bound_access_tokens"] is True


def test_no_token_is_in_the_log_the_audit_or_the_database(operator, many):
    made = operator.register(many, metadata()).document
    operator.manage("GET", made["registration_client_uri"], made["registration_access_token"])
    for token in (many, made["registration_access_token"]):
        random = token.split("_")[2]
        assert random not in operator.log
        assert random not in json.dumps(operator.audit())
        for file in operator.home.glob("keyfob.db*"):
            assert random.encode() not in file.read_bytes()


def test_a_use_of_a_token_is_one_also_for_fifty_at_once_at_two_workers(new_operator):
    """RFC 7591 §3: one of them registers; the others get the 401 of a token that is used up."""
    operator = new_operator()
    operator.serve("--workers", "2")
    token = operator.allow()["initial_access_token"]
    asked = [metadata() for _ in range(50)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda one: operator.register(token, one), asked))
    statuses = [answer.status for answer in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 401, 429, 503}
    assert len(operator.run("client", "list")["clients"]) == 1
    (shown,) = operator.run("registration", "list")["allowances"]
    assert (shown["state"], shown["uses_left"]) == ("used up", 0)
    # The chain: of fifty uses of one token at once, each that is answered gives a token, and one is the newest.
    made = next(answer.document for answer in answers if answer.status == 201)
    uri, first = made["registration_client_uri"], made["registration_access_token"]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        read = [a for a in pool.map(lambda _: operator.manage("GET", uri, first), range(50)) if a.status == 200]
    tokens = {answer.document["registration_access_token"] for answer in read}
    assert len(tokens) == len(read) > 0
    generations = [operator.manage("GET", uri, token).status for token in [first]]
    assert generations == [200]  # none of theirs was used so far
    records = operator.audit()
    assert len([one for one in records if one["kind"] == "registration_read"]) == len(read) + 1
    assert operator.run("audit", "verify")["whole"] is True

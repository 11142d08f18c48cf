"""`/oauth2/introspect` and `/oauth2/revoke`: RFC 7662, RFC 7009, on a real server."""

import pytest

from keyfob.jose import keys
from keyfob.jose.compact import decode, encode

RESOURCE = "https://api.example"
OTHER = "https://other.example"
INACTIVE = b'{"active":false}'


@pytest.fixture(scope="module")
def mine(operator):
    return operator.client("asks", "--resource", OTHER, "--study", "S.1:701")


@pytest.fixture(scope="module")
def theirs(operator):
    return operator.client("stranger")


def token_of(operator, info, **parameters):
    return operator.token(info, scope="studies:read", **parameters).document["access_token"]


def test_a_client_learns_everything_about_its_own_token(operator, mine):
    """RFC 7662 §2.2."""
    said = operator.introspect(token_of(operator, mine), client=mine)
    assert said["active"] is True
    assert said["scope"] == "studies:read"
    assert said["client_id"] == said["sub"] == mine.client_id
    assert (said["iss"], said["aud"], said["token_type"]) == (operator.issuer, RESOURCE, "Bearer")
    assert said["exp"] - said["iat"] == 300
    assert said["authorization_details"] == [{"type": "cdms_study", "identifier": "S.1", "sites": ["701"]}]
    assert len(said["jti"]) == 32


def test_a_resource_learns_of_tokens_for_it_and_of_no_others(operator, mine):
    """RFC 7662 §2.2, §4, and the resource authenticates with the key that it registered (RFC 7523 §3)."""
    assert operator.introspect(token_of(operator, mine))["active"] is True
    elsewhere = token_of(operator, mine, resource=OTHER)
    assert operator.introspect(elsewhere) == {"active": False}
    assert operator.introspect(elsewhere, client=mine)["active"] is True


def altered(token: str) -> list[str]:
    head, claims, signature = token.split(".")
    forged = keys.generate("ES256")
    signing_input = f"{head}.{claims}".encode()
    unsigned = encode(b'{"alg":"none","typ":"at+jwt"}').decode()
    last = signature[-1]
    return [
        f"{head}.{claims}.{signature[:-2]}AA",
        f"{head}.{encode(decode(claims.encode()).replace(b'300', b'999')).decode()}x.{signature}",
        (signing_input + b"." + encode(forged.algorithm.sign(forged.private_key, signing_input))).decode(),
        f"{unsigned}.{claims}.",
        token + "=",
        token[:-1] + chr(ord(last) + 1 if last not in "zZ9_-" else ord("A")),
        token + "." + signature,
        "x",
        "a.b.c",
        "é" * 100,
        "x" * 60_000,
    ]


def test_rubbish_forgeries_and_what_is_not_its_business_are_the_same_word(operator, mine, theirs):
    """RFC 7662 §2.1, §2.2, §2.3, §4: not active, and no reason; the hint is only a hint."""
    token = token_of(operator, mine)
    for presented in altered(token):
        answer = operator.post("/oauth2/introspect", {"token": presented}, client=mine)
        assert (answer.status, answer.body) == (200, INACTIVE), presented
        assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert operator.post("/oauth2/introspect", {"token": token}, client=theirs).body == INACTIVE
    for hint in ("refresh_token", "nonsense"):
        asked = {"token": token, "token_type_hint": hint}
        assert operator.post("/oauth2/introspect", asked, client=mine).document["active"] is True


def test_who_asks_must_be_somebody(operator, mine):
    """RFC 7662 §2.1, §2.3, §4, RFC 7009 §2.1, §5: whoever could ask without authenticating could scan for tokens."""
    token = token_of(operator, mine)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/oauth2/introspect", "/oauth2/revoke", "/oauth2/revocations"):
        refused = operator.request("POST", path, f"token={token}".encode(), headers)
        assert (refused.status, refused.document["error"]) == (401, "invalid_client")
        assert refused.headers["www-authenticate"].startswith("Basic")
        assert operator.post(f"{path}?token=x", {}, client=mine).document["error"] == "invalid_request"
    for path in ("/oauth2/introspect", "/oauth2/revoke"):
        assert operator.post(path, {}, client=mine).document["error"] == "invalid_request"


def test_a_resource_that_cannot_prove_itself_is_nobody(operator, mine):
    """RFC 7523 §3, RFC 8725 §3: each of these is one same refusal."""
    token = token_of(operator, mine)
    stranger = keys.generate("ES256")
    good = operator.assertion()
    head, claims, _ = good["client_assertion"].split(".")
    cases = {
        "another key": operator.assertion(key=stranger),
        "another resource": operator.assertion("https://unknown.example"),
        "expired": operator.assertion(exp=1),
        "for ever": operator.assertion(exp=2**40),
        "from the future": operator.assertion(iat=2**40),
        "not for us": operator.assertion(aud="https://elsewhere.example"),
        "for two": operator.assertion(aud=[operator.issuer, "https://elsewhere.example"]),
        "somebody else's": operator.assertion(iss="https://other.example"),
        "no expiry": operator.assertion(exp=None),
        "unsigned": good | {"client_assertion": f"{head}.{claims}."},
        "signed for something": good | {"client_assertion": token},
        "another type": good | {"client_assertion_type": "urn:x"},
        "no type": {"client_assertion": good["client_assertion"]},
    }
    for name, presented in cases.items():
        answer = operator.request(
            "POST",
            "/oauth2/introspect",
            form({"token": token} | presented),
            {"content-type": "application/x-www-form-urlencoded"},
        )
        assert (answer.status, answer.document["error"]) == (401, "invalid_client"), name
    both = operator.post("/oauth2/introspect", {"token": token} | good, client=mine)
    assert both.document["error"] == "invalid_request"


def test_a_resource_is_no_client_and_gets_no_token(operator):
    answer = operator.post("/oauth2/token", {"grant_type": "client_credentials"})
    assert (answer.status, answer.document["error"]) == (401, "invalid_client")


def test_a_token_that_is_given_back_is_dead_at_once_and_its_siblings_live(operator, mine):
    """RFC 7009 §2, §2.1, §2.2, RFC 7662 §4: whatever the hint says."""
    given_back, kept = token_of(operator, mine), token_of(operator, mine)
    answer = operator.post("/oauth2/revoke", {"token": given_back, "token_type_hint": "refresh_token"}, client=mine)
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"", "no-store")
    assert operator.introspect(given_back, client=mine) == {"active": False}
    assert operator.introspect(given_back) == {"active": False}
    assert operator.introspect(kept, client=mine)["active"] is True
    # RFC 7009 §2.2: again, and what was never a token, is fine, too.
    for again in (given_back, *altered(kept)):
        assert operator.post("/oauth2/revoke", {"token": again}, client=mine).status == 200
    assert operator.introspect(kept, client=mine)["active"] is True
    actor = f"client:{mine.client_id}"
    (record,) = [one for one in operator.audit() if (one["kind"], one["actor"]) == ("token_revoked", actor)]
    assert record["resource"] == RESOURCE


def test_only_its_owner_can_give_a_token_back(operator, mine, theirs):
    """RFC 7009 §2.1."""
    token = token_of(operator, mine)
    refused = operator.post("/oauth2/revoke", {"token": token}, client=theirs)
    assert (refused.status, refused.document["error"]) == (400, "unauthorized_client")
    assert operator.post("/oauth2/revoke", {"token": token}).status == 401
    assert operator.introspect(token, client=mine)["active"] is True


def test_a_suspended_clients_tokens_are_dead_and_after_resume_new_ones_live(operator):
    """RFC 7662 §4: what was withdrawn is not active."""
    info = operator.client("paused")
    before = token_of(operator, info)
    operator.run("client", "suspend", info.client_id)
    assert operator.introspect(before) == {"active": False}
    operator.run("client", "resume", info.client_id)
    assert operator.introspect(token_of(operator, info))["active"] is True


def test_a_signed_answer_is_evidence_for_who_asked_and_is_no_token(operator, mine):
    """RFC 9701 §4, §5: by a key of the issuer, for the caller alone, with its own type."""
    from joserfc import jwk, jwt

    token = token_of(operator, mine)
    accept = {"accept": "application/token-introspection+jwt"}
    published = jwk.KeySet.import_key_set(operator.request("GET", "/oauth2/jwks").document)
    for client, name in ((mine, mine.client_id), (None, RESOURCE)):
        answer = operator.post("/oauth2/introspect", {"token": token}, client=client, extra=accept)
        assert answer.headers["content-type"] == "application/token-introspection+jwt"
        assert answer.headers["cache-control"] == "no-store"
        signed = jwt.decode(answer.body.decode(), published, ["ES256"])
        assert signed.header["typ"] == "token-introspection+jwt"
        assert (signed.claims["iss"], signed.claims["aud"]) == (operator.issuer, name)
        assert signed.claims["token_introspection"]["active"] is True
        assert not {"sub", "client_id", "exp"} & set(signed.claims)
        assert operator.introspect(answer.body.decode(), client=client) == {"active": False}
    dead = operator.post("/oauth2/introspect", {"token": "x"}, client=mine, extra=accept)
    assert jwt.decode(dead.body.decode(), published, ["ES256"]).claims["token_introspection"] == {"active": False}


def form(parameters: dict[str, str]) -> bytes:
    from urllib.parse import urlencode

    return urlencode(parameters).encode()

"""Clients that sign with a key of their own (RFC 7523 §2.2, §3), on a real server."""

import json
import time

import pytest
from joserfc import jwk, jwt

from keyfob.jose import jws, keys
from keyfob.oauth import client_assertion, client_authentication

RESOURCE = "https://api.example"


class Signer:
    """A partner's program with its key."""

    def __init__(self, operator, name: str, *options: str) -> None:
        self.operator = operator
        self.key = keys.generate("ES256")
        self.file = operator.home.parent / f"{name}.jwks"
        self.write(self.key)
        made = operator.run(
            *("client", "create", "--partner", "Acme", "--name", name, "--scope", "studies:read subjects:read"),
            *("--resource", RESOURCE, "--auth-method", "private_key_jwt", "--jwks", self.file, *options),
        )
        assert made["sealed"] is None
        self.client_id = made["client_id"]

    def write(self, *published: keys.SigningKey) -> None:
        self.file.write_bytes(keys.write_jwks([key.public_jwk() for key in published]))

    def assertion(self, *, key: keys.SigningKey | None = None, **changes: object) -> dict[str, str]:
        signer, now = key or self.key, int(time.time())
        claims = client_assertion.write_claims(
            self.client_id, audience=self.operator.issuer, now=now, jti=str(time.time_ns())
        )
        found = {name: value for name, value in (claims | changes).items() if value is not None}
        return client_authentication.write_assertion(jws.sign(found, signer, header=signer.header("JWT")))

    def ask(self, assertion: dict[str, str] | None = None, **parameters: str):
        asked = {"grant_type": "client_credentials", "scope": "studies:read", **parameters}
        return self.operator.form("/oauth2/token", asked | (assertion or self.assertion()))


@pytest.fixture(scope="module")
def signer(operator) -> Signer:
    return Signer(operator, "signs")


def test_a_client_gets_a_token_with_its_key_and_there_is_no_secret(operator, signer):
    answer = signer.ask()
    assert answer.status == 200
    said = operator.introspect(answer.document["access_token"])
    assert (said["client_id"], said["scope"]) == (signer.client_id, "studies:read")
    (credential,) = operator.run("client", "show", signer.client_id)["credentials"]
    assert credential["sealed_at"] is None
    assert credential["last_used_from"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["RS256", "RS384", "PS256", "ES384"])
def test_keys_of_other_libraries_and_algorithms_serve(operator, name):
    """Without kid, alg or use in the set, and with the audience, times and types of real clients."""
    made = jwk.generate_key("EC", "P-384") if name == "ES384" else jwk.generate_key("RSA", 3072)
    signer = Signer(operator, f"of-{name}")
    signer.file.write_text(json.dumps({"keys": [made.as_dict(private=False)]}))
    operator.run("client", "keys", signer.client_id, "--jwks", signer.file)
    now = time.time()
    claims = {
        "iss": signer.client_id,
        "sub": signer.client_id,
        "aud": [f"{operator.issuer}/oauth2/token"],
        "iat": now,
        "exp": now + 3600,
        "jti": name,
    }
    text = jwt.encode({"alg": name}, claims, made, [name])
    asserted = {"client_assertion_type": client_assertion.TYPE, "client_assertion": text}
    assert signer.ask(asserted, client_id=signer.client_id).status == 200


def test_each_attack_on_an_assertion_is_the_same_refusal(operator, signer):
    stranger = keys.generate("ES256")
    other = Signer(operator, "other-signer")
    cases = {
        "another key": signer.assertion(key=stranger),
        "another client's key": signer.assertion(key=other.key),
        "another client's name": signer.assertion(iss=other.client_id, sub=other.client_id),
        "no jti": signer.assertion(jti=None),
        "no exp": signer.assertion(exp=None),
        "too long": signer.assertion(exp=int(time.time()) + 4000),
        "expired": signer.assertion(exp=1),
        "far future": signer.assertion(iat=int(time.time()) + 3600),
        "another audience": signer.assertion(aud="https://other.example"),
        "two audiences": signer.assertion(aud=[operator.issuer, "https://other.example"]),
        "the introspection endpoint": signer.assertion(aud=f"{operator.issuer}/oauth2/introspect"),
        "unknown client": signer.assertion(iss="cl_nobody", sub="cl_nobody"),
    }
    bodies = set()
    for name, asserted in cases.items():
        answer = signer.ask(asserted)
        assert (answer.status, answer.document["error"]) == (401, "invalid_client"), name
        bodies.add(json.dumps(answer.document | {"error_id": "x" * len(answer.document["error_id"])}))
    assert len(bodies) == 1
    mismatch = signer.ask(signer.assertion(), client_id="cl_somebody")
    assert (mismatch.status, mismatch.document["error"]) == (400, "invalid_request")


def test_a_client_has_one_method_and_no_other(operator, signer):
    """RFC 6749 §2.3: neither a secret for who signs, nor a signature for who has a secret."""
    has_secret = operator.client("has-secret")
    signed = Signer.__new__(Signer)
    signed.operator, signed.key, signed.client_id = operator, signer.key, has_secret.client_id
    assert signed.ask().status == 401
    both = operator.post("/oauth2/token", {"grant_type": "client_credentials"} | signer.assertion(), client=has_secret)
    assert both.document["error"] == "invalid_request"
    guessed = {"grant_type": "client_credentials", "client_id": signer.client_id, "client_secret": "none"}
    assert operator.form("/oauth2/token", guessed).status == 401


def test_an_assertion_that_was_refused_for_its_scope_still_serves(operator):
    signer = Signer(operator, "asks-again")
    asserted = signer.assertion()
    assert signer.ask(asserted, scope="subjects:write").document["error"] == "invalid_scope"
    assert signer.ask(asserted).status == 200
    assert signer.ask(asserted).document["error"] == "invalid_client"


def test_keys_are_changed_from_one_request_to_the_next(operator):
    signer = Signer(operator, "changes-keys")
    old, new = signer.key, keys.generate("ES256")
    assert signer.ask(signer.assertion(key=new)).status == 401
    signer.write(old, new)
    operator.run("client", "keys", signer.client_id, "--jwks", signer.file)
    assert signer.ask(signer.assertion(key=old)).status == signer.ask(signer.assertion(key=new)).status == 200
    signer.write(new)
    operator.run("client", "keys", signer.client_id, "--jwks", signer.file)
    assert signer.ask(signer.assertion(key=old)).status == 401
    assert signer.ask(signer.assertion(key=new)).status == 200
    changed = [one for one in operator.audit() if one["kind"] == "client_keys_changed"]
    assert changed[-1]["thumbprints"] == [new.kid]


def test_a_suspended_client_signs_in_vain(operator):
    signer = Signer(operator, "suspended-signer")
    operator.run("client", "suspend", signer.client_id)
    assert signer.ask().status == 401
    operator.run("client", "resume", signer.client_id)
    assert signer.ask().status == 200


def test_a_client_with_a_key_asks_about_its_tokens_and_gives_them_back(operator, signer):
    token = signer.ask().document["access_token"]
    assert operator.form("/oauth2/introspect", {"token": token} | signer.assertion()).document["active"] is True
    assert operator.form("/oauth2/revoke", {"token": token} | signer.assertion()).status == 200
    assert operator.form("/oauth2/introspect", {"token": token} | signer.assertion()).document == {"active": False}


def test_what_excludes_what_is_said_when_the_client_is_made(operator, signer, tmp_path):
    base = ("client", "create", "--partner", "Acme", "--name", "x", "--scope", "studies:read", "--resource", RESOURCE)
    by_key = ("--auth-method", "private_key_jwt")
    broken = tmp_path / "broken.jwks"
    broken.write_text('{"keys": [{"kty": "oct", "k": "AAAA"}]}')
    for options, code in (
        (by_key, "keys-missing"),
        (("--jwks", signer.file), "keys-unused"),
        ((*by_key, "--jwks", signer.file, "--out", tmp_path / "x.asc"), "nothing-sealed"),
        ((*by_key, "--jwks", broken), "bad-jwks"),
    ):
        assert operator.run(*base, *options, status=2)["error"] == code
    assert operator.run("client", "rotate", signer.client_id, status=2)["error"] == "no-secret"


def test_keys_are_taken_from_where_the_client_publishes_them(new_operator, monkeypatch, issuer, until):
    """RFC 7591 §2: `jwks_uri`. A key that is new there is found at its first use."""
    monkeypatch.setenv("KEYFOB_KEYS_JWKS_URI_CA", str(issuer.ca))
    operator, url = new_operator(), f"{issuer.url}/client.jwks"
    made = ("client", "create", "--partner", "Acme", "--name", "publishes", "--scope", "studies:read")
    made = (*made, "--resource", RESOURCE, "--auth-method", "private_key_jwt", "--jwks-uri", url)
    assert operator.run(*made, status=1)["error"] == "keys-not-fetched"
    monkeypatch.setenv("KEYFOB_KEYS_JWKS_URI_NETWORKS", "127.0.0.0/8 ::1/128")
    assert operator.run(*made, status=1)["error"] == "keys-not-fetched"
    first, second = keys.generate("ES256"), keys.generate("RS384")
    issuer.answers["/client.jwks"] = (200, {}, keys.write_jwks([first.public_jwk()]))
    signer = Signer.__new__(Signer)
    signer.operator, signer.key, signer.client_id = operator, first, operator.run(*made)["client_id"]
    assert operator.run("client", "show", signer.client_id)["jwks_uri"] == url
    operator.serve()
    assert signer.ask().status == 200
    assert signer.ask(signer.assertion(key=second)).status == 401
    issuer.answers["/client.jwks"] = (200, {}, keys.write_jwks([second.public_jwk()]))
    until(lambda: signer.ask(signer.assertion(key=second)).status == 200, 30)
    assert signer.ask(signer.assertion(key=first)).status == 401


def test_signatures_are_not_checked_for_a_network_whose_failures_are_many(new_operator, monkeypatch):
    """A MAC costs nothing, and a good secret is always verified; a signature waits until the noise is over."""
    monkeypatch.setenv("KEYFOB_LIMITS_FAILURES_PER_NETWORK_PER_MINUTE", "2")
    operator = new_operator()
    signer, has_secret = Signer(operator, "beside-noise"), operator.client("unharmed")
    operator.serve()
    assert signer.ask().status == 200
    stranger = keys.generate("ES256")
    assert [signer.ask(signer.assertion(key=stranger)).status for _ in range(2)] == [401, 401]
    refused = signer.ask()
    assert (refused.status, refused.document["error"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert operator.token(has_secret, scope="studies:read").status == 200


def test_the_metadata_name_the_method_and_its_algorithms(operator):
    """RFC 8414 §2."""
    for endpoint in ("token", "introspection", "revocation"):
        assert "private_key_jwt" in operator.metadata()[f"{endpoint}_endpoint_auth_methods_supported"]
        assert "ES256" in operator.metadata()[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]

"""Clients that look after their own registration (RFC 7592), on a real server; and who tries it in their place."""

import json
import time

import pytest

from keyfob.jose import jws, keys
from keyfob.oauth import client_assertion, client_authentication

RESOURCE = "https://api.example"
SCOPE = "studies:read subjects:read subjects:write"
STUDIES = [{"type": "cdms_study", "identifier": "S.1", "sites": ["001", "002"]}]
NAMES = iter(range(1000))
SAID_BY_THE_SERVER = ("registration_access_token", "registration_client_uri", "client_id_issued_at")


class Registered:
    """A client, the newest token that it was given, and its key."""

    def __init__(self, operator, invited: str, **changes: object) -> None:
        self.operator, self.key = operator, keys.generate("ES256")
        asked = {"client_name": f"managed {next(NAMES)}", "jwks": {"keys": [self.key.public_jwk()]}, **changes}
        made = operator.register(invited, asked)
        assert made.status == 201, made
        self.made = made.document
        self.client_id, self.uri = self.made["client_id"], self.made["registration_client_uri"]
        self.token = self.made["registration_access_token"]

    @property
    def metadata(self) -> dict[str, object]:
        """As it may be sent back (RFC 7592 §2.2)."""
        return {name: value for name, value in self.made.items() if name not in SAID_BY_THE_SERVER}

    def send(self, method: str, document: object = None, *, token: str | None = None, keep: bool = True):
        """With the newest token, and keeping the one of the answer: `keep` False is an answer that got lost."""
        answer = self.operator.manage(method, self.uri, token or self.token, document)
        if keep and answer.status == 200:
            self.token = answer.document["registration_access_token"]
        return answer

    def put(self, *, without: tuple[str, ...] = (), **changes: object):
        said = self.metadata | changes
        return self.send("PUT", {name: value for name, value in said.items() if name not in without})

    def ask(self, **parameters: str):
        claims = client_assertion.write_claims(
            self.client_id, audience=self.operator.issuer, now=int(time.time()), jti=str(time.time_ns())
        )
        asserted = client_authentication.write_assertion(jws.sign(claims, self.key, header=self.key.header("JWT")))
        return self.operator.form("/oauth2/token", {"grant_type": "client_credentials", **parameters} | asserted)

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.operator.audit() if one.get("client_id") == self.client_id]


@pytest.fixture(scope="module")
def invited(operator) -> str:
    return operator.allow("--uses", "100", "--study", "S.1:001,002")["initial_access_token"]


@pytest.fixture(scope="module")
def untouched(operator, invited) -> Registered:
    """For the tests that leave it as it was."""
    return Registered(operator, invited)


@pytest.fixture
def client(operator, invited) -> Registered:
    return Registered(operator, invited)


def told(answer) -> tuple[int, str]:
    return answer.status, answer.document["error"]


def test_a_client_reads_what_is_registered_and_gets_its_next_token(untouched):
    """RFC 7592 §2.1, §3."""
    before = untouched.token
    answer = untouched.send("GET")
    assert answer.status == 200
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert answer.document["registration_access_token"] != before
    unchanged = answer.document | {"registration_access_token": before}
    assert unchanged == untouched.made | {"registration_access_token": before}
    assert "registration_read" in untouched.kinds()


def test_an_answer_that_got_lost_locks_nobody_out(client):
    """The one that was used is good until its successor is."""
    first = client.token
    for _ in range(3):
        assert client.send("GET", keep=False).status == 200
    assert client.send("GET").status == 200
    assert client.token != first
    assert client.send("GET").status == 200


def test_a_token_that_is_out_ends_the_chain_and_rings(operator, client, until):
    stolen = client.token
    assert client.send("GET").status == 200
    assert client.send("GET").status == 200  # the successor is in use: the first is out
    replayed = client.send("GET", token=stolen)
    assert told(replayed) == (401, "invalid_token")
    assert told(client.send("GET")) == (401, "invalid_token")
    assert told(client.send("DELETE")) == (401, "invalid_token")
    assert "registration_ended" in client.kinds()
    until(lambda: f"kind=registration_token_misused subject=client {client.client_id}" in operator.log)
    assert operator.run("explain", replayed.document["error_id"])["reason"] == "registration_token_replayed"
    assert client.ask(scope="studies:read").status == 200  # its key is its own still
    assert operator.run("client", "show", client.client_id)["registration"]["ended_at"] is not None


def test_a_successor_that_was_superseded_unused_is_out_as_well(client):
    """Two that hold one token: whoever comes second with what it was given is found out."""
    lost = client.send("GET", keep=False).document["registration_access_token"]
    assert client.send("GET").status == 200
    assert client.send("GET", token=lost).status == 401
    assert client.send("GET").status == 401


def test_the_operator_renews_the_token_of_a_client_and_no_former_one_counts(operator, client, tmp_path):
    former = client.token
    client.send("GET")
    client.send("GET")
    assert client.send("GET", token=former).status == 401
    out = tmp_path / "renewed.asc"
    operator.run("registration", "renew", client.client_id, "--out", out)
    said = json.loads(operator.unseal(out).reveal())
    assert (said["registration_client_uri"], said["client_id"]) == (client.uri, client.client_id)
    assert client.send("GET", token=former).status == 401  # and can end nothing any more
    client.token = said["registration_access_token"]
    assert client.send("GET").status == 200
    assert "registration_renewed" in client.kinds()


def test_a_client_narrows_itself_and_its_tokens_end_that_hold_more(operator, client):
    """RFC 7592 §2.2."""
    before = client.ask(scope="studies:read subjects:write").document["access_token"]
    assert operator.introspect(before)["active"] is True
    second = int(time.time())
    while int(time.time()) == second:  # a token of this very second would count as of after
        time.sleep(0.02)
    site = [{"type": "cdms_study", "identifier": "S.1", "sites": ["001"]}]
    changed = client.put(
        scope="studies:read", authorization_details=site, keyfob_token_lifetime=60, dpop_bound_access_tokens=False
    )
    assert changed.status == 200
    found = changed.document
    assert (found["scope"], found["keyfob_token_lifetime"]) == ("studies:read", 60)
    assert found["authorization_details"] == site
    assert client.ask(scope="subjects:write").document["error"] == "invalid_scope"
    assert operator.introspect(before)["active"] is False
    after = client.ask(scope="studies:read").document
    assert (after["expires_in"], after["authorization_details"]) == (60, site)
    assert operator.introspect(after["access_token"])["active"] is True
    assert "registration_changed" in client.kinds()
    # What was given up does not come back.
    assert told(client.put()) == (400, "invalid_client_metadata")


def test_what_is_for_people_is_replaced_as_a_whole_and_rights_that_are_left_out_stay(client):
    """RFC 7592 §2.2: what is left out is deleted where it can be, and the answer says what holds."""
    assert client.put(client_uri="https://acme.example/", software_version="2").status == 200
    renamed = client.send(
        "PUT", {"client_id": client.client_id, "client_name": "renamed", "tos_uri": "https://a.example/"}
    )
    assert renamed.status == 200
    found = renamed.document
    assert (found["client_name"], found["tos_uri"]) == ("renamed", "https://a.example/")
    assert not {"client_uri", "software_version"} & set(found)
    assert {name: found[name] for name in ("scope", "jwks", "resource", "authorization_details")} == {
        name: client.made[name] for name in ("scope", "jwks", "resource", "authorization_details")
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": f"{SCOPE} audit:read"},
        {"resource": [RESOURCE, "https://other.example"]},
        {"keyfob_token_lifetime": 301},
        {"authorization_details": [*STUDIES, {"type": "cdms_study", "identifier": "S.2"}]},
        {"authorization_details": [{"type": "cdms_study", "identifier": "S.1", "sites": ["003"]}]},
        {"authorization_details": [{"type": "cdms_study", "identifier": "*"}]},
    ],
    ids=lambda value: next(iter(value)),
)
def test_more_than_what_is_held_is_refused_and_explained(operator, untouched, until, changes):
    before = operator.run("client", "show", untouched.client_id)
    answer = untouched.put(**changes)
    assert told(answer) == (400, "invalid_client_metadata")
    until(lambda: operator.run("explain", answer.document["error_id"])["reason"] == "registration_widened")
    assert operator.run("client", "show", untouched.client_id) == before
    assert untouched.send("GET").status == 200


@pytest.mark.parametrize("name", ["jwks", "jwks_uri", "method", "bond"])
def test_a_token_alone_changes_no_key_no_method_and_takes_off_no_bond(operator, invited, name):
    """The key that proves a client is not changed by who proves nothing but a token."""
    client = Registered(operator, invited, dpop_bound_access_tokens=True)
    other = {"keys": [client.key.public_jwk(), keys.generate("ES256").public_jwk()]}
    answer = {
        "jwks": lambda: client.put(jwks=other),
        "jwks_uri": lambda: client.put(without=("jwks",), jwks_uri="https://acme.example/jwks"),
        "method": lambda: client.put(token_endpoint_auth_method="tls_client_auth"),
        "bond": lambda: client.put(dpop_bound_access_tokens=False),
    }[name]()
    assert told(answer) == (400, "invalid_client_metadata")
    assert "operator" in answer.document["error_description"]
    assert operator.run("client", "show", client.client_id)["thumbprints"] == [client.key.kid]


def test_a_bond_may_be_added(client):
    assert client.put(dpop_bound_access_tokens=True).document["dpop_bound_access_tokens"] is True
    assert client.put(without=("dpop_bound_access_tokens",)).document["dpop_bound_access_tokens"] is True


@pytest.mark.parametrize("name", SAID_BY_THE_SERVER)
def test_what_only_the_server_says_is_not_in_a_request(untouched, name):
    """RFC 7592 §2.2."""
    assert told(untouched.put(**{name: untouched.made[name]})) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("client_id", [None, "cl_another", 7])
def test_the_request_holds_the_clients_own_id(untouched, client_id):
    """RFC 7592 §2.2."""
    assert told(untouched.put(client_id=client_id)) == (400, "invalid_client_metadata")


def test_another_clients_url_and_one_that_is_not_there_are_one_same_401(operator, untouched, client, until):
    """RFC 7592 §2, §2.1: whether there is such a client is nobody's business."""
    own = client.token
    bodies = set()
    for url, token in (
        (untouched.uri, own),
        (untouched.uri.replace(untouched.client_id, "cl_" + "0" * 22), own),
        (untouched.uri.replace(untouched.client_id, "%00"), own),
        (client.uri, "kfr_nonsense"),
        (client.uri, own[:-1]),
        (client.uri, untouched.token.replace("kfr_", "kfi_")),
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = operator.manage(method, url, token, {})
            assert answer.status == 401, (url, token)
            assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
            bodies.add(json.dumps(answer.document | {"error_id": ""}))
    assert len(bodies) == 1
    until(lambda: "kind=registration_token_misused subject=network" in operator.log)
    assert client.send("GET").status == 200  # none of it touched the token or the client
    assert untouched.send("GET").status == 200


def test_without_a_token_and_with_another_method_nothing_is_said(operator, untouched):
    missing = operator.manage("GET", untouched.uri, None)
    assert (missing.status, missing.headers["www-authenticate"]) == (401, 'Bearer realm="api"')
    for method in ("POST", "PATCH", "HEAD"):
        refused = operator.manage(method, untouched.uri, untouched.token)
        assert (refused.status, refused.headers["allow"]) == (405, "GET, PUT, DELETE")
    assert operator.manage("GET", untouched.uri + "?a=b", untouched.token).status == 400


def test_a_suspended_client_looks_after_nothing_until_it_goes_on(operator, client):
    operator.run("client", "suspend", client.client_id)
    assert {client.send(method, {}).status for method in ("GET", "PUT", "DELETE")} == {401}
    operator.run("client", "resume", client.client_id)
    assert client.send("GET").status == 200


def test_a_client_deletes_itself_and_all_that_it_has_ends(operator, client):
    """RFC 7592 §2.3: 204, no token works any more, and the feed tells the resources."""
    issued = client.ask(scope="studies:read").document["access_token"]
    assert client.client_id not in json.dumps(operator.feed())
    deleted = client.send("DELETE")
    assert (deleted.status, deleted.body) == (204, b"")
    assert deleted.headers["cache-control"] == "no-store"
    assert operator.introspect(issued)["active"] is False
    assert client.client_id in json.dumps(operator.feed())
    assert client.ask(scope="studies:read").status == 401
    assert told(client.send("GET")) == (401, "invalid_token")
    assert told(client.send("DELETE")) == (401, "invalid_token")
    assert operator.run("client", "show", client.client_id)["state"] == "revoked"
    (record,) = [
        one for one in operator.audit() if one["kind"] == "client_revoked" and one["client_id"] == client.client_id
    ]
    assert record["actor"] == f"client:{client.client_id}"


def test_a_client_that_the_operator_made_has_no_registration(operator):
    made = operator.client("made by the operator")
    answer = operator.run("registration", "renew", made.client_id, status=2)
    assert answer["error"] == "not-registered"

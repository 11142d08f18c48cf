"""`/oauth2/revocations`: the feed of what was withdrawn, as a resource reads it."""

import time

import pytest

from keyfob.jose import feeds, jws, keys
from keyfob.jose.keys import KeySet, write_jwks
from keyfob.oauth.revocation_feed import MalformedFeed

RESOURCE = "https://api.example"
OTHER = "https://other.example"


@pytest.fixture(scope="module")
def operator(new_operator):
    operator = new_operator()
    operator.serve()
    return operator


def entries(operator, since=0):
    return operator.feed(since)["revocations"]


def test_what_is_withdrawn_is_listed_until_no_token_of_it_can_live(operator):
    info = operator.client("leaves")
    operator.token(info, scope="studies:read")
    now = int(time.time())
    operator.run("client", "revoke", info.client_id)
    (entry,) = [one for one in entries(operator) if one.get("client_id") == info.client_id]
    assert now < entry["cutoff"] <= now + 60
    assert entry["exp"] >= entry["cutoff"] + 900


def test_a_reader_gets_what_is_new_since_it_asked(operator):
    first, second = operator.client("first"), operator.client("second")
    operator.run("client", "suspend", first.client_id)
    seen = operator.feed()
    assert entries(operator, seen["seq"]) == []
    operator.run("client", "suspend", second.client_id)
    (entry,) = entries(operator, seen["seq"])
    assert entry["client_id"] == second.client_id
    operator.run("client", "resume", second.client_id)
    (newer,) = entries(operator, seen["seq"])
    assert newer["cutoff"] < entry["cutoff"]
    assert operator.feed()["seq"] > seen["seq"]


def test_a_resource_learns_of_nobody_whom_it_does_not_serve(operator):
    elsewhere = operator.client("elsewhere", scope="studies:read")
    both = operator.client("both", "--resource", OTHER)
    at_other = operator.token(both, scope="studies:read", resource=OTHER).document["access_token"]
    assert operator.post("/oauth2/revoke", {"token": at_other}, client=both).status == 200
    operator.run("client", "suspend", elsewhere.client_id)

    def of(url):
        answer = operator.request(
            "POST",
            "/oauth2/revocations",
            "&".join(f"{k}={v}" for k, v in operator.assertion(url).items()).replace(":", "%3A").encode(),
            {"content-type": "application/x-www-form-urlencoded"},
        )
        published = KeySet.parse(write_jwks(operator.metadata()["keyfob_revocations_jwks"]["keys"]))
        feed = feeds.verify_feed(answer.body, published, issuer=operator.issuer, audience=url, now=int(time.time()))
        return {entry.id for entry in feed.revocations}

    jti = operator.introspect(operator.token(both, scope="studies:read").document["access_token"])["jti"]
    assert elsewhere.client_id in of(RESOURCE)
    assert elsewhere.client_id not in of(OTHER)
    assert len(of(OTHER) - of(RESOURCE)) == 1
    assert jti not in of(OTHER)


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "9" * 16])
def test_a_since_that_is_no_sequence_number_is_refused(operator, since):
    answer = operator.post("/oauth2/revocations", {"since": since})
    assert (answer.status, answer.document["error"]) == (400, "invalid_request")


def test_a_client_is_no_resource(operator):
    info = operator.client("curious")
    answer = operator.post("/oauth2/revocations", {}, client=info)
    assert (answer.status, answer.document["error"]) == (401, "invalid_client")


def test_the_feeds_key_signs_no_token_and_a_tokens_key_no_feed(operator):
    """Whoever steals one of the two keys cannot undo the other's work."""
    feed_kids = {key["kid"] for key in operator.metadata()["keyfob_revocations_jwks"]["keys"]}
    token_kids = {key["kid"] for key in operator.request("GET", "/oauth2/jwks").document["keys"]}
    assert feed_kids and not feed_kids & token_kids


def test_only_a_feed_of_this_issuer_for_this_resource_and_of_now_is_read():
    key = keys.generate("ES256")
    published = KeySet.parse(write_jwks([key.public_jwk()]))
    claims = {"iss": "https://i", "aud": "https://r", "iat": 1000, "exp": 1060, "since": 0, "seq": 3, "revocations": []}

    def read(kind="revocations+jwt", now=1000, signer=key, **changes):
        document = jws.sign(claims | changes, signer, header=signer.header(kind)).reveal_bytes()
        return feeds.verify_feed(document, published, issuer="https://i", audience="https://r", now=now)

    assert read().sequence == 3
    for bad in (
        {"kind": "at+jwt"},
        {"signer": keys.generate("ES256")},
        {"iss": "https://other"},
        {"aud": "https://other"},
        {"now": 1060 + 90},
        {"now": 1000 - 91},
        {"seq": -1},
        {"seq": True},
        {"revocations": None},
        {"revocations": [{"unheard_of": "x", "exp": 1}]},
        {"revocations": [{"kid": "a", "jti": "b", "exp": 1}]},
        {"revocations": [{"kid": "a"}]},
        {"revocations": ["a"]},
    ):
        with pytest.raises(MalformedFeed):
            read(**bad)

"""keyfob.server.refusals: from what a refused request showed to the reason, and never a word of what it held."""

import base64
import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.oauth.client_authentication import Method, PresentedCredential
from keyfob.oauth.errors import InvalidClient, InvalidRequest, InvalidScope, InvalidTarget, TooManyRequests
from keyfob.secret import Secret
from keyfob.server.endpoints.request import Request
from keyfob.server.refusals import words
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.diagnosis import diagnose
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.refusals.sighting import look, see
from keyfob.server.storage.records import Client, ClientView, Credential, Profile, Resource, ResourceGrant, State

NOW = 1_800_000_000
FORM = (b"content-type", b"application/x-www-form-urlencoded")
API = "https://api.example"
ID = "cl_" + "a" * 22
SECRET = client_secret.make("credential1", b"s" * 32)
RESOURCES = (Resource(API, (("studies:read", ""), ("subjects:read", ""), ("subjects:write", "")), (), "{}", NOW),)
VIEW = ClientView(
    Client(
        id=ID,
        partner_id="ptr_1",
        name="sync",
        state=State.ACTIVE,
        auth_method=Method.CLIENT_SECRET_BASIC,
        token_lifetime=300,
        profile=Profile.DEFAULT,
        grants=(ResourceGrant(API, frozenset({"studies:read"}), None),),
        authorization_details=(),
        created_at=NOW,
    ),
    State.ACTIVE,
    tuple(
        Credential(
            id=name,
            client_id=ID,
            state=state,
            secret_hash="x",
            not_before=NOW - 100,
            expires_at=NOW + 100,
            created_at=NOW - 100,
            replaces=None,
            overlap=1,
            first_use_by=None,
            overlap_ends_at=NOW - 5,
            sealed_at=NOW,
            delivered_at=None,
            acknowledged_at=None,
            first_used_at=None,
            first_used_from=None,
            last_used_at=None,
            last_used_from=None,
        )
        for name, state in (("credential1", State.RETIRED), ("credential2", State.ACTIVE))
    ),
)


def request(*headers, body=b"", query=b""):
    return Request("POST", headers, query, body, address="192.0.2.7", id="0" * 32)


def basic(text):
    return (b"authorization", b"Basic " + base64.b64encode(text.encode()))


def why(asked, refused, *, client_id=None, secret=SECRET, view=None, **parameters):
    presented = None
    if client_id is not None:
        presented = PresentedCredential(client_id, Method.CLIENT_SECRET_BASIC, secret)
    seen = see(asked, refused, presented=presented, parameters=parameters, view=view, now=NOW)
    return diagnose(seen, RESOURCES)


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ((), Cause.NO_CREDENTIALS),
        (((b"authorization", b"Bearer abc"),), Cause.NOT_BASIC),
        (((b"authorization", b"Basic a:b"),), Cause.NOT_BASE64),
        (((b"authorization", b"Basic YTpiYg"),), Cause.NOT_BASE64),
        ((basic("only-an-id"),), Cause.NO_COLON),
        ((basic(f"{ID}%3A{SECRET.reveal()}"),), Cause.ENCODED_TWICE),
        ((basic(f"{ID.replace('_', '%255F')}:{SECRET.reveal()}"),), Cause.ENCODED_TWICE),
        ((basic(f"{ID}:%zz"),), Cause.BADLY_ENCODED),
        ((basic("id with spaces:x"),), Cause.NEVER_ISSUED),
    ],
)
def test_what_is_wrong_with_a_header_is_found(headers, cause):
    assert why(request(FORM, *headers), InvalidClient(detail="")).cause is cause


@pytest.mark.parametrize(
    ("headers", "body", "cause"),
    [
        (((b"content-type", b"application/json"),), b"{}", Cause.JSON_BODY),
        ((FORM,), b' {"grant_type": 1}', Cause.JSON_BODY),
        (((b"content-type", b"multipart/form-data; boundary=x"),), b"", Cause.MULTIPART_BODY),
        ((), b"grant_type=client_credentials", Cause.NOT_A_FORM),
        ((FORM,), b"a=%f", Cause.MALFORMED_FORM),
    ],
)
def test_what_is_wrong_with_a_body_is_found(headers, body, cause):
    assert why(request(*headers, body=body), InvalidRequest("malformed")).cause is cause


def test_a_proxy_on_the_way_is_named_where_the_header_may_have_been_lost():
    assert "came_through_a_proxy" not in why(request(FORM), InvalidClient()).facts
    assert why(request(FORM, (b"via", b"1.1 x")), InvalidClient()).facts["came_through_a_proxy"] == "yes"


def test_parameters_in_the_url_and_a_secret_in_the_url_are_told_apart():
    refused = InvalidRequest("parameters belong in the body")
    assert why(request(FORM, query=b"scope=a"), refused).cause is Cause.PARAMETERS_IN_URL
    for query in (b"client_secret=x", b"a=" + SECRET.reveal_bytes(), b"Client_Secret=x"):
        assert why(request(FORM, query=query), refused).cause is Cause.SECRET_IN_URL
    seen = look(request(query=b"client_secret=x"), error="not_found", now=NOW)
    assert diagnose(seen, ()).cause is Cause.SECRET_IN_URL


def test_a_secret_that_decodes_once_more_to_our_form_was_encoded_twice():
    encoded = Secret(SECRET.reveal().replace("_", "%5F"))
    refused = InvalidClient(detail=Cause.MALFORMED_SECRET)
    assert why(request(FORM), refused, client_id=ID, secret=encoded, view=VIEW).cause is Cause.ENCODED_TWICE
    mistyped = Secret(SECRET.reveal()[:-1] + "%")
    assert why(request(FORM), refused, client_id=ID, secret=mistyped, view=VIEW).cause is Cause.MALFORMED_SECRET


def test_an_unknown_id_is_named_only_when_it_has_the_form_of_ours():
    refused = InvalidClient(detail=Cause.UNKNOWN_CLIENT)
    assert why(request(FORM), refused, client_id="cl_" + "b" * 22).facts == {"presented_client_id": "cl_" + "b" * 22}
    assert why(request(FORM), refused, client_id="hunter2").facts == {}
    swapped = why(request(FORM), refused, client_id=SECRET.reveal())
    assert (swapped.cause, swapped.facts) == (Cause.SWAPPED, {})


def test_an_old_secret_is_told_with_its_end_and_with_what_is_live():
    found = why(request(FORM), InvalidClient(detail=Cause.CREDENTIAL_RETIRED), client_id=ID, view=VIEW)
    assert found.facts == {
        "credential_id": "credential1",
        "overlap_ended_at": NOW - 5,
        "live_credentials": ["credential2"],
    }
    assert found.is_proven


def test_ungranted_scopes_are_named_if_registered_and_else_only_by_what_they_resemble():
    refused = InvalidScope("x", detail=Cause.SCOPE_NOT_GRANTED)
    found = why(
        request(FORM), refused, client_id=ID, view=VIEW, scope="studies:read subjects:write studys:read hunter2!"
    )
    assert found.facts["not_granted"] == ["subjects:write"]
    assert found.facts["registered_nowhere"] == 2
    assert found.facts["did_you_mean"] == ["studies:read"]
    assert "hunter2" not in json.dumps(found.facts)


def test_a_resource_is_named_if_registered_and_else_only_by_what_it_resembles():
    refused = InvalidTarget("x", detail=Cause.RESOURCE_NOT_GRANTED)
    near = why(request(FORM), refused, client_id=ID, view=VIEW, resource="https://api.example/v1").facts
    assert near == {"granted": [API], "did_you_mean": [API], "credential_id": "credential1"}
    far = why(request(FORM), refused, client_id=ID, view=VIEW, resource="https://x.test/" + SECRET.reveal()).facts
    assert "did_you_mean" not in far and SECRET.reveal() not in json.dumps(far)


@pytest.mark.parametrize(("offset", "told"), [(0, None), (5, None), (-5, None), (6, 6), (-6, -6), (86_400, 86_400)])
def test_a_clock_that_is_off_is_told_from_six_seconds_on(offset, told):
    dated = (b"date", formatdate(NOW + offset, usegmt=True).encode())
    found = why(request(FORM, dated), InvalidClient())
    assert found.facts.get("clock_offset") == told
    assert ("Its clock is" in words.happened(found)) is (told is not None)


def test_an_assertion_tells_the_clock_too_and_why_it_was_not_believed():
    claims = base64.urlsafe_b64encode(json.dumps({"iat": NOW - 90}).encode()).decode().rstrip("=")
    assertion = PresentedCredential("cl_x", Method.PRIVATE_KEY_JWT, Secret(f"e30.{claims}.x"))
    refused = InvalidClient(detail="the assertion expired 30 s ago: is a clock wrong?")
    seen = see(request(FORM), refused, presented=assertion, parameters={}, view=None, now=NOW)
    found = diagnose(seen, RESOURCES)
    assert found.cause is Cause.ASSERTION_REFUSED
    assert found.facts == {"said": "the assertion expired 30 s ago", "clock_offset": -90}
    assert "90 s behind" in words.happened(found)
    unreadable = why(request(FORM), InvalidClient(detail="client_assertion is no compact JWS"))
    assert unreadable.cause is Cause.ASSERTION_REFUSED


def test_an_attempt_that_was_slowed_down_keeps_its_own_reason():
    found = why(request(FORM), TooManyRequests(7, detail=Cause.WRONG_SECRET), client_id=ID, view=VIEW)
    assert found.cause is Cause.WRONG_SECRET
    assert found.facts["retry_after"] == 7
    assert "429" in words.happened(found)


def test_every_cause_has_words_for_both_sides():
    for cause in Cause:
        told = Explanation("0" * 32, NOW, "invalid_client", cause, ID, "192.0.2.7", {})
        for text in (words.happened(told), words.next_for_operator(told), words.next_for_client(told)):
            assert text and "{" not in text
        assert words.write_for_client(told)["reason"] == cause.name.lower()


printable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80)


@given(
    st.lists(st.tuples(st.sampled_from([b"authorization", b"content-type", b"date", b"via"]), st.binary(max_size=60))),
    st.binary(max_size=60),
    st.sampled_from([InvalidClient(), InvalidRequest("x"), InvalidScope("x"), InvalidTarget("x")]),
    st.none() | printable,
    st.sampled_from(Method),
    st.dictionaries(st.sampled_from(["scope", "resource"]), printable),
)
def test_no_request_is_beyond_explanation(headers, body, refused, secret, method, parameters):
    presented = None if secret is None else PresentedCredential("x", method, Secret(secret))
    seen = see(request(*headers, body=body), refused, presented=presented, parameters=parameters, view=VIEW, now=NOW)
    assert isinstance(diagnose(seen, RESOURCES).cause, Cause)

"""keyfob.oauth.client_registration and client_configuration: what is read is what was written, or refused by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import client_configuration, client_registration
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.client_configuration import KeysByToken, MoreThanHeld
from keyfob.oauth.client_registration import METHODS, ClientMetadata, RegisteredClient
from keyfob.oauth.errors import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidRequest,
    InvalidSoftwareStatement,
    InvalidToken,
    TooManyRequests,
    UnapprovedSoftwareStatement,
)
from keyfob.oauth.mutual_tls import CertificateSubject, SubjectField
from keyfob.secret import Secret

API, OTHER = "https://api.example", "https://other.example"
JSON_TYPE = [(b"content-type", b"application/json")]
MEMBERS = (
    *("redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_name", "client_uri"),
    *("logo_uri", "scope", "contacts", "tos_uri", "policy_uri", "jwks_uri", "jwks", "software_id", "software_version"),
    *("software_statement", "resource", "authorization_details", "keyfob_token_lifetime", "client_id", "client_secret"),
    *("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens", "tls_client_auth_san_dns"),
    *("tls_client_auth_subject_dn", "registration_access_token", "x_unheard"),
)
WORDS = st.sampled_from(
    [*METHODS, "client_secret_basic", "client_credentials", "code", "a:read", API, "https://a.example/x", "cl_1", ""]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | WORDS, inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
SCOPES = st.frozensets(st.sampled_from(["a:read", "b:read", "c:write"]), min_size=1)
RESOURCES = st.lists(st.sampled_from([API, OTHER]), min_size=1, unique=True).map(tuple)
STUDIES = st.lists(
    st.builds(
        CdmsStudy,
        st.sampled_from(["S.1", "S.2", "*"]),
        st.none() | st.frozensets(st.sampled_from(["001", "002", "003"]), min_size=1),
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)
KEYS = st.sampled_from(['{"keys":[{"kty":"EC"}]}', '{"keys":[{"kty":"RSA","n":"1"}]}'])
SUBJECTS = st.sampled_from(
    [CertificateSubject(SubjectField.SAN_DNS, "edc.acme.example"), CertificateSubject(SubjectField.SAN_IP, "192.0.2.1")]
)
DESCRIBED = st.fixed_dictionaries(
    {},
    optional={
        "client_uri": st.just("https://acme.example/sync?a=b"),
        "software_id": TEXTS,
        "contacts": st.lists(TEXTS, min_size=1, max_size=3),
    },
)


@st.composite
def metadatas(draw, said=None):
    """`said`: a strategy for what may be left out."""
    maybe = (lambda strategy: strategy) if said is None else (lambda strategy: st.none() | strategy)
    by_value = draw(st.booleans())
    return ClientMetadata(
        auth_method=draw(maybe(st.sampled_from(METHODS))),
        name=draw(maybe(TEXTS)),
        scope=draw(maybe(SCOPES)),
        resource=draw(maybe(RESOURCES)),
        authorization_details=draw(maybe(STUDIES)),
        token_lifetime=draw(maybe(st.integers(1, 900))),
        jwks=draw(maybe(KEYS)) if by_value else None,
        jwks_uri=None if by_value else draw(maybe(st.just("https://acme.example/jwks"))),
        tls_subject=draw(st.none() | SUBJECTS),
        dpop_bound=draw(maybe(st.booleans())),
        certificate_bound=draw(maybe(st.booleans())),
        described=draw(DESCRIBED),
    )


@given(metadatas())
def test_metadata_come_back_as_they_were_written(metadata):
    """RFC 7591 §3.2.1: also through JSON, as a client would send them."""
    document = json.loads(json.dumps(client_registration.write_metadata(metadata)))
    assert client_registration.read_metadata(document) == metadata
    assert document["grant_types"] == ["client_credentials"]
    assert document["response_types"] == []


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6))
def test_any_object_is_metadata_or_refused_and_never_quoted(document):
    """RFC 7591 §3.2.2."""
    try:
        found = client_registration.read_metadata(document)
    except (InvalidClientMetadata, InvalidRedirectUri, InvalidSoftwareStatement, UnapprovedSoftwareStatement):
        return
    assert found.auth_method in (*METHODS, None)
    assert client_registration.read_metadata(client_registration.write_metadata(found)) == found


def test_a_method_with_a_secret_two_ways_to_the_keys_and_a_secret_are_refused_by_name():
    """RFC 7591 §2, §3.2.1, §3.2.2."""
    for document, named in (
        ({"token_endpoint_auth_method": "client_secret_basic"}, "private_key_jwt"),
        ({"token_endpoint_auth_method": "none"}, "private_key_jwt"),
        ({"jwks": {"keys": []}, "jwks_uri": "https://acme.example/jwks"}, "jwks_uri"),
        ({"client_secret": "chosen"}, "secret"),
    ):
        with pytest.raises(InvalidClientMetadata, match=named):
            client_registration.read_metadata(document)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_object_or_refused(body):
    try:
        assert isinstance(client_registration.read_document(JSON_TYPE, body), dict)
    except InvalidRequest:
        return


def test_a_document_says_that_it_is_json():
    """RFC 7591 §3.1, RFC 7592 §2.2."""
    assert client_registration.read_document([(b"content-type", b"Application/JSON; charset=utf-8")], b"{}") == {}
    for media_type in (b"text/plain", b"application/x-www-form-urlencoded", b""):
        with pytest.raises(InvalidRequest):
            client_registration.read_document([(b"content-type", media_type)], b"{}")
    with pytest.raises(InvalidRequest):
        client_registration.read_document([], b"{}")


@given(metadatas(), metadatas(said=True))
def test_a_client_that_narrows_itself_has_never_more_than_before(held, asked):
    """RFC 7592 §2.2, and our own law: a registration token adds nothing."""
    try:
        found = client_configuration.narrow(asked, held)
    except InvalidClientMetadata:
        return
    assert found.scope <= held.scope
    assert set(found.resource) <= set(held.resource)
    assert found.token_lifetime <= held.token_lifetime
    assert (found.auth_method, found.jwks, found.jwks_uri, found.tls_subject) == (
        held.auth_method,
        held.jwks,
        held.jwks_uri,
        held.tls_subject,
    )
    assert found.dpop_bound >= held.dpop_bound
    assert found.certificate_bound >= held.certificate_bound
    for element in found.authorization_details:
        assert any(
            one.identifier in (element.identifier, "*")
            and (one.sites is None or (element.sites is not None and element.sites <= one.sites))
            for one in held.authorization_details
        )
    assert client_configuration.narrow(ClientMetadata(described=found.described), found) == found


@given(metadatas())
def test_what_was_read_may_be_sent_back_and_changes_nothing(held):
    """RFC 7592 §2.2."""
    assert client_configuration.narrow(held, held) == held


HELD = ClientMetadata(
    auth_method=Method.PRIVATE_KEY_JWT,
    name="sync",
    scope=frozenset({"a:read", "b:read"}),
    resource=(OTHER, API),
    authorization_details=(CdmsStudy("S.1", frozenset({"001", "002"})),),
    token_lifetime=300,
    jwks='{"keys":[{"kty":"EC","x":"1"}]}',
    dpop_bound=True,
    certificate_bound=False,
)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (ClientMetadata(scope=frozenset({"a:read", "c:write"})), MoreThanHeld),
        (ClientMetadata(resource=(API, "https://third.example")), MoreThanHeld),
        (ClientMetadata(token_lifetime=301), MoreThanHeld),
        (ClientMetadata(authorization_details=(CdmsStudy("S.2"),)), MoreThanHeld),
        (ClientMetadata(authorization_details=(CdmsStudy("S.1", frozenset({"003"})),)), MoreThanHeld),
        (ClientMetadata(dpop_bound=False), MoreThanHeld),
        (ClientMetadata(auth_method=Method.TLS_CLIENT_AUTH), KeysByToken),
        (ClientMetadata(jwks='{"keys":[]}'), KeysByToken),
        (ClientMetadata(jwks_uri="https://acme.example/jwks"), KeysByToken),
        (ClientMetadata(tls_subject=CertificateSubject(SubjectField.SAN_DNS, "a.example")), KeysByToken),
    ],
)
def test_more_and_other_keys_are_refused(asked, error):
    """RFC 7592 §2.2, §5."""
    with pytest.raises(error):
        client_configuration.narrow(asked, HELD)


def test_the_boundary_itself_is_no_more_than_what_is_held():
    same = ClientMetadata(token_lifetime=300, scope=HELD.scope, resource=(API, OTHER), dpop_bound=True)
    assert client_configuration.narrow(same, HELD).resource == (OTHER, API)  # the default stays the default


def test_the_same_keys_in_another_order_are_the_same():
    """RFC 8259 §4: the order of members carries no meaning."""
    again = ClientMetadata(jwks='{"keys":[{"x":"1","kty":"EC"}]}')
    assert client_configuration.narrow(again, HELD).jwks == HELD.jwks


@pytest.mark.parametrize("method", [Method.TLS_CLIENT_AUTH, Method.SELF_SIGNED_TLS_CLIENT_AUTH])
def test_who_is_known_by_a_certificate_does_not_bind_its_tokens_to_something_else(method):
    """RFC 8705 §3: a key of DPoP would take the place of the certificate."""
    held = ClientMetadata(auth_method=method, scope=HELD.scope, dpop_bound=False, certificate_bound=True)
    with pytest.raises(KeysByToken):
        client_configuration.narrow(ClientMetadata(dpop_bound=True), held)


def test_an_update_names_the_client_and_nothing_that_only_the_server_says():
    """RFC 7592 §2.2."""
    assert client_configuration.read_update({"client_id": "cl_1", "client_name": "a"}, client_id="cl_1").name == "a"
    for document in ({}, {"client_id": "cl_2"}, {"client_id": None}):
        with pytest.raises(InvalidClientMetadata):
            client_configuration.read_update(document, client_id="cl_1")
    for name in ("registration_access_token", "registration_client_uri", "client_id_issued_at"):
        with pytest.raises(InvalidClientMetadata, match=name):
            client_configuration.read_update({"client_id": "cl_1", name: None}, client_id="cl_1")


def test_a_token_comes_in_the_header_alone():
    """RFC 7591 §3.1, RFC 6750 §2: URLs are logged."""
    bearer = [(b"authorization", b"Bearer kfi_x")]
    assert client_registration.read_token(bearer, b"") == Secret("kfi_x")
    assert client_registration.read_token([], b"") is None
    for query in (b"access_token=kfi_x", b"a=b"):
        with pytest.raises(InvalidRequest):
            client_registration.read_token(bearer, query)


def test_an_answer_is_never_cached_and_says_where_the_client_looks_after_itself():
    """RFC 7591 §3.2.1, RFC 7592 §3."""
    made = RegisteredClient("cl_1", 7, HELD, "https://auth.example/oauth2/register/cl_1", Secret("kfr_x"))
    answer = client_registration.write_response(made, status=201)
    assert answer.status == 201
    assert dict(answer.headers) == {
        b"content-type": b"application/json",
        b"cache-control": b"no-store",
        b"pragma": b"no-cache",
    }
    document = json.loads(answer.body)
    assert (document["client_id"], document["client_id_issued_at"]) == ("cl_1", 7)
    assert document["registration_client_uri"] == made.registration_client_uri
    assert document["registration_access_token"] == "kfr_x"
    assert document["client_name"] == "sync"


def test_a_refusal_has_its_code_and_a_challenge_only_where_a_token_was_not_good():
    """RFC 7591 §3.2.2, RFC 6750 §3, §3.1."""
    refused = client_registration.write_error(InvalidClientMetadata("why", detail="private"), error_id="e" * 32)
    assert (refused.status, json.loads(refused.body)) == (
        400,
        {"error": "invalid_client_metadata", "error_description": "why", "error_id": "e" * 32},
    )
    assert b"www-authenticate" not in dict(refused.headers)
    bad = dict(client_registration.write_error(InvalidToken(), error_id="e").headers)
    assert bad[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')
    missing = client_registration.write_error(InvalidToken(), error_id="e", came_without_token=True)
    assert (missing.status, dict(missing.headers)[b"www-authenticate"]) == (401, b'Bearer realm="api"')
    slowed = client_registration.write_error(TooManyRequests(9), error_id="e")
    assert (slowed.status, dict(slowed.headers)[b"retry-after"]) == (429, b"9")


def test_a_deletion_is_204():
    """RFC 7592 §2.3."""
    assert (client_configuration.write_deleted().status, client_configuration.write_deleted().body) == (204, b"")

"""keyfob.oauth.server_metadata and resource_metadata: RFC 8414 and RFC 9728."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import resource_metadata, server_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.oauth.server_metadata import MalformedMetadata, ServerMetadata

ISSUER = "https://auth.example"
SERVER = ServerMetadata(
    ISSUER,
    f"{ISSUER}/oauth2/token",
    f"{ISSUER}/oauth2/jwks",
    scopes_supported=("a:read",),
    token_endpoint_auth_methods_supported=("client_secret_basic",),
    authorization_details_types_supported=("cdms_study",),
)
RESOURCE = ResourceMetadata(
    "https://api.example",
    (ISSUER,),
    {"a:read": "reads ä", "b:write": ""},
    ("cdms_study",),
    {"keys": [{"kty": "EC", "kid": "k"}]},
)


def test_the_well_known_path_stands_before_the_path():
    """RFC 8414 §3, §3.1, RFC 9728 §3, §3.1."""
    assert server_metadata.well_known("https://a.example/t/1") == (
        "https://a.example/.well-known/oauth-authorization-server/t/1"
    )
    assert (
        server_metadata.well_known("https://a.example/") == "https://a.example/.well-known/oauth-authorization-server"
    )
    assert resource_metadata.well_known("https://a.example/v1/") == (
        "https://a.example/.well-known/oauth-protected-resource/v1"
    )
    assert resource_metadata.well_known("https://a.example:8443") == (
        "https://a.example:8443/.well-known/oauth-protected-resource"
    )


@given(st.lists(st.sampled_from(["a:read", "b", "c"]), max_size=3, unique=True))
def test_server_metadata_come_back_as_they_were_written(scopes: list[str]):
    """RFC 8414 §3.2."""
    metadata = ServerMetadata(ISSUER, SERVER.token_endpoint, SERVER.jwks_uri, scopes_supported=tuple(scopes))
    body = server_metadata.write(metadata)
    assert server_metadata.read(body, issuer=ISSUER) == metadata
    assert json.loads(body)["response_types_supported"] == []
    assert ("scopes_supported" in json.loads(body)) == bool(scopes)


@pytest.mark.parametrize("issuer", ["https://auth.example/", "https://AUTH.example", "https://evil.example"])
def test_another_issuers_metadata_are_refused_byte_for_byte(issuer: str):
    """RFC 8414 §3.3, §4, §6.2: compared without any normalization."""
    with pytest.raises(MalformedMetadata):
        server_metadata.read(server_metadata.write(SERVER), issuer=issuer)


@pytest.mark.parametrize(
    "change",
    [
        {"jwks_uri": None},
        {"jwks_uri": "http://auth.example/jwks"},
        {"token_endpoint": "/oauth2/token"},
        {"scopes_supported": "a"},
        {"scopes_supported": [1]},
    ],
)
def test_a_broken_member_is_named(change: dict[str, object]):
    """RFC 8414 §2: what is required is there, and each URL is https."""
    document = {**json.loads(server_metadata.write(SERVER)), **change}
    with pytest.raises(MalformedMetadata, match=next(iter(change))):
        server_metadata.read(json.dumps(document).encode(), issuer=ISSUER)


def test_resource_metadata_come_back_as_they_were_written():
    """RFC 9728 §2, with scopes described."""
    assert resource_metadata.read(resource_metadata.write(RESOURCE)) == RESOURCE


@pytest.mark.parametrize(
    "change",
    [
        {"resource": None},
        {"resource": "http://api.example"},
        {"resource": "https://api.example#x"},
        {"scopes_supported": []},
        {"scopes_supported": ["a b"]},
        {"scopes_supported": ["a", ""]},
        {"keyfob_scopes": []},
        {"keyfob_scopes": {"a": 1}},
        {"jwks": []},
        {"jwks": {"keys": [{"kty": "EC", "d": "private"}]}},
        {"jwks": {"keys": [{"kty": "oct"}]}},
    ],
)
def test_a_resource_that_cannot_be_registered_is_refused(change: dict[str, object]):
    """RFC 9728 §2, RFC 7517 §9.2, RFC 8037 §2."""
    document = {**json.loads(resource_metadata.write(RESOURCE)), **change}
    with pytest.raises(MalformedMetadata):
        resource_metadata.read(json.dumps(document).encode())


@given(
    st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from(["resource", "scopes_supported", "issuer", "jwks"]),
        st.none() | st.text() | st.lists(st.text()),
        max_size=4,
    ).map(lambda d: json.dumps(d).encode())
)
def test_any_document_is_metadata_or_refused(body: bytes):
    with contextlib.suppress(MalformedMetadata):
        resource_metadata.read(body)
    with contextlib.suppress(MalformedMetadata):
        server_metadata.read(body, issuer=ISSUER)


def test_members_that_are_not_understood_are_ignored():
    """RFC 8414 §3.2, RFC 9728 §3.2."""
    document = {**json.loads(server_metadata.write(SERVER)), "new": {"a": 1}}
    assert server_metadata.read(json.dumps(document).encode(), issuer=ISSUER) == SERVER
    document = {**json.loads(resource_metadata.write(RESOURCE)), "new": {"a": 1}}
    assert resource_metadata.read(json.dumps(document).encode()) == RESOURCE


def test_a_resource_leaves_out_members_without_elements():
    """RFC 9728 §3.2."""
    written = json.loads(
        resource_metadata.write(ResourceMetadata("https://api.example", (), {"a": ""}, (), {"keys": []}))
    )
    assert "authorization_servers" not in written
    assert "authorization_details_types_supported" not in written
    assert written["scopes_supported"] == ["a"]


def test_a_document_without_bound_is_refused():
    with pytest.raises(MalformedMetadata):
        resource_metadata.read(b" " * (64 * 1024 + 1))

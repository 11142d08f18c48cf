"""keyfob.server.authorize: what was asked, within what was granted."""

import pytest

from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import InvalidAuthorizationDetails, InvalidScope, InvalidTarget
from keyfob.oauth.token_endpoint import TokenRequest
from keyfob.server.authenticate import AuthenticatedClient
from keyfob.server.authorize import authorize
from keyfob.server.storage.records import Client, Credential, Profile, ResourceGrant, State

FIRST, SECOND = "https://api.example", "https://other.example"
CREDENTIAL = Credential(
    "cr_1", "cl_1", State.ACTIVE, "hash", 0, 2**40, 0, None, 0, *[None] * 9
)  # fmt: skip


def client(default: frozenset[str] | None = None) -> AuthenticatedClient:
    grants = (
        ResourceGrant(FIRST, frozenset({"a:read", "b:read"}), default),
        ResourceGrant(SECOND, frozenset({"c:read"}), None),
    )
    details = (CdmsStudy("S.1", frozenset({"701"})),)
    made = Client(
        "cl_1", "pa_1", "sync", State.ACTIVE, Method.CLIENT_SECRET_BASIC, 300, Profile.DEFAULT, grants, details, 0
    )
    return AuthenticatedClient(made, CREDENTIAL)


def asked(scope: set[str] | None = None, resource: str | None = None, details=None) -> TokenRequest:
    return TokenRequest(None if scope is None else frozenset(scope), resource, details)


def test_a_request_that_names_no_resource_is_for_the_clients_default():
    """RFC 8707 §2, RFC 9068 §3."""
    assert authorize(client(), asked({"a:read"})).resource == FIRST


def test_the_resource_that_was_asked_for_is_the_tokens_or_there_is_none():
    """RFC 8707 §2, §2.2, RFC 9068 §3."""
    assert authorize(client(), asked({"c:read"}, SECOND)).resource == SECOND
    for other in (SECOND + "/v1", "https://api.example.evil.example", "https://API.example", "https://unknown.example"):
        with pytest.raises(InvalidTarget):
            authorize(client(), asked({"a:read"}, other))


def test_more_scope_than_is_granted_at_the_resource_is_refused_and_not_cut():
    """RFC 6749 §3.3, §5.2, RFC 9068 §2.2.3."""
    assert authorize(client(), asked({"a:read"})).scope == {"a:read"}
    for scope, resource in (
        ({"a:read", "c:read"}, None),
        ({"a:write"}, FIRST),
        ({"a:read"}, SECOND),
        ({"A:READ"}, None),
    ):
        with pytest.raises(InvalidScope):
            authorize(client(), asked(scope, resource))


def test_no_scope_is_the_default_one_or_a_refusal():
    """RFC 6749 §3.3: never all that is granted."""
    assert authorize(client(frozenset({"a:read"})), asked()).scope == {"a:read"}
    with pytest.raises(InvalidScope):
        authorize(client(), asked())


def test_details_are_those_of_the_request_within_the_grant():
    """RFC 9396 §6, §7."""
    assert authorize(client(), asked({"a:read"})).authorization_details == (CdmsStudy("S.1", frozenset({"701"})),)
    with pytest.raises(InvalidAuthorizationDetails):
        authorize(client(), asked({"a:read"}, details=(CdmsStudy("S.2"),)))

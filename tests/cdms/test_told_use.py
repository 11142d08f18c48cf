"""What the API tells of its use: scopes that are no route's are told when they were needed, and not else."""

from types import SimpleNamespace

from keyfob.cdms.app import _count
from keyfob.cdms.call import IDENTIFIERS, Call
from keyfob.cdms.routes import ROUTES
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.authorization_details import CdmsStudy

NOW = 1_000_000


def call(*held: str, scope: str = "clinical-data:read") -> Call:
    details = (CdmsStudy("S.1", frozenset({"701"}), None, None),)
    scopes = frozenset({scope, *held})
    token = AccessToken("i", "cl_1", "cl_1", "a", NOW, NOW + 300, "j", scopes, details)
    return Call(SimpleNamespace(), token, scope, {}, {}, (), b"", NOW)


def told(made: Call) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    guard = SimpleNamespace(count_use=lambda token, scope, *, method, route: seen.append((scope, route)))
    _count(guard, made, next(one for one in ROUTES if one.scope == made.scope))
    return seen


def test_a_scope_that_opened_something_is_told_beside_the_routes_own():
    made = call(IDENTIFIERS)
    assert made.holds(IDENTIFIERS, "S.1", "701") and made.holds("clinical-data:read", "S.1", "701")
    assert [scope for scope, _ in told(made)] == [IDENTIFIERS]
    assert "{subject_id}" in told(made)[0][1]


def test_what_was_not_held_or_did_not_reach_is_not_told():
    made = call(IDENTIFIERS)
    assert not made.holds(IDENTIFIERS, "S.1", "702") and not made.holds("subjects:write", "S.1", "701")
    assert told(made) == []

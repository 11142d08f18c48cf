"""Operators are persons: what each may do, how one is taken up, and how it is let go.

An operator may have a key of its own. By that it gets tokens for the admin API, and for nothing else: to the token
endpoint it is a client whose one resource is that API, and whose id is its key's thumbprint (RFC 7638), so that whoever
holds the key knows it.
"""

import json
from dataclasses import replace

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet, write_jwks
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle.names import check_name, near_miss
from keyfob.server.lifecycle.states import Event, after
from keyfob.server.secret_hash import NO_SECRET
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import (
    Client,
    ClientView,
    Credential,
    Operator,
    Profile,
    ResourceGrant,
    Role,
    State,
)

CLIENT_ID = "op_"
"""How the id of an operator begins at the token endpoint; the thumbprint of its key follows."""
TOKEN_LIFETIME = 300
_ID_BYTES = 16
_NEVER = 253402300799
"""The end of the year 9999: a key is replaced by hand, and ends with its operator."""

SCOPES = {
    "admin:read": "Read operators, partners, clients, resources, keys, notices, proposals and what needs attention",
    "admin:audit": "Read and verify the audit trail, and the reasons of refusals",
    "admin:resources": "Register resources",
    "admin:partners": "Take up, renew, suspend and end partners",
    "admin:clients": "Make and change clients and their credentials",
    "admin:keys": "Make and replace signing keys",
    "admin:declare": "Bring partners and clients to a declared state",
    "admin:alarms": "Send test alarms and test notices, and try notices again",
    "admin:operators": "Take up, suspend and remove operators",
    "admin:approve": "Approve and reject what another operator proposed",
}
"""The closed list. No scope implies another."""

SCOPES_OF: dict[Role, Scope] = {
    Role.OPERATOR: frozenset(SCOPES),
    Role.AUDITOR: frozenset({"admin:read", "admin:audit"}),
}

_KINDS = {
    Event.SUSPEND: Kind.OPERATOR_SUSPENDED,
    Event.RESUME: Kind.OPERATOR_RESUMED,
    Event.REVOKE: Kind.OPERATOR_REMOVED,
}


def audience(issuer: str) -> str:
    """Whom an operator's tokens are for. No resource can be registered by this name."""
    return f"{issuer}/admin"


def new(name: str, role: Role, jwks: str | None, *, now: int, entropy: Entropy) -> Operator:
    """An operator that is yet to be added. Raises Misuse."""
    jwk, key_id = (None, None) if jwks is None else _own_key(jwks)
    check_name(name, of="operator")
    return Operator(
        id=client_secret.new_id("opr_", entropy(_ID_BYTES)),
        name=name,
        role=role,
        state=State.ACTIVE,
        public_jwk=jwk,
        key_id=key_id,
        created_at=now,
    )


def add(change: Change, operator: Operator) -> None:
    """Raises Misuse when somebody living has the name or the key."""
    for other in living(change.reading):
        if other.name == operator.name:
            raise Misuse("operator-exists", f"there is an operator {other.name!r} already", hint="see operator list")
        _check_key_free(other, operator)
    change.add_operator(operator)
    change.record(
        Kind.OPERATOR_ADDED,
        operator_id=operator.id,
        name=operator.name,
        role=operator.role.value,
        thumbprint=operator.key_id,
    )


def set_key(change: Change, name: str, jwks: str) -> Operator:
    """Another key for an operator, in place of the one it had, if any: the old one's tokens end. Raises Misuse."""
    operator = get(change.reading, name)
    jwk, key_id = _own_key(jwks)
    changed = replace(operator, public_jwk=jwk, key_id=key_id)
    for other in living(change.reading):
        if other.id != operator.id:
            _check_key_free(other, changed)
    change.put_operator(changed)
    change.record(Kind.OPERATOR_KEY_CHANGED, operator_id=operator.id, name=name, thumbprint=key_id)
    return changed


def take_key(change: Change, operator: Operator) -> None:
    """The key is nobody's any more, and its tokens end; the operator stays, and gets another by `set_key`."""
    change.put_operator(replace(operator, public_jwk=None, key_id=None))
    change.record(Kind.OPERATOR_KEY_CHANGED, operator_id=operator.id, name=operator.name, thumbprint=None)


def set_state(change: Change, name: str, event: Event) -> Operator:
    """Suspend, resume or remove; a removed one stays on record, and gives its name free.

    Raises Problem when nobody would be left who may do anything.
    """
    operator = get(change.reading, name)
    changed = replace(operator, state=after(operator.state, event))
    others = [one for one in living(change.reading) if one.id != operator.id]
    if changed.state is not State.ACTIVE and not any(map(_may_act, others)) and _may_act(operator):
        raise Problem("last-operator", f"{name} is the last operator who may act", hint="operator add another first")
    change.put_operator(changed)
    change.record(_KINDS[event], operator_id=operator.id, name=name)
    return changed


def living(reading: Reading) -> list[Operator]:
    """All who are not removed."""
    return [one for one in reading.operators() if one.state is not State.REVOKED]


def get(reading: Reading, name: str) -> Operator:
    """The living operator called `name`. Raises Misuse that names the nearest."""
    known = {one.name: one for one in living(reading)}
    if name not in known:
        raise Misuse("unknown-operator", f"there is no operator {name!r}", hint=near_miss(name, known))
    return known[name]


def check_may(operator: Operator, scope: str) -> None:
    """Raises Problem unless `operator` may do what needs `scope`, now."""
    if operator.state is not State.ACTIVE:
        raise Problem("operator-not-active", f"the operator {operator.name} is {operator.state}: nothing was done")
    if scope not in SCOPES_OF[operator.role]:
        raise Problem("role", f"{operator.name} is an {operator.role}, who may not do this: nothing was done")


def check_acts(operator: Operator) -> None:
    """Raises Problem unless `operator` may change something, now."""
    if not _may_act(operator):
        raise Problem("role", f"{operator.name}, {operator.role}, {operator.state}, may not do this: nothing was done")


def as_client(operator: Operator, issuer: str) -> ClientView:
    """What the token endpoint knows of an operator with a key: a client with one resource, the admin API."""
    assert operator.key_id is not None
    assert operator.public_jwk is not None
    client_id = CLIENT_ID + operator.key_id
    client = Client(
        id=client_id,
        partner_id="",
        name=operator.name,
        state=operator.state,
        auth_method=Method.PRIVATE_KEY_JWT,
        token_lifetime=TOKEN_LIFETIME,
        profile=Profile.DEFAULT,
        grants=(ResourceGrant(audience(issuer), SCOPES_OF[operator.role], None),),
        authorization_details=(),
        created_at=operator.created_at,
        jwks=write_jwks([json.loads(operator.public_jwk)]).decode(),
    )
    credential = Credential(
        id=operator.key_id,
        client_id=client_id,
        state=State.ACTIVE,
        secret_hash=NO_SECRET,
        not_before=0,
        expires_at=_NEVER,
        created_at=operator.created_at,
        replaces=None,
        overlap=0,
        first_use_by=None,
        overlap_ends_at=None,
        sealed_at=None,
        delivered_at=None,
        acknowledged_at=None,
        first_used_at=None,
        first_used_from=None,
        last_used_at=None,
        last_used_from=None,
    )
    return ClientView(client, State.ACTIVE, (credential,))


def _may_act(operator: Operator) -> bool:
    return operator.state is State.ACTIVE and operator.role is Role.OPERATOR


def _check_key_free(other: Operator, operator: Operator) -> None:
    if operator.key_id is not None and other.key_id == operator.key_id:
        raise Misuse(
            "key-known", f"that key is {other.name}'s", hint="a key is one person's: keyfob-server operator keygen"
        )


def _own_key(jwks: str) -> tuple[str, str]:
    """The one key of a set, and its thumbprint. Raises Misuse."""
    try:
        found = ClientKeys.parse(jwks.encode()).keys
    except MalformedKeySet as malformed:
        raise Misuse(
            "bad-jwks", f"the key cannot be used: {malformed}", hint="make one: keyfob-server operator keygen"
        ) from None
    if len(json.loads(jwks)["keys"]) != 1:
        raise Misuse("many-keys", "an operator has one key", hint="give a set with that key alone")
    member = json.loads(jwks)["keys"][0]
    return json.dumps(member, sort_keys=True), found[0].thumbprint

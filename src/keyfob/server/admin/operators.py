"""The operations on operators."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Name, Nothing, Operation
from keyfob.server.lifecycle import operators
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.records import Operator, Role

KeySet = Annotated[dict[str, Any], Meta(description="A JWK set (RFC 7517) with one public key.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperator:
    name: Name
    role: Literal["operator", "auditor"] = "operator"
    jwks: KeySet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKey:
    name: Name
    jwks: KeySet


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorName:
    name: Name


def _list(desk: Desk, _asked: Nothing) -> Document:
    with desk.installation.store.reading() as reading:
        return {"operators": [_document(one) for one in reading.operators()]}


def _add(desk: Desk, asked: NewOperator) -> Document:
    jwks = None if asked.jwks is None else json.dumps(asked.jwks)
    made = operators.new(asked.name, Role(asked.role), jwks, now=desk.clock(), entropy=desk.entropy)
    with desk.change() as change:
        operators.add(change, made)
    return _document(made)


def _set_key(desk: Desk, asked: OperatorKey) -> Document:
    with desk.change() as change:
        return _document(operators.set_key(change, asked.name, json.dumps(asked.jwks)))


def _suspend(desk: Desk, asked: OperatorName) -> Document:
    return _set_state(desk, asked, Event.SUSPEND)


def _resume(desk: Desk, asked: OperatorName) -> Document:
    return _set_state(desk, asked, Event.RESUME)


def _remove(desk: Desk, asked: OperatorName) -> Document:
    return _set_state(desk, asked, Event.REVOKE)


def _set_state(desk: Desk, asked: OperatorName, event: Event) -> Document:
    with desk.change() as change:
        return _document(operators.set_state(change, asked.name, event))


def _document(one: Operator) -> Document:
    return {
        "operator_id": one.id,
        "name": one.name,
        "role": one.role.value,
        "state": one.state.value,
        "client_id": None if one.key_id is None else operators.CLIENT_ID + one.key_id,
        "created_at": one.created_at,
    }


_ALL, _ONE = "/admin/v1/operators", "/admin/v1/operators/{name}"
_SCOPE = "admin:operators"
LIST = Operation("operator.list", "operator list", "GET", _ALL, "admin:read", Nothing, _list, "All operators")
# Who could add an operator alone could be two.
ADD = Operation(
    "operator.add", "operator add", "POST", _ALL, _SCOPE, NewOperator, _add, "Take up an operator", needs=RIGHTS
)
SET_KEY = Operation(
    "operator.key", "operator key", "PUT", _ONE + "/key", _SCOPE, OperatorKey, _set_key,
    "Give an operator another key", needs=RIGHTS,
)  # fmt: skip
SUSPEND = Operation(
    "operator.suspend", "operator suspend", "POST", _ONE + "/suspend", _SCOPE, OperatorName, _suspend,
    "Suspend an operator",
)  # fmt: skip
RESUME = Operation(
    "operator.resume", "operator resume", "POST", _ONE + "/resume", _SCOPE, OperatorName, _resume,
    "Let a suspended operator go on", needs=RIGHTS,
)  # fmt: skip
REMOVE = Operation(
    "operator.remove", "operator remove", "POST", _ONE + "/remove", _SCOPE, OperatorName, _remove,
    "Remove an operator for good",
)  # fmt: skip
OPERATIONS = (LIST, ADD, SET_KEY, SUSPEND, RESUME, REMOVE)

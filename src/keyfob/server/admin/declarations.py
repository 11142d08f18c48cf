"""The operations on the declared state: which partners and clients there are, and are to be, as one document."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from keyfob.problem import Misuse, Problem
from keyfob.server.admin import messages
from keyfob.server.admin.clients import see_keys
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import FINGERPRINTS, RIGHTS, File, Needs, Nothing, Operation, Text
from keyfob.server.lifecycle import declaration, declaration_form, reconciling
from keyfob.server.lifecycle.credentials import Issued
from keyfob.server.lifecycle.reconciling import Doing, Plan, Step
from keyfob.server.storage.reading import Reading
from keyfob.settings import Fault, check_faultless

MAX_BYTES = 1024 * 1024
"""Of the request's body."""
PATH = "/admin/v1/declaration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """`files`: the content of each file that `declared` names. `dry_run`: the plan, with what is wrong. `plan`: the one
    that was agreed to; if it is no longer what would be done, nothing is. `where`: what the document is called.
    """

    declared: Annotated[dict[str, Any], Meta(extra_json_schema=declaration_form.schema())]
    files: Annotated[dict[str, File], Meta(max_length=1000)]
    suspend_undeclared: bool = False
    dry_run: bool = False
    plan: Text | None = None
    where: Text = "declared"


def _apply(desk: Desk, asked: Declared) -> Document:
    with desk.installation.store.reading() as reading:
        made, faults = _plan(desk, reading, asked)
    document = {
        "steps": [_step(one) for one in made.steps],
        "undeclared": [{"partner": partner, "client": client} for partner, client in made.undeclared],
        "plan": _digest(made),
    }
    if asked.dry_run:
        wrong = [{"where": one.where, "code": one.code, "message": one.message, "hint": one.hint} for one in faults]
        return {"outcome": "planned" if made.steps else "nothing", **document, "faults": wrong}
    _check(faults, of=asked.where)
    if not made.steps:
        return {"outcome": "nothing", **document}
    if asked.plan is not None and asked.plan != _digest(made):
        raise Problem("plan-changed", "something was changed meanwhile: nothing was done", hint="look at the plan anew")
    for step in made.steps:
        if step.application is not None:
            see_keys(desk, step.application.jwks_uri, step.application.auth_method)
    steps: list[Document] = []

    def told(step: Step, issued: Issued | None) -> None:
        steps.append(_step(step) | ({} if issued is None else messages.issued(desk, issued)))

    doing = Doing(desk.installation, desk.outlet, desk.clock, desk.entropy, desk.actor.in_audit)
    reconciling.apply(made, doing, told=told)
    return {"outcome": "applied", **document, "steps": steps}


def _needs_second(desk: Desk, reading: Reading, asked: Declared) -> frozenset[Needs]:
    if asked.dry_run:
        return frozenset()
    made, faults = _plan(desk, reading, asked)
    _check(faults, of=asked.where)
    return frozenset(Needs(one) for step in made.steps for one in step.needs)


def _plan(desk: Desk, reading: Reading, asked: Declared) -> tuple[Plan, tuple[Fault, ...]]:
    def content(name: str) -> bytes:
        if name not in asked.files:
            raise Misuse("file-missing", f"the file {name!r} did not come with it", hint="send its content in files")
        return asked.files[name].encode()

    declared, faults = declaration.read(asked.declared, content, where=asked.where)
    suspend = asked.suspend_undeclared and not faults
    made = reconciling.plan(reading, desk.installation, declared, suspend_undeclared=suspend, now=desk.clock())
    return made, (*faults, *made.faults)


def _check(faults: Sequence[Fault], *, of: str) -> None:
    """Raises Problem: the request is in its form, and what it declares cannot be."""
    try:
        check_faultless(faults, of=of)
    except Misuse as refused:
        raise Problem("bad-declaration", refused.message, hint=refused.hint, more=refused.more) from None


def _digest(made: Plan) -> str:
    said = [[step.act, step.partner, step.client, list(step.lines)] for step in made.steps]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _step(step: Step) -> Document:
    return {
        "act": step.act,
        "partner": step.partner,
        "client": step.client,
        "changes": list(step.lines),
        "makes_secret": step.makes_secret,
    }


def _export(desk: Desk, _asked: Nothing) -> Document:
    with desk.installation.store.reading() as reading:
        tree, files = declaration_form.export(reading)
    return {"declared": tree, "files": {name: content.decode() for name, content in files.items()}}


APPLY = Operation(
    "declaration.apply", "apply", "POST", PATH, "admin:declare", Declared, _apply,
    "Bring partners and clients to a declared state", needs=RIGHTS | FINGERPRINTS, second=_needs_second,
)  # fmt: skip
EXPORT = Operation(
    "declaration.export", "export", "GET", PATH, "admin:read", Nothing, _export,
    "Partners and clients as a declared state",
)  # fmt: skip
OPERATIONS = (APPLY, EXPORT)

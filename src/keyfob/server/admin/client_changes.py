"""The operation that changes in place what a client may do."""

from dataclasses import dataclass, replace
from typing import Any

from keyfob.problem import Misuse
from keyfob.server.admin.client_document import version
from keyfob.server.admin.clients import ClientId
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation
from keyfob.server.admin.rights import DetailsList, Resources, ScopeText, TokenLifetime, read_details, read_scope
from keyfob.server.lifecycle import alterations, clients
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """What is left out stays as it is. `dry_run`: nothing is changed."""

    client_id: ClientId
    scope: ScopeText | None = None
    resources: Resources | None = None
    default_scope: ScopeText | None = None
    no_default_scope: bool = False
    authorization_details: DetailsList | None = None
    token_lifetime: TokenLifetime | None = None
    dry_run: bool = False


def _change(desk: Desk, asked: Alteration) -> Document:
    with desk.installation.store.reading() as reading:
        before, after = _altered(reading, asked, now=desk.clock())
    changed = alterations.differences(before, after)
    if not asked.dry_run:
        with desk.change() as change:
            desk.check_version(version(clients.get(change.reading, asked.client_id)))
            alterations.alter(change, before, after, now=desk.clock())
    return {
        "client_id": asked.client_id,
        "changed": {name: {"before": old, "after": new} for name, (old, new) in changed.items()},
    }


def _needs_second(desk: Desk, reading: Reading, asked: Alteration) -> frozenset[Needs]:
    """To take a right away needs nobody else."""
    before, after = _altered(reading, asked, now=desk.clock())
    return RIGHTS if not asked.dry_run and alterations.gives(before, after) else frozenset()


def _altered(reading: Reading, asked: Alteration, *, now: int) -> tuple[Client, Client]:
    wanted: dict[str, Any] = {}
    if asked.scope is not None:
        wanted["scope"] = read_scope(asked.scope)
    if asked.resources is not None:
        wanted["resources"] = asked.resources
    if asked.default_scope is not None and asked.no_default_scope:
        raise Misuse("default-twice", "default_scope and no_default_scope exclude each other", hint="give one")
    if asked.default_scope is not None or asked.no_default_scope:
        text = asked.default_scope
        wanted["default_scope"] = None if text is None else read_scope(text, "default_scope")
    if asked.authorization_details is not None:
        wanted["details"] = read_details(asked.authorization_details)
    if asked.token_lifetime is not None:
        wanted["token_lifetime"] = asked.token_lifetime
    if not wanted:
        raise Misuse("nothing-asked", "nothing is to be changed", hint="see client change --help")
    before = clients.get(reading, asked.client_id).client
    application = replace(alterations.application_of(before, reading.partner_of(before).name), **wanted)
    return before, alterations.altered(reading, before, application, now=now)


CHANGE = Operation(
    "client.change", "client change", "POST", "/admin/v1/clients/{client_id}/change", "admin:clients", Alteration,
    _change, "Change in place what a client may do", needs=RIGHTS, second=_needs_second, versioned=True,
)  # fmt: skip
OPERATIONS = (CHANGE,)

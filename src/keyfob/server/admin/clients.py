"""The operations on clients."""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import Method
from keyfob.problem import Misuse, Problem
from keyfob.refreshing import CannotFetch
from keyfob.server import networks
from keyfob.server.admin import paging
from keyfob.server.admin.client_document import version, view_document
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation, Page, Text
from keyfob.server.lifecycle import announcements, clients, information
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.reading import Reading

ClientId = Annotated[str, Meta(min_length=1, max_length=128)]
KeySet = Annotated[dict[str, Any], Meta(description="A JWK set (RFC 7517).")]
NetworkList = tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneClient:
    client_id: ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Exactly one of the two."""

    client_id: ClientId
    jwks: KeySet | None = None
    jwks_uri: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """`networks` empty: from anywhere."""

    client_id: ClientId
    networks: NetworkList


def _list(desk: Desk, asked: Page) -> Document:
    after = paging.read_cursor(asked.cursor, is_one=_is_place)
    with desk.installation.store.reading() as reading:
        found = reading.clients(after=after, limit=asked.limit + 1)  # type: ignore[arg-type]  # _is_place saw to it
        owners = {one.id: one.name for one in reading.partners()}
    listed = found[: asked.limit]
    return {
        "clients": [
            {
                "client_id": one.id,
                "name": one.name,
                "partner": owners[one.partner_id],
                "state": one.state.value,
                "scope": scopes.write(clients.full_scope(one)),
                "created_at": one.created_at,
            }
            for one in listed
        ],
        "next": paging.write_cursor([listed[-1].created_at, listed[-1].id]) if len(found) > asked.limit else None,
    }


def _show(desk: Desk, asked: OneClient) -> Document:
    now = desk.clock()
    with desk.installation.store.reading() as reading:
        view = clients.get(reading, asked.client_id)
        owner = reading.partner_of(view.client)
        registered = reading.find_registration(asked.client_id)
        announced = announcements.waiting(reading, client_id=asked.client_id)
    return view_document(view, owner.name, registered, announced, now)


def _information(desk: Desk, asked: OneClient) -> Document:
    signed = information.sign(desk.installation, asked.client_id, now=desk.clock())
    return {"client_id": asked.client_id, "information": signed}


def _suspend(desk: Desk, asked: OneClient) -> Document:
    return _set_state(desk, asked, Event.SUSPEND)


def _resume(desk: Desk, asked: OneClient) -> Document:
    return _set_state(desk, asked, Event.RESUME)


def _set_state(desk: Desk, asked: OneClient, event: Event) -> Document:
    with desk.change() as change:
        # As of here, where nobody else writes: it may have taken long to get a turn, and tokens went out meanwhile.
        state = clients.set_state(change, asked.client_id, event, now=desk.clock())
    return {"client_id": asked.client_id, "state": state.value}


def _set_networks(desk: Desk, asked: Networks) -> Document:
    wanted = clients.read_networks(asked.networks, option="networks")
    with desk.change() as change:
        desk.check_version(version(clients.get(change.reading, asked.client_id)))
        clients.set_networks(change, asked.client_id, wanted)
    return {"client_id": asked.client_id, "networks": list(wanted)}


def _needs_second(_desk: Desk, reading: Reading, asked: Networks) -> frozenset[Needs]:
    """To narrow from where it may come needs nobody else."""
    before = clients.get(reading, asked.client_id).client.networks
    wanted = clients.read_networks(asked.networks, option="networks")
    return frozenset() if networks.are_within(wanted, before) else RIGHTS


def _set_keys(desk: Desk, asked: Keys) -> Document:
    if (asked.jwks is None) == (asked.jwks_uri is None):
        raise Misuse("keys-missing", "exactly one of jwks and jwks_uri is needed", hint="a key set, or its URL")
    jwks, url = read_keys(asked.jwks, asked.jwks_uri)
    with desk.installation.store.reading() as reading:
        method = clients.get(reading, asked.client_id).client.auth_method
    see_keys(desk, url, method)
    with desk.change() as change:
        desk.check_version(version(clients.get(change.reading, asked.client_id)))
        clients.set_keys(change, asked.client_id, jwks=jwks, jwks_uri=url, now=desk.clock())
    return {"client_id": asked.client_id, "thumbprints": clients.thumbprints(jwks), "jwks_uri": url}


def read_keys(jwks: dict[str, Any] | None, jwks_uri: str | None) -> tuple[str | None, str | None]:
    """Both as they are kept. Raises Misuse."""
    return (
        None if jwks is None else clients.read_jwks(json.dumps(jwks).encode(), where="jwks"),
        None if jwks_uri is None else clients.check_jwks_uri(jwks_uri),
    )


def see_keys(desk: Desk, jwks_uri: str | None, method: Method) -> None:
    """Fetch the keys once, so that a wrong URL shows now and not at the partner's first call. Raises Problem."""
    if jwks_uri is None or desk.key_sets is None:
        return
    try:
        found = asyncio.run(desk.key_sets.fetch(jwks_uri))
    except CannotFetch as failed:
        raise Problem(
            "keys-not-fetched", str(failed), hint="mend the URL, or give the keys by value: --jwks FILE"
        ) from failed
    if method is Method.SELF_SIGNED_TLS_CLIENT_AUTH:
        clients.check_certificates(found)


def _is_place(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], int)
        and abs(value[0]) < 2**62
        and isinstance(value[1], str)
        and "\0" not in value[1]
    )


_ALL, _ONE = "/admin/v1/clients", "/admin/v1/clients/{client_id}"
_SCOPE = "admin:clients"
LIST = Operation("client.list", "client list", "GET", _ALL, "admin:read", Page, _list, "All clients", lists="clients")
SHOW = Operation(
    "client.show", "client show", "GET", _ONE, "admin:read", OneClient, _show, "One client", versioned=True
)
INFORMATION = Operation(
    "client.information", "client information", "GET", _ONE + "/information", "admin:read", OneClient, _information,
    "What a client with keys has to know, signed by the operator",
)  # fmt: skip
SUSPEND = Operation(
    "client.suspend", "client suspend", "POST", _ONE + "/suspend", _SCOPE, OneClient, _suspend, "Suspend a client"
)
RESUME = Operation(
    "client.resume", "client resume", "POST", _ONE + "/resume", _SCOPE, OneClient, _resume,
    "Let a suspended client go on", needs=RIGHTS,
)  # fmt: skip
ALLOW = Operation(
    "client.allow", "client allow", "PUT", _ONE + "/networks", _SCOPE, Networks, _set_networks,
    "Say from which networks a client may come", needs=RIGHTS, second=_needs_second, versioned=True,
)  # fmt: skip
SET_KEYS = Operation(
    "client.keys", "client keys", "PUT", _ONE + "/keys", _SCOPE, Keys, _set_keys,
    "Give a client that signs other public keys", needs=RIGHTS, versioned=True,
)  # fmt: skip
OPERATIONS = (LIST, SHOW, INFORMATION, SUSPEND, RESUME, ALLOW, SET_KEYS)

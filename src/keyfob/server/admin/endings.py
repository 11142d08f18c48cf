"""The operations that cannot be taken back; and, for each, the question whom it would concern."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.server.admin.clients import ClientId, OneClient
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.partners import OnePartner
from keyfob.server.lifecycle import clients, endings, partners
from keyfob.server.lifecycle.endings import Touched
from keyfob.server.lifecycle.states import Event, after


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCredential:
    client_id: ClientId
    credential_id: Annotated[str, Meta(min_length=1, max_length=128)]


def _client_ends(desk: Desk, asked: OneClient) -> Document:
    with desk.installation.store.reading() as reading:
        found = clients.get(reading, asked.client_id).client
        touched = endings.of_client(reading, asked.client_id, now=desk.clock())
    after(found.state, Event.REVOKE)
    return {"client_id": found.id, "name": found.name, **touched.document}


def _revoke_client(desk: Desk, asked: OneClient) -> Document:
    with desk.change() as change:
        # As of here, where nobody else writes: it may have taken long to get a turn, and tokens went out meanwhile.
        state = clients.set_state(change, asked.client_id, Event.REVOKE, now=desk.clock())
    return {"client_id": asked.client_id, "state": state.value}


def _credential_ends(desk: Desk, asked: OneCredential) -> Document:
    with desk.installation.store.reading() as reading:
        found = clients.get(reading, asked.client_id).client
        touched = endings.of_credential(reading, asked.client_id, asked.credential_id)
    return {"client_id": found.id, "name": found.name, **touched.document}


def _revoke_credential(desk: Desk, asked: OneCredential) -> Document:
    with desk.change() as change:
        others = endings.revoke_credential(change, asked.client_id, asked.credential_id, now=desk.clock())
    return {
        "client_id": asked.client_id,
        "credential_id": asked.credential_id,
        "state": "revoked",
        "others_work": others,
    }


def _client_goes(desk: Desk, asked: OneClient) -> Document:
    with desk.installation.store.reading() as reading:
        view = clients.get(reading, asked.client_id)
        endings.check_deletable(reading, state=view.client.state, client_ids=[asked.client_id], now=desk.clock())
    touched = Touched((asked.client_id,), tuple(one.id for one in view.credentials), ())
    return {"client_id": asked.client_id, "name": view.client.name, **touched.document}


def _delete_client(desk: Desk, asked: OneClient) -> Document:
    with desk.change() as change:
        endings.delete_client(change, asked.client_id, now=desk.clock())
    return {"client_id": asked.client_id, "state": "deleted"}


def _partner_ends(desk: Desk, asked: OnePartner) -> Document:
    with desk.installation.store.reading() as reading:
        found = partners.get(reading, asked.partner)
        touched = endings.of_partner(reading, asked.partner, now=desk.clock())
    after(found.state, Event.REVOKE)
    return {"partner": found.name, **touched.document}


def _revoke_partner(desk: Desk, asked: OnePartner) -> Document:
    with desk.change() as change:
        touched = endings.revoke_partner(change, asked.partner, now=desk.clock())
    return {"partner": asked.partner, "state": "revoked", **touched.document}


def _partner_goes(desk: Desk, asked: OnePartner) -> Document:
    with desk.installation.store.reading() as reading:
        found = partners.get(reading, asked.partner)
        ids = tuple(one.id for one in reading.clients(partner_id=found.id))
        endings.check_deletable(reading, state=found.state, client_ids=ids, now=desk.clock())
    return {"partner": found.name, **Touched(ids, (), ()).document}


def _delete_partner(desk: Desk, asked: OnePartner) -> Document:
    with desk.change() as change:
        ids: Sequence[str] = endings.delete_partner(change, asked.partner, now=desk.clock())
    return {"partner": asked.partner, "state": "deleted", "clients": list(ids)}


_CLIENT, _PARTNER = "/admin/v1/clients/{client_id}", "/admin/v1/partners/{partner}"
_CREDENTIAL = _CLIENT + "/credentials/{credential_id}"
_READ = "admin:read"
CLIENT_ENDS = Operation(
    "client.ends", "client revoke", "GET", _CLIENT + "/revoke", _READ, OneClient, _client_ends,
    "What ends when a client is revoked",
)  # fmt: skip
REVOKE_CLIENT = Operation(
    "client.revoke", "client revoke", "POST", _CLIENT + "/revoke", "admin:clients", OneClient, _revoke_client,
    "End a client for good",
)  # fmt: skip
CREDENTIAL_ENDS = Operation(
    "credential.ends", "client revoke-credential", "GET", _CREDENTIAL + "/revoke", _READ, OneCredential,
    _credential_ends, "What ends when a secret is revoked",
)  # fmt: skip
REVOKE_CREDENTIAL = Operation(
    "credential.revoke", "client revoke-credential", "POST", _CREDENTIAL + "/revoke", "admin:clients", OneCredential,
    _revoke_credential, "End one secret of a client for good",
)  # fmt: skip
CLIENT_GOES = Operation(
    "client.goes", "client delete", "GET", _CLIENT + "/delete", _READ, OneClient, _client_goes,
    "What goes when a client is deleted",
)  # fmt: skip
DELETE_CLIENT = Operation(
    "client.delete", "client delete", "POST", _CLIENT + "/delete", "admin:clients", OneClient, _delete_client,
    "Forget a client that was revoked",
)  # fmt: skip
PARTNER_ENDS = Operation(
    "partner.ends", "partner revoke", "GET", _PARTNER + "/revoke", _READ, OnePartner, _partner_ends,
    "What ends when a partner is revoked",
)  # fmt: skip
REVOKE_PARTNER = Operation(
    "partner.revoke", "partner revoke", "POST", _PARTNER + "/revoke", "admin:partners", OnePartner, _revoke_partner,
    "Withdraw everything of a partner, for good",
)  # fmt: skip
PARTNER_GOES = Operation(
    "partner.goes", "partner delete", "GET", _PARTNER + "/delete", _READ, OnePartner, _partner_goes,
    "What goes when a partner is deleted",
)  # fmt: skip
DELETE_PARTNER = Operation(
    "partner.delete", "partner delete", "POST", _PARTNER + "/delete", "admin:partners", OnePartner, _delete_partner,
    "Forget a partner that was revoked, and its clients",
)  # fmt: skip
OPERATIONS = (
    CLIENT_ENDS,
    REVOKE_CLIENT,
    CREDENTIAL_ENDS,
    REVOKE_CREDENTIAL,
    CLIENT_GOES,
    DELETE_CLIENT,
    PARTNER_ENDS,
    REVOKE_PARTNER,
    PARTNER_GOES,
    DELETE_PARTNER,
)

"""What cannot be taken back: one credential, a client or a whole partner revoked, and what is revoked deleted.

Everything is revoked first and deleted later, when no token of it can be alive any more: until then the revocation feed
has to name it. What is deleted is gone from the tables and stays in the audit trail; its name is free, its ids are 128
random bits and never come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keyfob.oauth.client_authentication import Method
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import clients, partners, revocations
from keyfob.server.lifecycle.names import near_miss
from keyfob.server.lifecycle.states import USABLE, Event, after, effective
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Credential, State


@dataclass(frozen=True, slots=True)
class Touched:
    """Whom an act concerns, by their ids. `unopened`: credentials whose sealed message nobody has used."""

    clients: tuple[str, ...]
    credentials: tuple[str, ...]
    unopened: tuple[str, ...]

    @property
    def document(self) -> dict[str, object]:
        return {
            "clients": list(self.clients),
            "credentials": list(self.credentials),
            "unopened_messages": list(self.unopened),
        }


def of_client(reading: Reading, client_id: str, *, now: int) -> Touched:
    """What ends with the client. Raises Misuse."""
    return _touched([client_id], _living(clients.get(reading, client_id).credentials, now))


def of_partner(reading: Reading, name: str, *, now: int) -> Touched:
    """What ends with the partner. Raises Misuse."""
    found = reading.clients(partner_id=partners.get(reading, name).id)
    living = [one for client in found for one in _living(reading.credentials(client.id), now)]
    return _touched([client.id for client in found if client.state is not State.REVOKED], living)


def of_credential(reading: Reading, client_id: str, credential_id: str) -> Touched:
    """The credential alone. Raises Misuse or Problem when it cannot be revoked."""
    credential = _revocable(reading, client_id, credential_id)
    return _touched([], [credential])


def revoke_credential(change: Change, client_id: str, credential_id: str, *, now: int) -> bool:
    """One credential, with its tokens; the client goes on with its others. Whether any of those still works."""
    credential = _revocable(change.reading, client_id, credential_id)
    _end_credential(change, credential, now=now)
    revocations.of_credential(change, credential.id, client_id=client_id, now=now)
    return any(one.id != credential.id for one in _living(change.reading.credentials(client_id), now))


def revoke_partner(change: Change, name: str, *, now: int) -> Touched:
    """Everything of the partner in one step: itself, its clients, its credentials and its tokens, for good."""
    partner = partners.get(change.reading, name)
    state = after(partner.state, Event.REVOKE)
    touched = of_partner(change.reading, name, now=now)
    change.set_partner_state(partner.id, state)
    change.record(
        Kind.PARTNER_REVOKED,
        partner_id=partner.id,
        name=partner.name,
        clients=list(touched.clients),
        credentials=list(touched.credentials),
    )
    for client in change.reading.clients(partner_id=partner.id):
        if client.state is not State.REVOKED:
            clients.set_state(change, client.id, Event.REVOKE, now=now)
        for credential in _living(change.reading.credentials(client.id), now):
            _end_credential(change, credential, now=now)
    return touched


def delete_client(change: Change, client_id: str, *, now: int) -> None:
    """A client that was revoked, once none of its tokens can be alive. Raises Misuse or Problem."""
    view = clients.get(change.reading, client_id)
    after(view.client.state, Event.DELETE)
    _check_forgettable(change.reading, [client_id], now)
    change.delete_client(client_id)
    change.record(
        Kind.CLIENT_DELETED,
        client_id=client_id,
        partner_id=view.client.partner_id,
        name=view.client.name,
        credentials=[one.id for one in view.credentials],
    )


def delete_partner(change: Change, name: str, *, now: int) -> tuple[str, ...]:
    """A partner that was revoked, with its clients, whose ids are returned. Raises Misuse or Problem."""
    partner = partners.get(change.reading, name)
    after(partner.state, Event.DELETE)
    ids = [client.id for client in change.reading.clients(partner_id=partner.id)]
    _check_forgettable(change.reading, ids, now)
    for client_id in ids:
        delete_client(change, client_id, now=now)
    change.delete_partner(partner.id)
    change.record(
        Kind.PARTNER_DELETED,
        partner_id=partner.id,
        name=partner.name,
        fingerprint=partner.fingerprint,
    )
    return tuple(ids)


def check_deletable(reading: Reading, *, state: State, client_ids: Sequence[str], now: int) -> None:
    """Raises Problem that says why not, and when."""
    after(state, Event.DELETE)
    _check_forgettable(reading, client_ids, now)


def _check_forgettable(reading: Reading, client_ids: Sequence[str], now: int) -> None:
    until = max((reading.remembered_until(one) for one in client_ids), default=0)
    if now < until:
        raise Problem(
            "tokens-alive",
            f"tokens that were withdrawn may be alive for {until - now} s: APIs must be able to hear of them",
            hint="delete later; nothing of it works until then",
        )


def _revocable(reading: Reading, client_id: str, credential_id: str) -> Credential:
    view = clients.get(reading, client_id)
    credential = view.credential(credential_id)
    if credential is None:
        known = [one.id for one in view.credentials]
        raise Misuse(
            "unknown-credential", "the client has no credential with that id", hint=near_miss(credential_id, known)
        )
    if view.client.auth_method is Method.PRIVATE_KEY_JWT:
        raise Misuse(
            "no-secret",
            f"{client_id} authenticates by keys, and has no secret",
            hint="give it other keys: client keys; or end it: client revoke",
        )
    after(credential.state, Event.REVOKE)
    return credential


def _end_credential(change: Change, credential: Credential, *, now: int) -> None:
    change.set_credential_state(credential.id, after(effective(credential, now), Event.REVOKE))
    change.record(Kind.CREDENTIAL_REVOKED, client_id=credential.client_id, credential_id=credential.id)


def _living(credentials: Sequence[Credential], now: int) -> list[Credential]:
    return [one for one in credentials if effective(one, now) in USABLE]


def _touched(client_ids: Sequence[str], credentials: Sequence[Credential]) -> Touched:
    unopened = [one.id for one in credentials if one.sealed_at is not None and one.first_used_at is None]
    return Touched(tuple(client_ids), tuple(one.id for one in credentials), tuple(unopened))

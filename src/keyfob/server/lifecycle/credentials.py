"""The acts on a client's credentials: the first one, a rotation, and the end of an overlap."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.oauth.client_authentication import Method
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import clients, handoff, links, partners, rotation
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.handoff import Outlet, Sealed
from keyfob.server.lifecycle.states import Event, after
from keyfob.server.secret_hash import NO_SECRET
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Client, ClientView, Credential, Partner, State

_NEVER = 253402300799
"""The end of the year 9999: keys are replaced by their owner, and end with the client."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A client, its newest credential, and the message with its secret: None where a key is the credential.

    `name`: of the message's file; `path`: where that is, if it was written here. `link`: where the same message can be
    fetched, if that was asked for.
    """

    client: Client
    credential: Credential
    armored: bytes | None = None
    name: str = ""
    path: Path | None = None
    link: str | None = None


def create_client(
    installation: Installation,
    application: Application,
    *,
    outlet: Outlet,
    with_link: bool = False,
    emergency: int | None = None,
    now: int,
    entropy: Entropy,
    actor: Acting,
) -> Issued:
    """A client with its first credential, sealed (CLIENT_ID.asc).

    A secret that nobody uses within 14 days has expired: what was lost on its way must not lie about for a year. One
    for an `emergency` has so many seconds in all.
    Raises Misuse or Problem.
    """
    with installation.store.reading() as reading:
        client = clients.draft(reading, application, now=now, entropy=entropy)
        partner = partners.get(reading, application.partner)
    sealed = handoff.make(
        installation,
        client,
        partner,
        replaces=None,
        overlap=installation.settings.credentials.overlap,
        first_use_by=now + rotation.UNOPENED_LIFETIME,
        emergency=emergency,
        issued_at=now,
        now=now,
        entropy=entropy,
    )
    name = f"{client.id}.asc"
    path = outlet(name)
    with handoff.written(installation, sealed, path), installation.store.change(now=now, actor=actor) as change:
        clients.add(change, client)
        _add(change, sealed)
        link = None
        if with_link:
            _keep(change, sealed, now)
            link = _link(installation, change, sealed, now=now, entropy=entropy)
    return Issued(client, sealed.credential, sealed.armored, name, path, link)


def create_key_client(
    installation: Installation, application: Application, *, emergency: int | None = None, now: int, entropy: Entropy,
    actor: Acting,
) -> Issued:  # fmt: skip
    """A client that proves itself by keys of its own: there is nothing to hand over. Raises Misuse or Problem.

    `emergency`: for so many seconds.
    """
    with installation.store.reading() as reading:
        client = clients.draft(reading, application, now=now, entropy=entropy)
    credential = of_keys(client, now=now, entropy=entropy)
    if emergency is not None:
        credential = dataclasses.replace(credential, expires_at=now + emergency, emergency=True)
    with installation.store.change(now=now, actor=actor) as change:
        clients.add(change, client)
        change.add_credential(credential)
        _tell_of_emergency(change, credential)
    return Issued(client, credential)


def of_keys(client: Client, *, now: int, entropy: Entropy) -> Credential:
    """What stands in the place of a secret for a client that proves itself by what it never gives away."""
    return Credential(
        id=client_secret.new_id("", entropy(partners.ID_BYTES)),
        client_id=client.id,
        state=State.ACTIVE,
        secret_hash=NO_SECRET,
        not_before=now,
        expires_at=_NEVER,
        created_at=now,
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


def rotate(
    installation: Installation,
    client_id: str,
    *,
    overlap: int,
    outlet: Outlet,
    with_link: bool = False,
    now: int,
    entropy: Entropy,
    actor: Acting,
    announce: Callable[[Change, Partner, Sealed], None] | None = None,
) -> Issued:
    """A successor for the client's credential, sealed (CLIENT_ID.CREDENTIAL_ID.asc).

    It takes nothing away: the old secret works until `overlap` seconds after the new one's first use. A successor that
    is still unopened is retired: there is one at most. `announce` is called inside the transaction. Raises Misuse or
    Problem.
    """
    with installation.store.reading() as reading:
        view = clients.get(reading, client_id)
        partner = reading.partner_of(view.client)
    _check_not_revoked(view)
    rotation.check_may_follow(view.credentials, client_id)
    if view.client.auth_method is Method.TLS_CLIENT_AUTH:
        raise Misuse(
            "no-secret",
            f"{client_id} authenticates by a certificate, and has no secret",
            hint="its authority renews it: nothing changes here while it names the same",
        )
    if view.client.auth_method in clients.METHODS_WITH_KEYS:
        raise Misuse(
            "no-secret",
            f"{client_id} authenticates by keys, and has no secret",
            hint=f"keyfob-server client keys {client_id} --jwks FILE",
        )
    replaced = rotation.current(view.credentials, now)
    sealed = handoff.make(
        installation,
        view.client,
        partner,
        replaces=None if replaced is None else replaced.id,
        overlap=overlap,
        first_use_by=now + rotation.UNOPENED_LIFETIME,
        issued_at=rotation.next_issued_at(view.credentials, now),
        now=now,
        entropy=entropy,
    )
    name = f"{client_id}.{sealed.credential.id}.asc"
    path = outlet(name)
    with handoff.written(installation, sealed, path), installation.store.change(now=now, actor=actor) as change:
        replace(change, client_id, sealed, now)
        link = _link(installation, change, sealed, now=now, entropy=entropy) if with_link else None
        if announce is not None:
            announce(change, partner, sealed)
    return Issued(view.client, sealed.credential, sealed.armored, name, path, link)


def finish(change: Change, client_id: str, *, now: int) -> tuple[Credential, ...]:
    """End the overlap now: the credentials that it kept alive. Raises Misuse or Problem."""
    view = clients.get(change.reading, client_id)
    ended = rotation.retiring(view.credentials, now)
    if not ended:
        waiting = rotation.unopened_successors(view.credentials, now)
        raise Problem(
            "no-overlap",
            "no overlap is running" + (": the new secret was not used yet" if waiting else ""),
            hint="the old secret is let go only after the new one works"
            if waiting
            else f"keyfob-server client rotate {client_id} starts a rotation",
        )
    for credential in ended:
        change.set_credential_state(credential.id, after(credential.state, Event.FINISH))
        change.record(Kind.CREDENTIAL_RETIRED, client_id=client_id, credential_id=credential.id, why="finished")
    return ended


def replace(change: Change, client_id: str, sealed: Sealed, now: int) -> None:
    """Add a successor whose message may be asked for again. Raises Problem when it has been overtaken.

    Inside the transaction everything is asked again: another rotation, a revocation or a first use may have come.
    """
    view = clients.get(change.reading, client_id)
    _check_not_revoked(view)
    rotation.check_may_follow(view.credentials, client_id)
    replaced = rotation.current(view.credentials, now)
    overtaken = rotation.next_issued_at(view.credentials, now) > sealed.message.issued_at
    if overtaken or (None if replaced is None else replaced.id) != sealed.credential.replaces:
        raise Problem("client-changed", "the client was changed meanwhile: nothing was created", hint="try again")
    for unopened in rotation.unopened_successors(view.credentials, now):
        change.set_credential_state(unopened.id, after(unopened.state, Event.REPLACED_UNOPENED))
        change.record(
            Kind.CREDENTIAL_REPLACED, client_id=client_id, credential_id=unopened.id, successor=sealed.credential.id
        )
    _add(change, sealed)
    _keep(change, sealed, now)


def _keep(change: Change, sealed: Sealed, now: int) -> None:
    """For as long as an instance with the old secret could ask for it."""
    until = now + rotation.UNOPENED_LIFETIME + sealed.credential.overlap
    change.keep_message(sealed.credential.id, sealed.armored, until=until)


def _link(installation: Installation, change: Change, sealed: Sealed, *, now: int, entropy: Entropy) -> str:
    credential, issuer = sealed.credential, installation.settings.issuer
    return links.make(change, credential.id, client_id=credential.client_id, issuer=issuer, now=now, entropy=entropy)


def _add(change: Change, sealed: Sealed) -> None:
    credential, message = sealed.credential, sealed.message
    change.add_credential(credential, message)
    change.record(
        Kind.CREDENTIAL_SEALED,
        client_id=credential.client_id,
        credential_id=credential.id,
        replaces=credential.replaces,
        message_id=message.id,
        recipient_fingerprint=message.recipient_fingerprint,
        signer_fingerprint=message.signer_fingerprint,
        digest=message.digest,
        expires_at=credential.expires_at,
    )
    _tell_of_emergency(change, credential)


def _tell_of_emergency(change: Change, credential: Credential) -> None:
    if credential.emergency:
        ids = {"client_id": credential.client_id, "credential_id": credential.id}
        change.record(Kind.EMERGENCY_ACCESS_GIVEN, **ids, expires_at=credential.expires_at)


def _check_not_revoked(view: ClientView) -> None:
    if view.client.state is State.REVOKED:
        raise Problem(
            "client-revoked",
            f"{view.client.id} is revoked, for good",
            hint="make a new one: keyfob-server client create",
        )
    if view.partner_state is not State.ACTIVE:
        raise Misuse("partner-not-active", f"its partner is {view.partner_state}")

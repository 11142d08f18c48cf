"""What a client may do to its own credentials with one of them, and what whoever stole one may not.

ask for a successor     It comes sealed to the partner's certificate, so that the asking secret gains nothing by it.
                        There is one unopened successor at most, and asking again gives the very same message: a
                        lost answer, a crash and ten instances at once all end with the same secret.
                        The overlap is the operator's to say, never the asker's.
with a replaced one     Only the message of what replaced it: it makes nothing, and takes no successor's place.
after the operator      What the operator has made replaces what the client has asked for, and never the other way.
end an overlap          Only by what has come after, once it has been used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keyfob.ambient import Entropy
from keyfob.oauth.client_authentication import Method
from keyfob.problem import Problem
from keyfob.server.audit.events import Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import clients, credentials, handoff, links, rotation, states
from keyfob.server.lifecycle.states import Event, after, effective
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client, ClientView, Credential, State

HOW = "successor"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: a client, by which of its credentials, from where."""

    client_id: str
    credential_id: str
    address: str

    @property
    def actor(self) -> str:
        return f"client:{self.client_id}"


@dataclass(frozen=True, slots=True)
class Successor:
    """The sealed message of a successor; `made` just now, or handed over again."""

    client_id: str
    credential_id: str
    armored: bytes
    made: bool


class NotPossible(Problem):
    """The client proved who it is, and asks for what there is no way to. The text is for the client."""


def ask(installation: Installation, asking: Asking, *, now: int, entropy: Entropy) -> Successor:
    """The successor of the client's credential. Raises NotPossible. Blocking: for a thread."""
    with installation.store.reading() as reading:
        view = _view(reading, asking, now)
        partner = reading.partner_of(view.client)
        kept = _kept(reading, view.credentials, asking, now)
    replaced = rotation.current(view.credentials, now)
    sealed = None
    if kept is None:
        try:
            sealed = handoff.make(
                installation,
                view.client,
                partner,
                replaces=None if replaced is None else replaced.id,
                overlap=installation.settings.credentials.overlap,
                first_use_by=now + rotation.UNOPENED_LIFETIME,
                issued_at=rotation.next_issued_at(view.credentials, now),
                now=now,
                entropy=entropy,
            )
        except Problem as refused:
            raise NotPossible(
                "certificate_unusable", f"{refused.message}: send its renewed form to the operator"
            ) from refused
    with installation.store.change(now=now, actor=asking.actor) as change:
        # Asked again: of two instances at once, the second takes what the first has got.
        view = _view(change.reading, asking, now)
        found = _kept(change.reading, view.credentials, asking, now)
        if found is not None:
            credential_id, armored = found
        elif sealed is None:
            raise NotPossible("try_again", "the client was changed meanwhile")
        else:
            credentials.replace(change, asking.client_id, sealed, now)
            credential_id, armored = sealed.credential.id, sealed.armored
        message = change.reading.find_message(credential_id)
        assert message is not None, "a kept message without its record"
        links.deliver(change, asking.client_id, message, address=asking.address, how=HOW)
    return Successor(asking.client_id, credential_id, armored, made=found is None)


def finish(change: Change, asking: Asking, *, now: int) -> tuple[Credential, ...]:
    """End the overlap of what the asking credential has replaced: what was ended. Raises NotPossible."""
    view = _view(change.reading, asking, now)
    credential = view.credential(asking.credential_id)
    ending = rotation.retiring(view.credentials, now)
    if credential is None or effective(credential, now) is not State.ACTIVE:
        raise NotPossible("wrong_credential", "only the new secret ends the overlap of the old one")
    if credential.first_used_at is None:
        raise NotPossible("not_used_yet", "the old secret is let go only after the new one has got a token")
    if not ending:
        raise NotPossible("no_overlap", "no overlap is running")
    for one in ending:
        change.set_credential_state(one.id, after(one.state, Event.FINISH))
        change.record(
            Kind.CREDENTIAL_RETIRED, client_id=asking.client_id, credential_id=one.id, why="finished by the partner"
        )
    return ending


def living(view: ClientView, now: int) -> tuple[Credential, ...]:
    """The client's credentials that work, the oldest first."""
    return tuple(one for one in view.credentials if states.is_usable(one, view.client, view.partner_state, now))


def chosen(credentials: Sequence[Credential], asking_id: str, now: int) -> Credential | None:
    """What is handed over again to whoever asks by `asking_id`; None: a successor is to be made."""
    unopened = rotation.unopened_successors(credentials, now)
    if unopened:
        return unopened[-1]
    asking = next(one for one in credentials if one.id == asking_id)
    return rotation.current(credentials, now) if effective(asking, now) is State.RETIRING else None


def _kept(reading: Reading, credentials: Sequence[Credential], asking: Asking, now: int) -> tuple[str, bytes] | None:
    """The credential that is handed over again, with its ciphertext; None as in `chosen`. Raises NotPossible."""
    again = chosen(credentials, asking.credential_id, now)
    if again is None:
        return None
    armored = reading.find_kept(again.id, now=now)
    if armored is None:
        raise NotPossible("handed_over", "the operator has handed the successor over: receive that message")
    return again.id, armored


def _view(reading: Reading, asking: Asking, now: int) -> ClientView:
    """Raises NotPossible when the client has ended since it proved who it is."""
    view = clients.get(reading, asking.client_id)
    credential = view.credential(asking.credential_id)
    if credential is None or not states.is_usable(credential, view.client, view.partner_state, now):
        raise NotPossible("try_again", "the client was changed meanwhile")
    if credential.emergency:
        raise NotPossible("emergency_access", "this secret is for an emergency, and has no successor")
    if not has_secret(view.client):
        raise NotPossible("no_secret", "this client proves itself by a key, and has no secret to replace")
    return view


def has_secret(client: Client) -> bool:
    return client.auth_method in (Method.CLIENT_SECRET_BASIC, Method.CLIENT_SECRET_POST)

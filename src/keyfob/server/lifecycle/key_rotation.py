"""The acts on signing keys: a successor in good time, and everything anew when one may have been stolen."""

from dataclasses import dataclass

from keyfob.ambient import Entropy
from keyfob.problem import Misuse
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import revocations, signing_keys
from keyfob.server.lifecycle.signing_keys import DAY, PUBLISHED_AHEAD, Phase
from keyfob.server.storage.records import Purpose, State


@dataclass(frozen=True, slots=True)
class Replaced:
    """`kid` signs now; nothing that `revoked` signed is good any more."""

    kid: str
    revoked: tuple[str, ...]


def rotate(installation: Installation, *, now: int, entropy: Entropy, actor: Acting) -> str:
    """Makes the next key for access tokens, and returns its id. There is one at a time: Misuse."""
    kid = _add_next(installation, Purpose.ACCESS_TOKENS, now=now, entropy=entropy, actor=actor)
    if kid is None:
        raise Misuse(
            "key-waiting",
            "the next key is published already, and signs soon",
            hint="rotate again once it is current: keyfob-server key list",
        )
    return kid


def rotate_if_due(
    installation: Installation, purpose: Purpose, *, now: int, entropy: Entropy, actor: Acting
) -> str | None:
    """The id of the successor of `purpose`, if its time had come."""
    period = installation.settings.signing_key_days * DAY
    if not signing_keys.is_due(installation.store.signing_keys(purpose), now, period=period):
        return None
    return _add_next(installation, purpose, now=now, entropy=entropy, actor=actor)


def replace_all(installation: Installation, *, now: int, entropy: Entropy, actor: Acting) -> Replaced:
    """The emergency: a new key signs access tokens at once, and all that was signed before is refused everywhere.

    The next one goes, too: whoever could read the current key could read it as well.
    """
    made = installation.new_signing_key(Purpose.ACCESS_TOKENS, not_before=now, now=now, entropy=entropy)
    with installation.store.change(now=now, actor=actor) as change:
        gone = change.reading.signing_keys()
        signing_keys.add(change, made)
        for key in gone:
            change.set_signing_key_state(key.kid, State.REVOKED)
            revocations.of_key(change, key.kid, now=now)
            change.record(Kind.SIGNING_KEY_REVOKED, kid=key.kid, successor=made.kid)
    return Replaced(made.kid, tuple(key.kid for key in gone))


def _add_next(installation: Installation, purpose: Purpose, *, now: int, entropy: Entropy, actor: Acting) -> str | None:
    """None when one is waiting already; asked inside the transaction, since two processes may have found it due."""
    is_first = not installation.store.signing_keys(purpose)
    not_before = now if is_first else now + PUBLISHED_AHEAD
    made = installation.new_signing_key(purpose, not_before=not_before, now=now, entropy=entropy)
    with installation.store.change(now=now, actor=actor) as change:
        found = signing_keys.phases(change.reading.signing_keys(purpose), now)
        if any(phase is Phase.NEXT for _, phase in found) or (is_first and found):
            return None
        signing_keys.add(change, made)
    return made.kid

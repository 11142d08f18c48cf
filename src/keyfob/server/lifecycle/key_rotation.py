"""The acts on signing keys: a successor in good time, and everything anew when one may have been stolen."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from keyfob.ambient import Entropy
from keyfob.problem import Misuse
from keyfob.server import key_encryption
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.key_encryption import Place
from keyfob.server.lifecycle import revocations, signing_keys
from keyfob.server.lifecycle.signing_keys import DAY, PUBLISHED_AHEAD, Phase
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Purpose, SigningKeyRecord, State

_log = logging.getLogger("keyfob.server")


@dataclass(frozen=True, slots=True)
class Replaced:
    """`kid` signs now; nothing that `revoked` signed is good any more."""

    kid: str
    revoked: tuple[str, ...]


def rotate(installation: Installation, place: str | None, *, now: int, entropy: Entropy, actor: Acting) -> str:
    """Makes the next key for access tokens, and returns its id. There is one at a time: Misuse.

    `place`: `file` or `aws-kms:ARN`; None only where the keys so far were in the home.
    """
    chosen = _chosen(installation, place)
    kid = _add_next(installation, Purpose.ACCESS_TOKENS, chosen, now=now, entropy=entropy, actor=actor)
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
    """The id of the successor of `purpose`, if its time had come.

    A key in KMS gets none by itself: one in the home would be weaker, and another in KMS is the operator's to make.
    """
    period = installation.settings.signing_key_days * DAY
    found = installation.store.signing_keys(purpose)
    if not signing_keys.is_due(found, now, period=period):
        return None
    place = _place_so_far(installation, found)
    if place is not None:
        _log.warning("signing_key_due purpose=%s place=%s", purpose, place)
        return None
    return _add_next(installation, purpose, None, now=now, entropy=entropy, actor=actor)


def replace_all(
    installation: Installation, place: str | None, *, now: int, entropy: Entropy, actor: Acting
) -> Replaced:
    """The emergency: a new key signs access tokens at once, and all that was signed before is refused everywhere.

    The next one goes, too: whoever could read the current key could read it as well.
    """
    chosen = _chosen(installation, place)
    made = installation.new_signing_key(Purpose.ACCESS_TOKENS, place=chosen, not_before=now, now=now, entropy=entropy)
    with installation.store.change(now=now, actor=actor) as change:
        _check_new(change, made)
        gone = change.reading.signing_keys()
        signing_keys.add(change, made)
        for key in gone:
            change.set_signing_key_state(key.kid, State.REVOKED)
            revocations.of_key(change, key.kid, now=now)
            change.record(Kind.SIGNING_KEY_REVOKED, kid=key.kid, successor=made.kid)
    return Replaced(made.kid, tuple(key.kid for key in gone))


def _chosen(installation: Installation, place: str | None) -> Place:
    """Where the next key is to lie. Raises Misuse where that would be a weaker place without having been said."""
    if place is not None:
        return key_encryption.parse(place)
    before = _place_so_far(installation, installation.store.signing_keys())
    if before is None:
        return None
    raise Misuse(
        "key-place",
        f"the newest signing key is {before}: say where the next one is",
        hint="--in aws-kms:ARN of another key; or --in file for one that lies in the home",
    )


def _place_so_far(installation: Installation, keys: Sequence[SigningKeyRecord]) -> Place:
    """Of the newest of them."""
    newest = max(keys, key=lambda key: (key.not_before, key.created_at), default=None)
    return None if newest is None else installation.where_lies(newest)


def _check_new(change: Change, made: SigningKeyRecord) -> None:
    """A key in KMS may be named twice. It comes back neither while it is good, nor after it was withdrawn."""
    if any(one.kid == made.kid for one in change.reading.all_signing_keys()):
        raise Misuse("key-known", "this key is or was a signing key here", hint="make another one in AWS KMS")


def _add_next(
    installation: Installation, purpose: Purpose, place: Place, *, now: int, entropy: Entropy, actor: Acting
) -> str | None:
    """None when one is waiting already; asked inside the transaction, since two processes may have found it due."""
    is_first = not installation.store.signing_keys(purpose)
    not_before = now if is_first else now + PUBLISHED_AHEAD
    made = installation.new_signing_key(purpose, place=place, not_before=not_before, now=now, entropy=entropy)
    with installation.store.change(now=now, actor=actor) as change:
        found = signing_keys.phases(change.reading.signing_keys(purpose), now)
        if any(phase is Phase.NEXT for _, phase in found) or (is_first and found):
            return None
        _check_new(change, made)
        signing_keys.add(change, made)
    return made.kid

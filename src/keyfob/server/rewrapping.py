"""A new key-encryption key takes the place of the old one: each envelope of a home and its database goes under it.

A kill at any moment leaves envelopes that open: until the last step both keys are there, and each envelope is replaced
as a whole. The same change, asked for again, goes on where it was broken off.
"""

from dataclasses import dataclass

from keyfob import home
from keyfob.ambient import Entropy
from keyfob.envelope import format as envelope
from keyfob.envelope.wrappers import KeyFileWrapper, Succession
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse
from keyfob.server import key_encryption, keys_at_rest
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.key_encryption import RECOVERY, Place


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """`count`: the envelopes that this run put under the new key."""

    old: Place
    new: Place
    count: int


def rewrap(
    found: Installation, place: Place, recovery: Certificate | None, *, now: int, actor: Acting, entropy: Entropy
) -> Rewrapped:
    """Only while nobody else works on the home. Raises Misuse before anything is changed, Problem when KMS is away."""
    where = found.home
    check(found, recovery)
    names = keys_at_rest.files(where)
    contexts = [keys_at_rest.context_of_file(where, name) for name in names]
    old = key_encryption.place_in_force(where)
    both = key_encryption.begin(where, place, recovery, found.operator_key(), entropy=entropy)
    count = 0
    for name, context in zip(names, contexts, strict=True):
        file = keys_at_rest.file_of(where, name)
        sealed = file.read_bytes()
        if not both.newer.made(sealed):
            content = envelope.open(sealed, wrapper=both, context=context)
            home.write_file(file, envelope.seal(content, wrapper=both, context=context, entropy=entropy))
            count += 1
    new = key_encryption.place_to_come(where)
    count += _rewrap_records(found, both, old, new, now=now, actor=actor, entropy=entropy)
    key_encryption.finish(where)
    return Rewrapped(old, new, count)


def check(found: Installation, recovery: Certificate | None) -> None:
    """Raises Misuse where the new key-encryption key would have no recovery copy, and needs one."""
    if recovery is None and ((found.home.path / RECOVERY).exists() or not found.settings.is_loopback):
        raise Misuse(
            "recovery-missing",
            "the recovery copy must be made anew, of the new key-encryption key",
            hint="add --recovery-cert FILE.asc, as at init",
        )


def count(found: Installation) -> int:
    """How many envelopes there are: in the home, and of signing keys."""
    with found.store.reading() as reading:
        hooked = [one for one in reading.partners() if one.webhook_key is not None]
        return len(keys_at_rest.files(found.home)) + len(reading.all_signing_keys()) + len(hooked)


def _rewrap_records(
    found: Installation,
    both: Succession[KeyFileWrapper],
    old: Place,
    new: Place,
    *,
    now: int,
    actor: Acting,
    entropy: Entropy,
) -> int:
    """All in one transaction, with its record. Those of revoked keys, too: nothing stays under the old one."""
    with found.store.change_alone(now=now, actor=actor) as change:
        stale = [one for one in change.reading.all_signing_keys() if not both.newer.made(one.envelope)]
        for one in stale:
            context = keys_at_rest.context_of_key(found.home, one.purpose, one.kid)
            content = envelope.open(one.envelope, wrapper=both, context=context)
            sealed = envelope.seal(content, wrapper=both, context=context, entropy=entropy)
            change.set_signing_key_envelope(one.kid, sealed)
        hooked = 0
        for partner in change.reading.partners():
            if partner.webhook_key is not None and not both.newer.made(partner.webhook_key):
                context = keys_at_rest.context_of_partner_webhook(found.home, partner.id)
                content = envelope.open(partner.webhook_key, wrapper=both, context=context)
                sealed = envelope.seal(content, wrapper=both, context=context, entropy=entropy)
                change.set_partner_webhook(partner.id, partner.webhook, sealed)
                hooked += 1
        if stale:
            shown = {"old": key_encryption.show(old), "new": key_encryption.show(new)}
            change.record(Kind.KEY_ENCRYPTION_KEY_CHANGED, **shown)
    return len(stale) + hooked

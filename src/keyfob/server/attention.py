"""What needs an operator's attention now, of what the books say. Pure: the screen is commands/status.py."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keyfob.server.lifecycle.rotation import DAY
from keyfob.server.lifecycle.states import effective
from keyfob.server.notices.due import CERTIFICATE_DAYS, Certified
from keyfob.server.storage.outbox import DeliveryState, Parcel
from keyfob.server.storage.records import Announcement, State
from keyfob.server.storage.standing import Standing

EXPIRES_SOON = 30 * DAY
UNOPENED_AFTER = DAY
"""Seconds that a sealed message may lie before somebody should ask for it."""


@dataclass(frozen=True, slots=True)
class Books:
    """Each list holds only what needs attention, the most urgent first."""

    expiring_credentials: tuple[Standing, ...]
    expiring_certificates: tuple[Certified, ...]
    unopened_messages: tuple[Standing, ...]
    old_secrets_in_use: tuple[Standing, ...]
    undelivered_notices: tuple[Parcel, ...]
    announced_changes: tuple[Announcement, ...]


def read(
    standings: Sequence[Standing],
    certified: Iterable[Certified],
    unsettled: Iterable[Parcel],
    announced: Iterable[Announcement],
    now: int,
) -> Books:
    """What of these needs attention at `now`. `announced`: what waits, all of it."""
    active = [one for one in standings if effective(one.credential, now) is State.ACTIVE]
    first_used = {one.credential.replaces: one.credential.first_used_at for one in standings}
    with_secrets = {one.partner_id for one in active if one.credential.sealed_at is not None}
    return Books(
        tuple(
            sorted(
                (one for one in active if one.credential.expires_at - now <= EXPIRES_SOON),
                key=lambda one: one.credential.expires_at,
            )
        ),
        tuple(
            sorted(
                (
                    each
                    for each in certified
                    if each.partner_id in with_secrets
                    and each.expires_at is not None
                    and each.expires_at - now <= CERTIFICATE_DAYS[0] * DAY
                ),
                key=lambda each: each.expires_at or 0,
            )
        ),
        tuple(
            sorted(
                (one for one in active if _lies_unopened(one, now)),
                key=lambda one: one.credential.sealed_at or 0,
            )
        ),
        tuple(
            one
            for one in standings
            if effective(one.credential, now) is State.RETIRING
            and (one.credential.last_used_at or 0) > (first_used.get(one.credential.id) or now)
        ),
        tuple(one for one in unsettled if one.state is not DeliveryState.WAITING or one.reason is not None),
        tuple(sorted(announced, key=lambda one: one.takes_effect_at)),
    )


def _lies_unopened(one: Standing, now: int) -> bool:
    sealed_at = one.credential.sealed_at
    return sealed_at is not None and one.credential.first_used_at is None and now - sealed_at >= UNOPENED_AFTER

"""Which notices the calendar asks for at a moment, and when it asks next. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keyfob.server.lifecycle import rotation
from keyfob.server.lifecycle.rotation import DAY
from keyfob.server.lifecycle.states import effective
from keyfob.server.notices.notice import BOTH, Fact, Facts, Notice, NoticeKind
from keyfob.server.storage.records import State
from keyfob.server.storage.standing import Standing

CREDENTIAL_DAYS = (90, 60, 30, 15, 7, 1)
CERTIFICATE_DAYS = (10, 5, 2, 1)
"""Days before the end. A server that was off tells the nearest of those that passed, and not the others."""
_FOREVER = 100 * 365 * DAY
"""What ends later than this does not end: a key is replaced by its owner."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A partner that is active, and until when its certificate can be used; None for ever."""

    partner_id: str
    partner: str
    fingerprint: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Due:
    """`next_at`: when the calendar asks for something else, if nothing changes."""

    notices: tuple[Notice, ...]
    next_at: int | None


def horizon(now: int, *, ahead: int) -> int:
    """What ends later is nobody's business yet: no notice of it, no rotation, no certificate that ends in one."""
    in_rotation = CERTIFICATE_DAYS[0] * DAY + max(ahead, rotation.UNOPENED_LIFETIME)
    return now + max(CREDENTIAL_DAYS[0] * DAY, in_rotation)


def due(standings: Sequence[Standing], certified: Iterable[Certified], now: int, *, ahead: int) -> Due:
    """All notices that should have been written by `now`. `ahead`: see `rotation_at`."""
    notices: list[Notice] = []
    coming: list[int] = []
    for one in standings:
        if effective(one.credential, now) is State.ACTIVE and one.credential.expires_at - now < _FOREVER:
            days, later = _nearest(one.credential.expires_at, CREDENTIAL_DAYS, now)
            coming += later
            if ahead and (at := rotation_at(one, ahead=ahead)) is not None and at > now:
                coming.append(at)
            # A threshold that lay behind it when it was made is no news.
            if days is not None and one.credential.created_at < one.credential.expires_at - days * DAY:
                notices += _both(
                    NoticeKind.CREDENTIAL_EXPIRES, one.credential.id, one.partner_id, credential_facts(one), now, days
                )
    of_partner: dict[str, list[Standing]] = {}
    for one in standings:
        of_partner.setdefault(one.partner_id, []).append(one)
    for each in certified:
        found, later = _of_certificate(each, of_partner.get(each.partner_id, []), now, ahead)
        notices += found
        coming += later
    return Due(tuple(notices), min(coming, default=None))


def rotations_due(standings: Sequence[Standing], now: int, *, ahead: int) -> tuple[Standing, ...]:
    """The credentials that the schedule replaces now: the current one of a client, `ahead` seconds before its end.

    While a successor is unopened no other is made. `ahead` 0: there is no schedule.
    """
    found = []
    by_client: dict[str, list[Standing]] = {}
    for one in standings if ahead else ():
        by_client.setdefault(one.credential.client_id, []).append(one)
    for of_client in by_client.values():
        all_of_it = [one.credential for one in of_client]
        current = rotation.current(all_of_it, now)
        for one in of_client:
            at = rotation_at(one, ahead=ahead)
            if one.credential is current and not one.credential.emergency and at is not None and at <= now:
                found += [] if rotation.unopened_successors(all_of_it, now) else [one]
    return tuple(found)


def credential_facts(one: Standing) -> dict[str, Fact]:
    return {
        "partner": one.partner,
        "client_id": one.credential.client_id,
        "client_name": one.client_name,
        "credential_id": one.credential.id,
        "expires_at": one.credential.expires_at,
    }


def rotation_at(one: Standing, *, ahead: int) -> int | None:
    """When a successor should be sealed: `ahead` seconds before the end, or, where there is no schedule (0), so that
    there is just time to take it up. None for a credential that is a key.
    """
    if one.credential.sealed_at is None:
        return None
    return one.credential.expires_at - (ahead or rotation.UNOPENED_LIFETIME)


def _of_certificate(
    each: Certified, of_partner: Sequence[Standing], now: int, ahead: int
) -> tuple[list[Notice], list[int]]:
    end = each.expires_at
    if end is None or not any(one.credential.sealed_at is not None for one in of_partner):
        return [], []  # nothing will be sealed to it
    facts: dict[str, str | int | None] = {
        "partner": each.partner,
        "fingerprint": each.fingerprint,
        "expires_at": end,
    }
    subject = f"{each.partner_id} {each.fingerprint} {end}"
    if now >= end:
        return _both(NoticeKind.CERTIFICATE_EXPIRED, subject, each.partner_id, facts, now), []
    days, coming = _nearest(end, CERTIFICATE_DAYS, now)
    coming.append(end)
    notices: list[Notice] = []
    if days is not None:
        notices += _both(NoticeKind.CERTIFICATE_EXPIRES, subject, each.partner_id, facts, now, days)
    else:
        for one in of_partner:
            at = rotation_at(one, ahead=ahead)
            # It must outlive the rotation: a receipt is signed with it, and a message that was lost is sealed again.
            if at is None or not at <= end < at + rotation.UNOPENED_LIFETIME:
                continue
            warned_at = at - CERTIFICATE_DAYS[0] * DAY
            if warned_at > now:
                coming.append(warned_at)
                continue
            more = facts | {"client_id": one.credential.client_id, "client_name": one.client_name, "rotation_at": at}
            notices += _both(NoticeKind.CERTIFICATE_ENDS_IN_ROTATION, subject, each.partner_id, more, now)
            break
    return notices, coming


def _nearest(end: int, thresholds: Sequence[int], now: int) -> tuple[int | None, list[int]]:
    """The nearest threshold (days) that has passed, None for none or when `end` has passed; and what comes next."""
    coming = [end - days * DAY for days in thresholds if end - days * DAY > now]
    passed = [days for days in thresholds if end - days * DAY <= now]
    return (min(passed) if passed and now < end else None), coming


def _both(kind: NoticeKind, subject: str, partner_id: str, facts: Facts, now: int, threshold: int = 0) -> list[Notice]:
    return [Notice(kind, subject, role, now, threshold, partner_id, facts) for role in BOTH]

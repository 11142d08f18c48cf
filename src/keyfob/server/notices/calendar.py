"""What no act causes but time: notices of what ends, the rotations of the schedule, and what was announced."""

import logging

from keyfob.ambient import Entropy
from keyfob.database import Unreachable
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import CertificateProblem
from keyfob.problem import Problem
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import announcements, credentials, handoff
from keyfob.server.lifecycle.handoff import Sealed
from keyfob.server.lifecycle.rotation import DAY
from keyfob.server.notices import due as dates
from keyfob.server.notices.due import Certified
from keyfob.server.notices.notice import BOTH, Notice, NoticeKind, Role
from keyfob.server.notices.sealed import sealed
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Announcement, Partner, State
from keyfob.server.storage.standing import Standing
from keyfob.server.storage.store import SERVER

_log = logging.getLogger("keyfob.server")

_LOOK_AGAIN = 600
_PASSING = frozenset({"client-changed", "database-busy"})
"""Problems that the next look finds gone."""


class Calendar:
    """Looks again when rights have changed, when the next date comes, and every ten minutes. For one thread."""

    def __init__(self, installation: Installation, *, entropy: Entropy) -> None:
        self._installation = installation
        self._entropy = entropy
        self._ahead = installation.settings.credentials.rotate_days_before * DAY
        self._revision = -1
        self._next_look = 0
        self._notices: tuple[Notice, ...] = ()
        self._rotations: tuple[Standing, ...] = ()
        self._announced: tuple[Announcement, ...] = ()
        self._fingerprints: dict[str, str] = {}

    def is_due(self, now: int) -> bool:
        """Whether something is to be kept. Reads; writes nothing."""
        revision = self._installation.store.revision()
        if revision != self._revision or now >= self._next_look:
            self._look(now)
            self._revision = revision
        elif self._notices:
            self._notices = self._unknown(self._notices)  # another process may have written them
        return bool(self._notices or self._rotations or self._announced)

    def keep(self, now: int) -> None:
        """Write the notices, make the rotations and carry out what was announced. For whoever leads."""
        notices, rotations, announced = self._notices, self._rotations, self._announced
        if notices:
            self._installation.store.outbox.add(notices)
        self._notices, self._rotations, self._announced = (), (), ()
        for each in announced:
            self._carry_out(each, now)
        for one in rotations:
            self._rotate(one, now)

    def _look(self, now: int) -> None:
        with self._installation.store.reading() as reading:
            standings = reading.standings(until=dates.horizon(now, ahead=self._ahead) + _LOOK_AGAIN)
            certified = read_certified(reading)
            announced = announcements.waiting(reading)
        found = dates.due(standings, certified, now, ahead=self._ahead)
        self._fingerprints = {each.partner_id: each.fingerprint for each in certified}
        self._notices = self._unknown(found.notices)
        self._rotations = dates.rotations_due(standings, now, ahead=self._ahead)
        self._announced = announcements.due(announced, now)
        coming = [one.takes_effect_at for one in announced if one not in self._announced]
        coming += [] if found.next_at is None else [found.next_at]
        self._next_look = min([now + _LOOK_AGAIN, *coming])

    def _unknown(self, notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
        known = self._installation.store.outbox.known([notice.id for notice in notices]) if notices else ()
        return tuple(notice for notice in notices if notice.id not in known)

    def _carry_out(self, one: Announcement, now: int) -> None:
        """Unless it was stopped in this moment: then there is nothing to do."""
        try:
            with self._installation.store.change(now=now, actor=SERVER) as change:
                overlap = self._installation.settings.credentials.overlap
                announcements.take_effect(change, one.id, overlap=overlap, now=now)
        except Problem as failed:
            _log.warning("announcement_waits id=%s reason=%s", one.id, failed.code)

    def _rotate(self, one: Standing, now: int) -> None:
        """A successor, announced in the transaction that makes it count; or the reason why there is none, once."""
        client_id = one.credential.client_id
        path = self._installation.home.path / handoff.SEALED / f"{client_id}.{now}.asc"

        def announce(change: Change, partner: Partner, made: Sealed) -> None:
            facts, kind = dates.credential_facts(one), NoticeKind.SUCCESSOR_SEALED
            change.notify(*sealed(kind, made, facts, partner_id=partner.id, copy=path, now=now))

        try:
            handoff.sealed_folder(self._installation.home.path)
            credentials.rotate(
                self._installation,
                client_id,
                overlap=self._installation.settings.credentials.overlap,
                outlet=lambda _name: path,
                now=now,
                entropy=self._entropy,
                actor=SERVER,
                announce=announce,
            )
        except Problem as failed:
            if failed.code in _PASSING or isinstance(failed, Unreachable):
                _log.warning("rotation_waits client_id=%s reason=%s", client_id, failed.code)
                return
            facts = dates.credential_facts(one) | {
                "reason": failed.message,
                "fingerprint": self._fingerprints.get(one.partner_id),
            }
            roles = BOTH if isinstance(failed.__cause__, CertificateProblem) else (Role.OPERATOR,)
            subject = f"{one.credential.id} {failed.code}"
            self._installation.store.outbox.add(
                [Notice(NoticeKind.ROTATION_NOT_MADE, subject, role, now, 0, one.partner_id, facts) for role in roles]
            )


def read_certified(reading: Reading) -> tuple[Certified, ...]:
    """Active partners, and when their certificates end; of one that is not usable at all, `partner show` tells."""
    found = []
    for partner in reading.partners():
        if partner.state is State.ACTIVE:
            try:
                end = certificates.ends_at(partner.certificate)
            except CertificateProblem:
                end = None
            found.append(Certified(partner.id, partner.name, partner.fingerprint, end))
    return tuple(found)

"""The thread of a running server that writes what the calendar asks for, and delivers what was written.

Nothing here can hold up or fail a request. Of all workers and nodes one works at a time (keyfob.leading); one that is
killed is followed by another within seconds. It marks a delivery after it made it, so a notice may come twice and is
never lost: the id is the same.
"""

import logging
import threading

from keyfob.ambient import Clock
from keyfob.leading import Lead
from keyfob.problem import Problem
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.notices.calendar import Calendar
from keyfob.server.notices.channels import Channels
from keyfob.server.storage.outbox import Outbox, Parcel

_log = logging.getLogger("keyfob.server")

TICK = 1.0
"""Seconds between two looks whether there is something to do."""
FIRST_PAUSE, LONGEST_PAUSE = 5, 3600
"""Seconds before another attempt, doubled from the one to the other."""
PATIENCE = 3 * 24 * 3600
"""Seconds after which a notice is given up, and `status` says so."""
_LAST_WORDS = 3.0


class Post:
    """`start()` begins its thread; `close()` ends it, and waits a few seconds for what is under way."""

    def __init__(self, outbox: Outbox, calendar: Calendar, channels: Channels, *, clock: Clock, lead: Lead) -> None:
        self._outbox = outbox
        self._calendar = calendar
        self._channels = channels
        self._clock = clock
        self._lead = lead
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def round(self) -> None:
        """Whatever is to be done now; nothing when another process leads."""
        now = self._clock()
        if self._lead.is_mine() and (self._calendar.is_due(now) or self._outbox.has_work(now)):
            self._calendar.keep(now)
            self._outbox.route(self._channels.names(), now)
            for parcel in self._outbox.due(now):
                # Asked before each: with a slow mail server, somebody else may have come to lead meanwhile.
                if self._stopping.is_set() or not self._lead.is_mine():
                    return
                self._deliver(parcel)

    def _deliver(self, parcel: Parcel) -> None:
        notice = parcel.notice
        told = (notice.id, notice.kind, notice.recipient, parcel.channel)
        try:
            self._channels.deliver(notice, parcel.channel, email=parcel.email)
        except NotDelivered as failed:
            self._failed(parcel, str(failed), again=failed.again)
        except Problem as failed:
            self._failed(parcel, failed.message, again=True)
        except Exception as broken:
            # A notice that breaks us must not stand in the way of those behind it.
            _log.exception("notice_broke id=%s kind=%s to=%s by=%s", *told)
            self._failed(parcel, f"the server failed over it ({type(broken).__name__}): see its log", again=True)
        else:
            self._outbox.delivered(parcel, self._clock())
            _log.info("notice_delivered id=%s kind=%s to=%s by=%s", *told)

    def _failed(self, parcel: Parcel, reason: str, *, again: bool) -> None:
        now = self._clock()
        next_at = now + pause(parcel.attempts) if again and now < parcel.notice.at + PATIENCE else None
        self._outbox.failed(parcel, reason, next_at=next_at, now=now)
        end = "given up" if next_at is None else f"again in {next_at - now} s"
        told = (parcel.notice.id, parcel.notice.kind, parcel.channel, reason, end)
        _log.warning("notice_not_delivered id=%s kind=%s by=%s reason=%s: %s", *told)

    def _work(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self.round()
            except Exception as failed:
                if self._stopping.is_set():
                    return
                if isinstance(failed, Problem):
                    _log.warning("notices_wait reason=%s", failed.code)
                else:
                    _log.exception("notices_failed")
                self._stopping.wait(FIRST_PAUSE)


def pause(attempts: int) -> int:
    """Seconds before the attempt that follows `attempts` failed ones, the last not counted."""
    return int(min(FIRST_PAUSE * 2 ** min(attempts, 20), LONGEST_PAUSE))

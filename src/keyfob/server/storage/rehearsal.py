"""A change that is rehearsed: made, and taken back before anybody could see it."""

from collections.abc import Sequence

from keyfob.server.audit.events import AuditEvent


class Rehearsed(Exception):  # what was rehearsed went well
    """Ends a rehearsal where the change would have become true: `events` would stand in the audit.

    No Problem, so that nobody on the way takes it for a failure and goes on.
    """

    def __init__(self, events: Sequence[AuditEvent]) -> None:
        super().__init__("rehearsed")
        self.events = tuple(events)

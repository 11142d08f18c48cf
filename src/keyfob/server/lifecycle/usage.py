"""Granted and used: what a client holds beside what the guards of its APIs saw, and how it is narrowed to that.

The advice says what it rests on. A scope counts as unused only where an API has told of its use for the whole time
that is asked about, and the client has held the scope for as long; everything else is unknown, and stays.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from keyfob.problem import Misuse, Problem
from keyfob.server.lifecycle import alterations, clients
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client, ResourceGrant
from keyfob.server.storage.usage import Narrowing, ScopeUse, Watched

DAY = 24 * 3600
UNUSED_FOR = 90 * DAY
"""Seconds, unless said otherwise."""
_UNSEEN = 300
"""Seconds without a report that are no gap: a process that starts, and one that had nothing to tell."""


class Verdict(StrEnum):
    USED = "used"
    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Held:
    """One scope that a client holds at a resource. `why`: what makes it unknown."""

    resource: str
    scope: str
    verdict: Verdict
    why: str | None
    granted_at: int
    uses: tuple[ScopeUse, ...]

    @property
    def count(self) -> int:
        return sum(use.count for use in self.uses)

    @property
    def last_used_at(self) -> int | None:
        return max((use.last_used_at for use in self.uses), default=None)


@dataclass(frozen=True, slots=True)
class Window:
    """Since when a resource has told of its use, and for how many seconds of that it did not."""

    resource: str
    began_at: int | None
    until: int | None
    unseen: int


@dataclass(frozen=True, slots=True)
class Advice:
    client_id: str
    unused_for: int
    windows: tuple[Window, ...]
    held: tuple[Held, ...]

    @property
    def unused(self) -> frozenset[tuple[str, str]]:
        return frozenset((one.resource, one.scope) for one in self.held if one.verdict is Verdict.UNUSED)


BLIND_SPOTS = (
    "APIs that check tokens without a guard that reports are not seen",
    "what a process saw in its last minute before it was killed is lost",
    "work that comes more seldom than the time asked about, such as once a year, looks unused",
)
"""What no window says."""


def advise(reading: Reading, client: Client, *, unused_for: int, now: int) -> Advice:
    """What `client` holds and what it used within the last `unused_for` seconds."""
    uses, granted = reading.usage(client.id), reading.granted_at(client.id)
    since = now - unused_for
    windows = {grant.resource: window(grant.resource, reading.watched(grant.resource)) for grant in client.grants}
    held = tuple(
        _judge(
            grant.resource,
            scope,
            tuple(use for use in uses if (use.resource, use.scope) == (grant.resource, scope)),
            windows[grant.resource],
            granted.get((grant.resource, scope), 0),
            since=since,
        )
        for grant in client.grants
        for scope in sorted(grant.scope)
    )
    return Advice(client.id, unused_for, tuple(windows.values()), held)


def window(resource: str, watched: tuple[Watched, ...]) -> Window:
    """`watched` in the order of its beginnings."""
    if not watched:
        return Window(resource, None, None, 0)
    until, unseen = watched[0].until, 0
    for one in watched[1:]:
        gap = one.began_at - until
        unseen += gap if gap > _UNSEEN else 0
        until = max(until, one.until)
    return Window(resource, watched[0].began_at, until, unseen)


def _judge(resource: str, scope: str, uses: tuple[ScopeUse, ...], seen: Window, granted_at: int, *, since: int) -> Held:
    def verdict() -> tuple[Verdict, str | None]:
        if any(use.last_used_at >= since for use in uses):
            return Verdict.USED, None
        if seen.began_at is None:
            return Verdict.UNKNOWN, "this API has never told of its use"
        if seen.began_at > since:
            return Verdict.UNKNOWN, "this API has not told of its use for so long"
        if granted_at > since:
            return Verdict.UNKNOWN, "the client has not held it for so long"
        return Verdict.UNUSED, None

    return Held(resource, scope, *verdict(), granted_at, uses)


def narrowed(client: Client, advice: Advice) -> Client:
    """`client` without what is unused. Raises Problem where nothing would be left, or nothing would go."""
    if not advice.unused:
        raise Problem(
            "nothing-unused",
            f"{client.id} holds nothing of which it is known that it was not used for so long",
            hint="see client usage; a shorter time: --unused-for 30d",
        )
    grants = []
    for grant in client.grants:
        scope = frozenset(one for one in grant.scope if (grant.resource, one) not in advice.unused)
        if scope:
            usual = None if grant.default_scope is None else (grant.default_scope & scope) or None
            grants.append(ResourceGrant(grant.resource, scope, usual))
    if not grants:
        raise Problem(
            "all-unused",
            f"{client.id} used nothing of what it holds for so long",
            hint="suspend it, or revoke it: client suspend, client revoke",
        )
    return replace(client, grants=tuple(grants))


def narrow(change: Change, client: Client, advice: Advice, *, now: int) -> Client:
    """Take away what is unused, so that it can be undone. Raises Problem."""
    after = narrowed(client, advice)
    alterations.alter(change, client, after, now=now)
    change.put_narrowing(client.id, Narrowing(now, client.grants, after.grants))
    return after


def restored(reading: Reading, client_id: str) -> tuple[Client, Client]:
    """A client as it is, and as it was before it was narrowed. Raises Misuse or Problem."""
    client = clients.get(reading, client_id).client
    narrowing = reading.find_narrowing(client_id)
    if narrowing is None:
        raise Misuse("not-narrowed", f"{client_id} was not narrowed: there is nothing to undo", hint="see client show")
    if client.grants != narrowing.after:
        raise Problem(
            "client-changed",
            f"{client_id} was changed since it was narrowed: nothing was done",
            hint="say what it may do: client change",
        )
    known = {one.url: one.scope for one in reading.resources()}
    gone = [
        f"{scope} at {grant.resource}"
        for grant in narrowing.before
        for scope in sorted(grant.scope - known.get(grant.resource, frozenset()))
    ]
    if gone:
        raise Problem(
            "scope-gone",
            f"there is no longer {', '.join(gone)}: nothing was done",
            hint="say what it may do: client change",
        )
    return client, replace(client, grants=narrowing.before)


def undo(change: Change, client_id: str, *, now: int) -> Client:
    """Give back what `narrow` took away. Raises as `restored` does."""
    before, after = restored(change.reading, client_id)
    alterations.alter(change, before, after, now=now)
    change.put_narrowing(client_id, None)
    return after

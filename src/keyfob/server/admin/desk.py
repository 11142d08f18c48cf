"""Where an operation is performed: on an installation, for one operator, by a clock."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from keyfob.ambient import Clock, Entropy
from keyfob.problem import Problem
from keyfob.server.alarms.courier import Sink
from keyfob.server.audit import events
from keyfob.server.audit.events import Field
from keyfob.server.installation import Installation
from keyfob.server.key_sets import KeySets
from keyfob.server.lifecycle import handoff, operators
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.server.notices.notice import Notice, Role
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Operator, State
from keyfob.server.storage.store import Within

Document = dict[str, object]
"""What an operation comes to: a JSON object, the same on the home and over HTTP."""


class Ways(Protocol):
    """By which notices leave."""

    def names(self) -> Mapping[Role, tuple[str, ...]]: ...

    def deliver(self, notice: Notice, channel: str, *, email: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `operator` None: the system's user of a home that has no operators yet.

    `facts` stand in each audit record: from where it was done. `reason`: what for.
    """

    name: str
    operator: Operator | None
    reason: str | None = None
    facts: Mapping[str, Field] = field(default_factory=dict)

    @property
    def person(self) -> Operator:
        """For what only an operator may do. Raises Problem."""
        if self.operator is None:
            raise Problem(
                "no-operator", f"{self.name} is no operator here", hint="keyfob-server operator add takes one up"
            )
        return self.operator

    @property
    def in_audit(self) -> events.Actor:
        return events.Actor(f"operator:{self.name}", self.reason)


@dataclass(frozen=True, slots=True)
class Desk:
    """`sinks`: where alarms go; `ways`: by which notices go. `key_sets`: what fetches the keys that clients publish.

    `outlet`: where a sealed message goes, a file on the home, else the answer.

    `expected`: the version that what is changed must still have; None where that does not matter.

    Changes are made through `installation.store`, which sees to it that the operator may still act inside each.
    """

    installation: Installation
    actor: Actor
    clock: Clock
    entropy: Entropy
    sinks: Callable[[], Sequence[Sink]]
    ways: Callable[[], Ways | None]
    key_sets: KeySets | None
    outlet: Outlet = handoff.with_answer
    expected: str | None = None
    steps: tuple[Callable[[Change], None], ...] = ()

    def acting(self, *more: Callable[[Change], None]) -> "Desk":
        """The same, for performing an operation: its first change begins by `more`."""
        steps = (*self.steps, *map(_once, more))

        def begin(change: Change) -> None:
            check_still(change, self.actor)
            for step in steps:
                step(change)

        store = self.installation.store.acting(Within(begin, self.actor.facts))
        return replace(self, installation=replace(self.installation, store=store), steps=steps)

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction, recorded under the operator's name."""
        with self.installation.store.change(now=self.clock(), actor=self.actor.in_audit) as change:
            yield change

    def check_version(self, found: str) -> None:
        """Inside the transaction that changes it. Raises Problem when somebody else was faster."""
        if self.expected is not None and self.expected != found:
            raise Problem(
                "changed-meanwhile",
                "somebody changed it meanwhile: nothing was done",
                hint="look at it, then try again",
            )


def check_still(change: Change, actor: Actor) -> None:
    """Of two operators who suspend each other at once, one does."""
    if actor.operator is None:
        if operators.living(change.reading):
            raise Problem("no-operator", f"{actor.name} is no operator here: nothing was done")
        return
    found = next((one for one in change.reading.operators() if one.id == actor.operator.id), None)
    if found is None or (found.state, found.role) != (State.ACTIVE, actor.operator.role):
        raise Problem("operator-not-active", f"{actor.name} may no longer act: nothing was done")


def _once(step: Callable[[Change], None]) -> Callable[[Change], None]:
    """An operation of several changes is decided once, and its key is kept once."""
    is_done = False

    def first(change: Change) -> None:
        nonlocal is_done
        if not is_done:
            step(change)
        is_done = True

    return first

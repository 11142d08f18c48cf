"""The desk at the home: operations are performed here, by whoever the operating system or a key says it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from keyfob.ambient import Clock, Entropy
from keyfob.jose.keys import SigningKey
from keyfob.problem import Misuse
from keyfob.server.admin.desk import Actor, Desk, Ways, check_still
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.performing import Performed, perform
from keyfob.server.alarms.courier import Sink
from keyfob.server.audit.events import Field
from keyfob.server.installation import Installation
from keyfob.server.key_sets import KeySets
from keyfob.server.lifecycle import operators
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.server.storage.store import Within


def identify(installation: Installation, *, system_user: str, key: SigningKey | None, reason: str | None) -> Actor:
    """Who acts: the operator whose private key was shown, else the one with the system's user's name.

    Nobody is believed for a name alone. A home from before there were operators has none, and its user acts; from the
    first one on, only operators do. Raises Misuse.
    """
    facts: dict[str, Field] = {"os_user": system_user}
    with installation.store.reading() as reading:
        known = operators.living(reading)
    if key is not None:
        found = next((one for one in known if one.key_id == key.kid), None)
        if found is None:
            raise Misuse("unknown-key", "that key is no operator's here", hint="keyfob-server operator list")
        return Actor(found.name, found, reason, facts)
    named = next((one for one in known if one.name == system_user), None)
    if named is None and known:
        raise Misuse(
            "no-operator",
            f"the user {system_user} is no operator of this home",
            hint="show your key with --operator-key FILE, or have yourself taken up: keyfob-server operator add",
        )
    return Actor(system_user, named, reason, facts)


def acting(installation: Installation, actor: Actor) -> Installation:
    """`installation` for what is done on the home alone: by an operator, whom each record names. Raises Problem."""
    if actor.operator is not None:
        operators.check_acts(actor.operator)
    within = Within(lambda change: check_still(change, actor), actor.facts)
    return replace(installation, store=installation.store.acting(within))


class LocalDesk:
    """Performs on an open installation."""

    def __init__(
        self,
        installation: Installation,
        actor: Actor,
        *,
        clock: Clock,
        entropy: Entropy,
        sinks: Callable[[], Sequence[Sink]],
        ways: Callable[[], Ways],
        key_sets: KeySets,
        outlet: Outlet,
    ) -> None:
        self._desk = Desk(
            installation,
            actor,
            clock=clock,
            entropy=entropy,
            sinks=sinks,
            ways=ways,
            key_sets=key_sets,
            outlet=outlet,
        )

    def perform(self, operation: Operation[Any], asked: object) -> Performed:
        """Raises Misuse or Problem."""
        # Through what goes over the wire, so that nothing is accepted here that is refused there.
        return perform(self._desk, operation, operation.read(operation.write(asked)))

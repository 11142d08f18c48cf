"""docs/reference/states.md, out of the server's lifecycle/states.py: the table of transitions, drawn and in words."""

from collections.abc import Mapping

from keyfob.server.lifecycle import states
from keyfob.server.lifecycle.states import MEANING, USABLE, Event
from keyfob.server.storage.records import State

_OPENING = """# Who may do what when

What may change from what to what, as the server's one table of transitions says. An act that the table does not name is
refused, and nothing is changed. A client's state holds for all of its credentials and a partner's for all of its
clients; each keeps its own state meanwhile, so that `resume` brings back exactly what there was. A date that has passed
counts from its first second, whether or not anything has happened at it.

This page is made from `src/keyfob/server/lifecycle/states.py`: `KEYFOB_WRITE_PAGES=1 make docs` writes it anew.
"""
_HALVES = (("A credential", states.OF_CREDENTIALS), ("A client, a partner", states.OF_CLIENTS_AND_PARTNERS))


def page() -> str:
    return "\n".join([_OPENING, *(_half(heading, table) for heading, table in _HALVES)])


def _half(heading: str, table: Mapping[tuple[State, Event], State]) -> str:
    found = {state for (start, _), end in table.items() for state in (start, end)}
    works = ", ".join(f"**{state}**" for state in State if state in found & USABLE)
    rows = [f"| {start} | {event} | {end} | {MEANING[event]} |" for (start, event), end in table.items()]
    listed = "\n".join(rows)
    return f"""## {heading}

It works while it is {works}.

```mermaid
{_picture(table)}
```

| from | | to | |
|---|---|---|---|
{listed}
"""


def _picture(table: Mapping[tuple[State, Event], State]) -> str:
    """One arrow from a state to another, with all that leads there."""
    arrows: dict[tuple[State, State], list[Event]] = {}
    for (start, event), end in table.items():
        arrows.setdefault((start, end), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {State.ACTIVE}"]
    lines += [f"    {start} --> {end}: {', '.join(events)}" for (start, end), events in arrows.items()]
    return "\n".join(lines)

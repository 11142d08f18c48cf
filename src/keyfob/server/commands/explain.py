"""`keyfob-server explain`: why a request was refused, and what to do next."""

import click

from keyfob.command import Result, shows_result
from keyfob.server.admin.audits import EXPLAIN, Refusal
from keyfob.server.admin.desk import Document
from keyfob.server.commands.place import Place, number, perform, place_options
from keyfob.server.commands.surroundings import Surroundings, show_time
from keyfob.server.refusals.causes import Cause

_DATES = frozenset({"not_before", "expired_at", "overlap_ended_at"})


@click.command(short_help="Say why a request was refused.")
@click.argument("error_id")
@place_options()
@click.pass_obj
@shows_result
def explain(surroundings: Surroundings, *, error_id: str, place: Place) -> Result:
    """Say why a request was refused, by the ERROR_ID of its answer, and what to do next.

    On the wire all refusals of a credential are alike, so that a stranger learns nothing; each carries an error_id
    (also as the header Keyfob-Request-Id), which the client's people give you. The reason is kept for 24 hours and
    never holds a secret. A client can read its own with another live credential of the same client: GET
    ISSUER/partner/v1/refusals/ERROR_ID.

    \b
    Example:
      keyfob-server explain 5f0c2b9e4d7a41c38f6e0d1b2a3c4d5e --home ./operator
    """
    found = perform(surroundings, place, EXPLAIN, Refusal(error_id=error_id)).document
    return Result(found, _text(found))


def _text(found: Document) -> str:
    lines = [
        f"when          {show_time(number(found, 'at'))}",
        f"client        {found['client_id'] or '(none that is registered)'}",
        f"from          {found['address']}",
        f"answered      {found['error']}",
        f"reason        {Cause[str(found['reason']).upper()]}",
    ]
    facts = found["facts"]
    assert isinstance(facts, dict)
    lines += [f"  {name}: {_shown(name, value)}" for name, value in facts.items()]
    return "\n".join((*lines, "", str(found["explanation"]), f"next: {found['next_step']}"))


def _shown(name: str, value: object) -> str:
    if name in _DATES and isinstance(value, int):
        return show_time(value)
    return ", ".join(value) or "(none)" if isinstance(value, list) else str(value)

"""`keyfob-server explain`: why a request was refused, and what to do next."""

import re
import time
from pathlib import Path

import click

from keyfob.command import Result, shows_result
from keyfob.problem import Misuse, Problem
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, show_time
from keyfob.server.refusals import words
from keyfob.server.refusals.explanation import Explanation, Fact
from keyfob.server.storage.store import Store

_ERROR_ID = re.compile(r"[0-9a-f]{32}")
_LOOKS, _PAUSE = 10, 0.2
_DATES = frozenset({"not_before", "expired_at", "overlap_ended_at"})


@click.command(short_help="Say why a request was refused.")
@click.argument("error_id")
@home_option()
@click.pass_obj
@shows_result
def explain(surroundings: Surroundings, *, error_id: str, home: Path) -> Result:
    """Say why a request was refused, by the ERROR_ID of its answer, and what to do next.

    On the wire all refusals of a credential are alike, so that a stranger learns nothing; each carries an error_id
    (also as the header Keyfob-Request-Id), which the client's people give you. The reason is kept for 24 hours and
    never holds a secret. A client can read its own with another live credential of the same client: GET
    ISSUER/partner/v1/refusals/ERROR_ID.

    \b
    Example:
      keyfob-server explain 5f0c2b9e4d7a41c38f6e0d1b2a3c4d5e --home ./operator
    """
    wanted = error_id.strip().lower()
    if not _ERROR_ID.fullmatch(wanted):
        raise Misuse("bad-error-id", "an error_id has 32 hexadecimal digits", hint="copy it whole from the answer")
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        found = _find(installation.store, wanted, now)
    if found is None:
        raise Problem(
            "unknown-error-id",
            "no refusal with this error_id is kept",
            hint="reasons are kept for 24 hours, and the newest of each network only; is it this issuer's?",
        )
    return Result(words.write_for_operator(found), _text(found))


def _find(store: Store, error_id: str, now: int) -> Explanation | None:
    """A reason is written behind the answer, within a second: one that is not there yet is waited for."""
    for _ in range(_LOOKS):
        found = store.find_explanation(error_id, now=now)
        if found is not None:
            return found
        time.sleep(_PAUSE)  # between two looks at what another process writes
    return None


def _text(found: Explanation) -> str:
    lines = [
        f"when          {show_time(found.at)}",
        f"client        {found.client_id or '(none that is registered)'}",
        f"from          {found.address}",
        f"answered      {found.error}",
        f"reason        {found.cause}",
    ]
    lines += [f"  {name}: {_shown(name, value)}" for name, value in found.facts.items()]
    return "\n".join((*lines, "", words.happened(found), f"next: {words.next_for_operator(found)}"))


def _shown(name: str, value: Fact) -> str:
    if name in _DATES and isinstance(value, int):
        return show_time(value)
    return ", ".join(value) or "(none)" if isinstance(value, list) else str(value)

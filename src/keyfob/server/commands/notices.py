"""`keyfob-server notice`: what was told to whom, what was not, and whether notices get there."""

from collections.abc import Sequence

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.admin import notices
from keyfob.server.admin.notices import MAX_SHOWN, Newest, Retrial
from keyfob.server.admin.operation import Nothing
from keyfob.server.commands.place import Place, listed, perform, place_options
from keyfob.server.commands.surroundings import Surroundings, show_time


@click.group(short_help="What partners and you are told in good time.")
def notice() -> None:
    """What partners and you are told in good time: by e-mail, and by what your alarms go to."""


@notice.command("list", short_help="The last notices, and what came of each.")
@place_options()
@click.option("--count", type=click.IntRange(1, MAX_SHOWN), default=50, show_default=True, help="How many.")
@click.pass_obj
@shows_result
def list_notices(surroundings: Surroundings, *, place: Place, count: int) -> Result:
    """The last notices, the newest first: for whom, on which way, and what came of it.

    \b
    Example:
      keyfob-server notice list --home ./operator
    """
    document = perform(surroundings, place, notices.LIST, Newest(count=count)).document
    rows = [
        (
            show_time(one["at"]),
            one["id"],
            one["kind"],
            one["recipient"],
            one["channel"],
            one["state"],
            one["reason"] or "",
        )
        for one in listed(document, "notices")
    ]
    return Result(document, table(("MADE", "NOTICE", "KIND", "FOR", "BY", "STATE", "REASON"), rows))


@notice.command(short_help="Try again what was given up.")
@click.argument("notice_id", nargs=-1)
@place_options()
@click.option("--all", "every", is_flag=True, help="All that were given up, or had no way to go.")
@click.option("--dry-run", is_flag=True, help="Show how many there are, and change nothing.")
@click.pass_obj
@shows_result
def retry(surroundings: Surroundings, *, notice_id: Sequence[str], place: Place, every: bool, dry_run: bool) -> Result:
    """Try notices again that were given up, or that had no way to go when they were made. A running server does it.

    \b
    Example:
      keyfob-server notice retry --all --home ./operator
    """
    asked = Retrial(notices=tuple(notice_id), every=every, dry_run=dry_run)
    done = perform(surroundings, place, notices.RETRY, asked).document
    if dry_run:
        return Result(done, f"{done['would_try_again']} would be tried again; nothing was changed")
    return Result(done, f"{done['tried_again']} will be tried again by the running server")


@notice.command(short_help="Send a test notice to yourself.")
@place_options()
@click.pass_obj
@shows_result
def test(surroundings: Surroundings, *, place: Place) -> Result:
    """Send a notice of the kind `test` to yourself, on every way of the settings, and say what came of it.

    Exit status 1 when one did not take it.

    \b
    Example:
      keyfob-server notice test --home ./operator
    """
    done = perform(surroundings, place, notices.TEST, Nothing()).document
    return Result(done, f"{done['id']} delivered by {', '.join(listed(done, 'delivered'))}")

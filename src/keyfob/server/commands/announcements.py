"""`keyfob-server announcement`: what partners asked for by their signature, and does not count yet."""

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.admin import announcements
from keyfob.server.admin.announcements import OneAnnouncement
from keyfob.server.admin.operation import Operation
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, reason_option, show_time


@click.group(short_help="Other keys that partners asked for, before they count.")
def announcement() -> None:
    """Other keys that partners asked for by a signature of their certificate. Both sides are told before they count."""


@announcement.command("list", short_help="What was announced, and when it counts.")
@place_options()
@click.pass_obj
@shows_result
def list_announcements(surroundings: Surroundings, *, place: Place) -> Result:
    """What was announced, the oldest first; also what counts by now or was stopped.

    \b
    Example:
      keyfob-server announcement list --home ./operator
    """
    document = perform_all(surroundings, place, announcements.LIST)
    rows = [
        (
            one["announcement_id"],
            one["state"],
            one["client_id"],
            show_time(one["takes_effect_at"]),
            one["jwks_uri"] or ", ".join(one["thumbprints"]),
        )
        for one in listed(document, "announcements")
    ]
    return Result(document, table(("ANNOUNCEMENT", "STATE", "CLIENT", "COUNTS FROM", "KEYS"), rows))


@announcement.command(short_help="Stop what was announced.")
@click.argument("announcement_id")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def stop(surroundings: Surroundings, *, announcement_id: str, place: Place) -> Result:
    """Stop what was announced: the client keeps the keys that it has. The partner is told.

    \b
    Example:
      keyfob-server announcement stop ann_5d41... --home ./operator --reason "Acme did not ask for it"
    """
    return _settle(surroundings, place, announcements.STOP, announcement_id)


@announcement.command(short_help="Let what was announced count now.")
@click.argument("announcement_id")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def hasten(surroundings: Surroundings, *, announcement_id: str, place: Place) -> Result:
    """Let what was announced count now, without the days in which the partner could stop it. It needs --reason.

    Ask the partner over another channel first: whoever has its OpenPGP key can ask for other keys.

    \b
    Example:
      keyfob-server announcement hasten ann_5d41... --home ./operator --reason "old key lost, Ann Example called back"
    """
    return _settle(surroundings, place, announcements.HASTEN, announcement_id)


def _settle(
    surroundings: Surroundings, place: Place, operation: Operation[OneAnnouncement], announcement_id: str
) -> Result:
    done = perform(surroundings, place, operation, OneAnnouncement(announcement_id=announcement_id))
    return shown(done, lambda: f"{announcement_id} is {done.document['state']}")

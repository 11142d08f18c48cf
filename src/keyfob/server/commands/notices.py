"""`keyfob-server notice`: what was told to whom, what was not, and whether notices get there."""

from collections.abc import Sequence
from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.problem import Misuse, Problem
from keyfob.server.alarms import sinks
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, show_time
from keyfob.server.notices import channels
from keyfob.server.notices.notice import Notice, NoticeKind, Role
from keyfob.server.storage.outbox import DeliveryState, Parcel

_MAX_SHOWN = 10_000


@click.group(short_help="What partners and you are told in good time.")
def notice() -> None:
    """What partners and you are told in good time: by e-mail, and by what your alarms go to."""


@notice.command("list", short_help="The last notices, and what came of each.")
@home_option()
@click.option("--count", type=click.IntRange(1, _MAX_SHOWN), default=50, show_default=True, help="How many.")
@click.pass_obj
@shows_result
def list_notices(surroundings: Surroundings, *, home: Path, count: int) -> Result:
    """The last notices, the newest first: for whom, on which way, and what came of it.

    \b
    Example:
      keyfob-server notice list --home ./operator
    """
    with opened(surroundings, home) as installation:
        found = installation.store.outbox.newest(count)
        unsettled, unrouted = installation.store.outbox.unsettled(), installation.store.outbox.unrouted()
    waiting = unrouted + sum(one.state is DeliveryState.WAITING for one in unsettled)
    rows = [
        (
            show_time(one.notice.at),
            one.notice.id,
            one.notice.kind.value,
            one.notice.recipient.value,
            one.channel,
            one.state.value,
            one.reason or "",
        )
        for one in found
    ]
    text = table(("MADE", "NOTICE", "KIND", "FOR", "BY", "STATE", "REASON"), rows)
    return Result({"waiting": waiting, "notices": [document(one) for one in found]}, text)


@notice.command(short_help="Try again what was given up.")
@click.argument("notice_id", nargs=-1)
@home_option()
@click.option("--all", "every", is_flag=True, help="All that were given up, or had no way to go.")
@click.pass_obj
@shows_result
def retry(surroundings: Surroundings, *, notice_id: Sequence[str], home: Path, every: bool) -> Result:
    """Try notices again that were given up, or that had no way to go when they were made. A running server does it.

    \b
    Example:
      keyfob-server notice retry --all --home ./operator
    """
    if bool(notice_id) == every:
        raise Misuse("notices-missing", "name the notices, or give --all", hint="keyfob-server notice list")
    with opened(surroundings, home) as installation:
        count = installation.store.outbox.retry(None if every else notice_id, surroundings.clock())
    if not count and not every:
        raise Misuse("unknown-notice", "none of these was given up", hint="keyfob-server notice list")
    return Result({"tried_again": count}, f"{count} will be tried again by the running server")


@notice.command(short_help="Send a test notice to yourself.")
@home_option()
@click.pass_obj
@shows_result
def test(surroundings: Surroundings, *, home: Path) -> Result:
    """Send a notice of the kind `test` to yourself, on every way of the settings, and say what came of it.

    Exit status 1 when one did not take it.

    \b
    Example:
      keyfob-server notice test --home ./operator
    """
    with opened(surroundings, home) as installation:
        found = sinks.make(installation, environ=surroundings.environ, clock=surroundings.clock)
        ways = channels.make(installation, found, environ=surroundings.environ, clock=surroundings.clock)
    names = ways.names()[Role.OPERATOR]
    if not names:
        raise Misuse("no-notices", "no way for notices is set", hint="set mail.host, alarms.webhook or alarms.syslog")
    told = Notice(NoticeKind.TEST, surroundings.entropy(8).hex(), Role.OPERATOR, surroundings.clock())
    failed: list[str] = []
    for name in names:
        try:
            ways.deliver(told, name, email=None)
        except NotDelivered as reason:
            failed.append(f"{name}: {reason}")
    if failed:
        raise Problem("notice-not-delivered", "; ".join(failed), hint="mend it, then: keyfob-server notice test")
    return Result({"id": told.id, "delivered": list(names)}, f"{told.id} delivered by {', '.join(names)}")


def document(parcel: Parcel) -> dict[str, object]:
    """A delivery as `--json` shows it."""
    return {
        "id": parcel.notice.id,
        "kind": parcel.notice.kind.value,
        "subject": parcel.notice.subject,
        "recipient": parcel.notice.recipient.value,
        "partner": parcel.partner,
        "at": parcel.notice.at,
        "channel": parcel.channel,
        "state": parcel.state.value,
        "attempts": parcel.attempts,
        "reason": parcel.reason,
    }

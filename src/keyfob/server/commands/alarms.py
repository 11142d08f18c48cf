"""`keyfob-server alarm`: where alarms go, and whether they get there."""

from pathlib import Path

import click

from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.problem import Misuse, Problem
from keyfob.server.alarms import bell, sinks, webhook
from keyfob.server.alarms.alarm import AlarmKind
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.alarms.watch import Event
from keyfob.server.audit.events import Kind
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, opened, reason_option


@click.group(short_help="Attempted misuse, told at once.")
def alarm() -> None:
    """Attempted misuse, told at once to a webhook or a syslog daemon."""


@alarm.command(short_help="Make the secret that signs alarms to the webhook.")
@home_option()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write it once, for the receiver. Delete it when the receiver has it.",
)
@reason_option()
@click.pass_obj
@shows_result
def secret(surroundings: Surroundings, *, home: Path, out: Path) -> Result:
    """Make the secret that signs messages to the webhook, in place of an earlier one.

    The server keeps it in an envelope; FILE, readable by you alone, is for the receiver, which checks the header
    webhook-signature as Standard Webhooks says. A running server takes a new secret up when it is started again. A
    secret of the receiver's making comes in the variable KEYFOB_ALARMS_WEBHOOK_SECRET instead.

    \b
    Example:
      keyfob-server alarm secret --home ./operator --out webhook.secret
    """
    if out.exists():
        raise Misuse("file-exists", f"{out} already exists", hint="name another file with --out")
    now = surroundings.clock()
    made = webhook.new_secret(surroundings.entropy(webhook.KEY_BYTES))
    with opened(surroundings, home) as installation:
        homes.write_new_file(out, made.reveal_bytes() + b"\n")
        with installation.store.change(now=now, actor=actor()) as change:
            change.record(Kind.WEBHOOK_SECRET_MADE)
            installation.keep_webhook_secret(made, entropy=surroundings.entropy)
    return Result({"secret_file": str(out)}, f"made {out}: give it to the receiver, then delete it")


@alarm.command(short_help="Send a test alarm to every place of the settings.")
@home_option()
@click.pass_obj
@shows_result
def test(surroundings: Surroundings, *, home: Path) -> Result:
    """Send an alarm of the kind `test` to every place of the settings, and say what came of it.

    Exit status 1 when one did not take it. Over UDP and the local socket, sent counts as taken.

    \b
    Example:
      keyfob-server alarm test --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        found = sinks.make(installation, environ=surroundings.environ, clock=surroundings.clock)
        issuer = installation.settings.issuer
    if not found:
        raise Misuse("no-alarms", "no place for alarms is set", hint="set alarms.webhook or alarms.syslog")
    told = bell.make(Event(AlarmKind.TEST, "test"), issuer=issuer, now=now, entropy=surroundings.entropy)
    failed: list[str] = []
    for sink in found:
        try:
            sink.deliver(told)
        except NotDelivered as reason:
            failed.append(f"{sink.name}: {reason}")
    if failed:
        raise Problem("alarm-not-delivered", "; ".join(failed), hint="mend it, then: keyfob-server alarm test")
    names = [sink.name for sink in found]
    return Result({"id": told.id, "delivered": names}, f"{told.id} delivered to {', '.join(names)}")

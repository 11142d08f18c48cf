"""`keyfob-server alarm`: where alarms go, and whether they get there."""

from pathlib import Path

import click

from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.problem import Misuse
from keyfob.server.admin.alarms import TEST
from keyfob.server.admin.operation import Nothing
from keyfob.server.alarms import webhook
from keyfob.server.audit.events import Kind
from keyfob.server.commands.place import Place, acting_here, listed, operator_key_option, perform, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, reason_option


@click.group(short_help="Attempted misuse, told at once.")
def alarm() -> None:
    """Attempted misuse, told at once to a webhook or a syslog daemon."""


@alarm.command(short_help="Make the secret that signs alarms to the webhook.")
@home_option()
@operator_key_option()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write it once, for the receiver. Delete it when the receiver has it.",
)
@click.option("--dry-run", is_flag=True, help="Only say whether there is a secret that it would replace.")
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def secret(surroundings: Surroundings, *, home: Path, operator_key: Path | None, out: Path, dry_run: bool) -> Result:
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
    with opened(surroundings, home) as found:
        installation, by = acting_here(found, operator_key)
        if dry_run:
            replaced = installation.webhook_secret() is not None
            before = "in place of the one that there is" if replaced else "the first one"
            return Result({"dry_run": True, "replaces": replaced}, f"would make {out}, {before}; nothing was changed")
        homes.write_new_file(out, made.reveal_bytes() + b"\n")
        with installation.store.change(now=now, actor=by) as change:
            change.record(Kind.WEBHOOK_SECRET_MADE)
            installation.keep_webhook_secret(made, entropy=surroundings.entropy)
    return Result({"secret_file": str(out)}, f"made {out}: give it to the receiver, then delete it")


@alarm.command(short_help="Send a test alarm to every place of the settings.")
@place_options()
@click.pass_obj
@shows_result
def test(surroundings: Surroundings, *, place: Place) -> Result:
    """Send an alarm of the kind `test` to every place of the settings, and say what came of it.

    Exit status 1 when one did not take it. Over UDP and the local socket, sent counts as taken.

    \b
    Example:
      keyfob-server alarm test --home ./operator
    """
    done = perform(surroundings, place, TEST, Nothing())
    return shown(done, lambda: f"{done.document['id']} delivered to {', '.join(listed(done.document, 'delivered'))}")

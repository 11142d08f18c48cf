"""`keyfob-server move-store`: the same installation on another database."""

import contextlib
from pathlib import Path

import click

from keyfob import database_url
from keyfob import home as homes
from keyfob.command import Result, progress, shows_result
from keyfob.home import HomeKind
from keyfob.server import installation, relocation
from keyfob.server.commands.place import acting_here, operator_key_option
from keyfob.server.commands.rehearsing import is_rehearsal
from keyfob.server.commands.surroundings import Surroundings, home_option, reason_option


@click.command("move-store", short_help="Move the installation to another database.")
@home_option()
@operator_key_option()
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="sqlite:///PATH or postgresql://USER@HOST/NAME, without a password.",
)
@reason_option()
@click.pass_obj
@shows_result
def move_store(surroundings: Surroundings, *, home: Path, operator_key: Path | None, url: str) -> Result:
    """Move the installation to another database, SQLite or PostgreSQL, while no server runs on it.

    Every row is copied, counted and compared, the audit trail is verified in its new place, and only then keyfob.toml
    is pointed there. Whatever goes wrong before, the old database stays in force; it is never changed. The new one must
    be empty. A password comes from a pass file (PGPASSFILE, or passfile= in the URL).

    \b
    Example:
      keyfob-server move-store --home ./operator --to postgresql://keyfob@db.example/keyfob
    """
    target = database_url.choose(url, where="--to")
    homes.check(home, HomeKind.SERVER)
    now, environ, entropy = surroundings.clock(), surroundings.environ, surroundings.entropy
    with (
        homes.in_use(home, alone=True),
        contextlib.closing(installation.open(home, environ=environ, entropy=entropy)) as found,
        progress("moving the store"),
    ):
        source = found.rehearsing() if is_rehearsal() else found
        mine, by = acting_here(source, operator_key)
        moved, head = relocation.move(mine, target, now=now, actor=by, environ=environ, entropy=entropy)
    return Result(moved.document(audit_head=head), moved.lines(f"audit head {head}", environ=environ))

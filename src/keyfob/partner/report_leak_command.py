"""`keyfob report-leak`: whoever holds a leaked secret ends it, without an account, a vault or a person to ask."""

import sys
from pathlib import Path

import click

from keyfob.command import Result, progress, read_file, shows_result
from keyfob.partner.options import ca_option, vault_option
from keyfob.problem import Misuse

_STDIN = Path("-")
_MAX_BYTES = 1024 * 1024


@click.command("report-leak", short_help="End a leaked secret by presenting it to its issuer.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-", metavar="[FILE]")
@click.option("--issuer", metavar="URL", help="Who has issued it.  [default: the vault's, when it has one]")
@click.option("--found-at", metavar="URL", help="Where it lay, for those who have to look after it.")
@vault_option
@ca_option
@shows_result
def report_leak(*, file: Path, issuer: str | None, found_at: str | None, vault: str | None, ca: Path | None) -> Result:
    """Present a leaked secret to its issuer: it stops working at once, with its tokens, and its owner is told.

    It is read from FILE or standard input (a terminal asks, and shows nothing); never put it on a command line. Of a
    longer text, a log for example, every secret of Keyfob's form is presented. Access tokens, links to sealed messages
    and operators' keys are taken, too, one at a time. The issuer's answer does not say what it was.

    \b
    Example:
      keyfob report-leak build.log --issuer https://id.example --found-at https://git.example/acme/sync
      keyfob report-leak --issuer https://id.example < secret.txt
    """
    from keyfob.partner import opening, safe_url

    if safe_url.holds_secret(str(file)):
        raise Misuse(
            "secret-on-command-line",
            "that is a secret, where others can see it, and not a file",
            hint="give it by standard input: keyfob report-leak --issuer URL",
        )
    text, where = _read(file), None if found_at is None else safe_url.check(found_at)
    with progress("presenting it"):
        count, endpoint = opening.report_leak(text, issuer=issuer, vault=vault, where=where, ca=ca)
    text = (
        f"presented to {endpoint}: {count}\nwhat works of it is withdrawn now, and its owner is told\n"
        "the answer is always the same: it does not say what it was"
    )
    return Result({"endpoint": endpoint, "presented": count}, text)


def _read(path: Path) -> str:
    """Raises Misuse."""
    from keyfob.partner import opening

    if path != _STDIN:
        return read_file(path, max_bytes=_MAX_BYTES).decode(errors="replace")
    if opening.attended():
        return opening.ask_secret("The leaked secret (it is not shown): ").reveal()
    return sys.stdin.buffer.read(_MAX_BYTES).decode(errors="replace")

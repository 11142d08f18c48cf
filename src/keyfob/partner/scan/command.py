"""`keyfob scan`: the command. What is found is told by its place and fingerprint, never by itself."""

import functools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyfob import ambient
from keyfob.command import Result, progress, shows_result
from keyfob.problem import Misuse, Problem

if TYPE_CHECKING:
    from keyfob.partner.scan.finding import Finding, Report

_STDIN = "-"
_MEGABYTE = 1_000_000


@click.command(short_help="Find secrets and tokens in files, archives and git history.")
@click.argument("paths", nargs=-1, metavar="[PATH|-]...", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--history", is_flag=True, help="Look into all that git has kept of the repository at PATH, too.")
@click.option("--staged", is_flag=True, help="Look only into what git would commit now.")
@click.option("--allow", "allowed", multiple=True, metavar="FINGERPRINT", help="Pass over this one; may be repeated.")
@click.option("--strict", is_flag=True, help="Exit 1 also when something could not be looked into.")
@click.option(
    "--max-unpacked", type=click.IntRange(1), default=1024, show_default=True, metavar="MB",
    help="What may come out of one archive.",
)  # fmt: skip
@click.option(
    "--rules",
    type=click.Choice(["pre-commit", "gitleaks", "detect-secrets", "github"]),
    help="Scan nothing: print the rules for this program.",
)
@shows_result
def scan(
    *,
    paths: tuple[Path, ...],
    history: bool,
    staged: bool,
    allowed: tuple[str, ...],
    strict: bool,
    max_unpacked: int,
    rules: str | None,
) -> Result:
    """Find client secrets and tokens of Keyfob at PATH (by default here), or in standard input for `-`.

    A secret is known by its prefix and checksum, so that there are no false alarms; archives are looked into. Nothing
    leaves this machine, and no secret is shown. Exit code 1 when something is found that may still work.

    \b
    Example:
      keyfob scan
      keyfob scan --history .
      docker save IMAGE | keyfob scan -
    """
    if rules is not None:
        from keyfob.partner.scan.rules import RULES

        text = RULES[rules]()
        return Result({"rules": rules, "text": text}, text.rstrip("\n"))
    if staged and (history or len(paths) > 1):
        raise Misuse("usage", "--staged goes with one repository and nothing else", hint="keyfob scan --staged")
    from keyfob.partner.scan.finding import Report

    report = Report()
    _scan(paths or (Path(),), report, history=history, staged=staged, max_unpacked=max_unpacked * 1024 * 1024)
    now = ambient.system_clock()
    alive, expired = report.found(allowed, now)
    document = {
        "findings": [one.document(now) for one in [*alive, *expired]],
        "not_scanned": [{"where": str(one.place), "reason": one.reason} for one in report.unread],
        "more": report.more,
        "files": report.files,
        "bytes": report.size,
    }
    failed = bool(alive) or (strict and bool(report.unread))
    return Result(document, _text(report, alive, expired, now), 1 if failed else 0)


def _scan(paths: tuple[Path, ...], report: "Report", *, history: bool, staged: bool, max_unpacked: int) -> None:
    from keyfob.partner.scan import git, tree
    from keyfob.partner.scan.archives import look_into_pipe
    from keyfob.partner.scan.finding import Place

    for path in paths:
        if str(path) == _STDIN and not staged:
            with progress("scanning standard input"):
                look_into_pipe(sys.stdin.buffer, Place(_STDIN), report, max_unpacked=max_unpacked)
            continue
        if not path.exists():
            raise Misuse("no-such-file", f"there is no {path}", hint="name a file or a folder")
        folder = path if path.is_dir() else path.parent
        if staged:
            with progress("scanning what is staged"):
                git.scan_staged(folder, report, max_unpacked=max_unpacked)
            continue
        with progress("scanning the files") as shown:
            shown.share = _share(report, partial(tree.size_below, path))
            tree.scan_paths((path,), report, max_unpacked=max_unpacked)
        if history:
            with progress("scanning the history") as shown:
                shown.share = _share(report, partial(git.count_objects, folder))
                git.scan_history(folder, report, max_unpacked=max_unpacked)


def _share(report: "Report", count: Callable[[], int]) -> Callable[[], float | None]:
    """How much of a part is done. Its whole is counted when somebody wants to know, which is when it takes long."""
    before, known = report.passed, functools.cache(count)

    def share() -> float | None:
        try:
            whole = known()
        except (OSError, Problem):
            return None  # why, the scan itself says
        return (report.reached - before) / whole if whole else None

    return share


def _text(report: "Report", alive: "list[Finding]", expired: "list[Finding]", now: int) -> str:
    lines = [click.style(one.text(now), fg="red") for one in alive]
    lines += [click.style(one.text(now), fg="yellow") for one in expired]
    lines += [click.style(f"and {report.more} more", fg="red")] if report.more else []
    lines += [click.style(f"not looked into: {one}", fg="yellow") for one in report.unread]
    looked = f"{report.files} files, {report.size / _MEGABYTE:.1f} MB"
    if not alive:
        lines.append(f"nothing that still works was found: {looked}" if expired else f"nothing was found: {looked}")
        return "\n".join(lines)
    number = "one was" if len(alive) == 1 else f"{len(alive)} were"
    return "\n".join([*lines, f"{number} found: {looked}", *_NEXT])


_NEXT = (
    "next: end it at its issuer, which needs no vault (keyfob report-leak FILE), or put another in its place (keyfob",
    "      rotate, then keyfob rotate --finish); taking it out of the file is not enough, since git keeps it",
)

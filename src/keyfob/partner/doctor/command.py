"""`keyfob doctor`: the command."""

from pathlib import Path

import click

from keyfob.command import Result, progress, shows_result
from keyfob.partner.options import ca_option, vault_option
from keyfob.problem import Misuse


@click.command(short_help="Check that secrets are kept as they should be.")
@click.option("--offline", is_flag=True, help="Send nothing: leave out what the network would tell.")
@click.option("--only", multiple=True, metavar="CHECK", help="Make this check alone; may be repeated.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave this check out; may be repeated.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report to this file.")
@vault_option
@ca_option
@shows_result
def doctor(
    *, offline: bool, only: tuple[str, ...], skip: tuple[str, ...], junit: Path | None, vault: str | None,
    ca: Path | None,
) -> Result:  # fmt: skip
    """Check each practice of a careful partner: pass, warn or fail, why it matters, and what mends it.

    No secret is shown, and nobody is asked for a passphrase. One check, `scopes`, opens the credential and presents it
    to its issuer. Exit code 1 when a check fails; what cannot be known here is told as unknown.

    \b
    Example:
      keyfob doctor
      keyfob doctor --offline --only shell-history --only git-history
      keyfob doctor --junit doctor.xml
    """
    from keyfob.partner.doctor import report
    from keyfob.partner.doctor.check import Status
    from keyfob.partner.doctor.examining import examine, this_machine

    with progress("examining") as shown:
        scene = this_machine(vault=vault, ca=ca, offline=offline)
        told = examine(scene, only=only, skip=skip, reach=shown.reach)
    if junit is not None:
        try:
            junit.write_text(report.junit(told), encoding="utf-8")
        except OSError as refused:
            raise Misuse(
                "output", f"{junit} cannot be written: {refused.strerror}", hint="name another: --junit FILE"
            ) from None
    failed = any(one.outcome.status is Status.FAIL for one in told)
    return Result(report.document(told), report.text(told), 1 if failed else 0)

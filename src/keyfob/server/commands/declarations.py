"""`keyfob-server apply|export`: partners and clients as a file that is kept under version control and reviewed."""

from pathlib import Path
from typing import Any

import click

from keyfob import command
from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.problem import Misuse, Problem
from keyfob.server.commands.clients import see_keys
from keyfob.server.commands.surroundings import (
    Surroundings,
    actor,
    file_argument_type,
    home_option,
    opened,
    read_file,
    reason_option,
)
from keyfob.server.lifecycle import declaration, declaration_form, reconciling
from keyfob.server.lifecycle.credentials import Issued
from keyfob.server.lifecycle.reconciling import Doing, Plan, Step
from keyfob.settings import check_faultless

_NAME = "partners.toml"
_SIGNS = {"add partner": "+", "create client": "+", "suspend client": "-", "suspend partner": "-"}
_HEADING = "Partners and clients as they are declared: keyfob-server apply FILE brings them to this state."


@click.command(short_help="Bring partners and clients to the state that a file declares.")
@click.argument("file", type=file_argument_type())
@home_option()
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the sealed messages of new clients go."
)
@click.option("--dry-run", is_flag=True, help="Show the plan, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--suspend-undeclared", is_flag=True, help="Suspend clients of a declared partner that the file does not name."
)
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def apply(
    surroundings: Surroundings,
    *,
    file: Path,
    home: Path,
    out: Path | None,
    dry_run: bool,
    yes: bool,
    suspend_undeclared: bool,
) -> Result:
    """Bring partners and clients to the state that FILE declares: the plan first, then, when you agree, its acts.

    A partner is known by its name, a client by its partner's and its own; both keep their ids and secrets when
    something changes. What is so already is not touched, so that a second run has nothing to do, and a run that was
    broken off is finished by another. What the file does not name is left alone. A certificate stands beside the file,
    its fingerprint in it: whoever reviews the file confirms it.

    \b
    Example:
      keyfob-server apply partners.toml --home ./operator --dry-run
    """
    declared, faults = declaration.read(
        declaration.parse(read_file(file), where=str(file)), lambda name: read_file(file.parent / name), where=str(file)
    )
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            made = reconciling.plan(
                reading,
                installation,
                declared,
                suspend_undeclared=suspend_undeclared and not faults,
                now=surroundings.clock(),
            )
        check_faultless((*faults, *made.faults), of=str(file))
        if dry_run or not made.steps:
            return _shown(made, "planned" if made.steps else "nothing")
        _check_out(made, out)
        for step in made.steps:
            if step.application is not None:
                see_keys(surroundings, installation.settings, step.application.jwks_uri, step.application.auth_method)
        _confirm(made, yes=yes)
        issued: dict[int, Issued] = {}

        def told(step: Step, found: Issued | None) -> None:
            if found is not None:
                issued[id(step)] = found

        doing = Doing(installation, out, surroundings.clock, surroundings.entropy, actor())
        with command.progress("applying"):
            reconciling.apply(made, doing, told=told)
    return _shown(made, "applied", issued)


def _check_out(made: Plan, out: Path | None) -> None:
    """Before anything is done: a message that has nowhere to go would stop the run half way."""
    if not any(step.makes_secret for step in made.steps):
        return
    if out is None:
        raise Misuse("out-missing", "new clients get sealed secrets", hint="add --out DIR, a folder for them")
    if not out.is_dir():
        raise Misuse("out-missing", f"{out} is no folder", hint=f"mkdir {out}")


def _confirm(made: Plan, *, yes: bool) -> None:
    """Raises Misuse or Problem."""
    if yes:
        return
    if not command.is_attended():
        raise Misuse("not-confirmed", "there is no terminal to ask on", hint="see --dry-run, then add --yes")
    click.echo(_text(made), err=True)
    if click.prompt("do all of this? Type yes", err=True, default="", show_default=False) != "yes":
        raise Problem("not-confirmed", "nothing was done")


def _shown(made: Plan, outcome: str, issued: dict[int, Issued] | None = None) -> Result:
    steps: list[dict[str, object]] = []
    for step in made.steps:
        found = (issued or {}).get(id(step))
        path = None if found is None else found.path
        steps.append(
            {
                "act": step.act,
                "partner": step.partner,
                "client": step.client,
                "changes": list(step.lines),
                "client_id": None if found is None else found.client.id,
                "sealed": None if path is None else str(path),
            }
        )
    undeclared = [{"partner": partner, "client": client} for partner, client in made.undeclared]
    words = {"nothing": "nothing to do", "planned": "nothing was changed: this is the plan", "applied": "done"}
    lines = [_text(made, issued or {}), words[outcome]]
    return Result(
        {"outcome": outcome, "steps": steps, "undeclared": undeclared}, "\n".join(line for line in lines if line)
    )


def _text(made: Plan, issued: dict[int, Issued] | None = None) -> str:
    lines = []
    for step in made.steps:
        lines.append(f"{_SIGNS.get(step.act, '~')} {step.act} {step.subject}")
        lines += [f"    {line}" for line in step.lines]
        found = (issued or {}).get(id(step))
        if found is not None:
            lines.append(f"    is {found.client.id}" + ("" if found.path is None else f", sealed in {found.path}"))
    for partner, client in made.undeclared:
        lines.append(f"  not declared, left alone: {partner if client is None else f'{partner} / {client}'}")
    return "\n".join(lines)


@click.command(short_help="Write partners and clients as a file for `apply`.")
@click.argument("folder", metavar="DIR", type=file_argument_type())
@home_option()
@click.option("--replace", is_flag=True, help="Write over an earlier export.")
@click.pass_obj
@shows_result
def export(surroundings: Surroundings, *, folder: Path, home: Path, replace: bool) -> Result:
    """Write what there is as DIR/partners.toml, with certificates and public keys beside it; no secret is in it.

    Left out is what is revoked, and clients that registered themselves. `apply` of what was exported has nothing to do.

    \b
    Example:
      keyfob-server export ./declared --home ./operator
    """
    with opened(surroundings, home) as installation, installation.store.reading() as reading:
        tree, files = declaration_form.export(reading)
    target = folder / _NAME
    if target.exists() and not replace:
        raise Misuse("file-exists", f"{target} already exists", hint="add --replace, or name another folder")
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            homes.write_file(folder / name, content, mode=0o644)
        folder.mkdir(parents=True, exist_ok=True)
        homes.write_file(target, declaration_form.write(tree, heading=_HEADING), mode=0o644)
    except OSError as failed:
        raise Misuse("file-place", f"{folder} cannot be written: {failed.strerror}", hint="name another") from None
    count = sum(len(_clients(partner)) for partner in tree["partner"])
    document = {"file": str(target), "partners": len(tree["partner"]), "clients": count}
    return Result(document, f"{target}: {len(tree['partner'])} partners, {count} clients")


def _clients(partner: dict[str, Any]) -> list[object]:
    return list(partner["client"])

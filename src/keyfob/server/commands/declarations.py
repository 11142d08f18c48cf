"""`keyfob-server apply|export`: partners and clients as a file that is kept under version control and reviewed."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click

from keyfob import command
from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.openpgp.certificate import check_no_private_key, read_signer
from keyfob.problem import Misuse, Problem
from keyfob.server.admin.declarations import APPLY, EXPORT, Declared
from keyfob.server.admin.operation import Nothing
from keyfob.server.commands.place import Place, at_desk, listed, perform, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, file_argument_type, read_file, reason_option
from keyfob.server.commands.tray import Tray
from keyfob.server.lifecycle import declaration, declaration_form
from keyfob.settings import Fault, check_faultless

_NAME = "partners.toml"
_SIGNS = {"add partner": "+", "create client": "+", "suspend client": "-", "suspend partner": "-"}
_HEADING = "Partners and clients as they are declared: keyfob-server apply FILE brings them to this state."


@click.command(short_help="Bring partners and clients to the state that a file declares.")
@click.argument("file", type=file_argument_type())
@place_options()
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
    place: Place,
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
    tree, files, faults = _read(file)
    asked = Declared(
        declared=tree,
        files=files,
        suspend_undeclared=suspend_undeclared and not faults,
        dry_run=True,
        where=str(file),
    )
    tray = Tray(folder=out or Path())
    with at_desk(surroundings, place, outlet=tray) as desk:
        made: dict[str, Any] = desk.perform(APPLY, asked).document
        told = {one.where for one in faults}
        # What has a fault already was not sent.
        left = (one for one in made["faults"] if one["where"] not in told and one["code"] != "file-missing")
        more = [Fault(one["where"], one["code"], one["message"], one["hint"]) for one in left]
        check_faultless((*faults, *more), of=str(file))
        if dry_run or not made["steps"]:
            return _shown(made, {})
        _check_out(made, out, tray, place)
        _confirm(made, yes=yes)
        with command.progress("applying"):
            done = desk.perform(APPLY, replace(asked, dry_run=False, plan=made["plan"]))
    if done.waits:
        return shown(done, str)
    paths = {number: tray.take(place, one) for number, one in enumerate(listed(done.document, "steps"))}
    return _shown(done.document, paths)


def _read(file: Path) -> tuple[dict[str, Any], dict[str, str], tuple[Fault, ...]]:
    """What stands in `file`, the files that it names, and what is wrong with them. A private key goes nowhere."""
    files: dict[str, str] = {}

    def content(name: str) -> bytes:
        path = file.parent / name
        found = read_file(path)
        check_no_private_key(found)
        try:
            files[name] = found.decode()
        except UnicodeDecodeError:
            raise Misuse(
                "file-not-text", f"{path} is no text", hint="gpg --armor --export FPR; JSON in UTF-8"
            ) from None
        return found

    tree = declaration.parse(read_file(file), where=str(file))
    partners, faults = declaration.read(tree, content, where=str(file))
    readable: set[str] = set()
    for one in partners:
        try:
            read_signer(one.certificate)
            readable.add(one.certificate.decode())
        except Problem as refused:
            faults = (*faults, Fault(one.place, refused.code, f"certificate: {refused.message}", refused.hint))
    if faults:
        # What cannot be read may be a private key of whatever kind: only certificates are looked at on.
        files = {name: text for name, text in files.items() if text in readable}
    return tree, files, faults


def _check_out(made: dict[str, Any], out: Path | None, tray: Tray, place: Place) -> None:
    """Before anything is done: a message that has nowhere to go would stop the run half way."""
    if not any(one["makes_secret"] for one in made["steps"]):
        return
    if out is None:
        raise Misuse("out-missing", "new clients get sealed secrets", hint="add --out DIR, a folder for them")
    if not out.is_dir():
        raise Misuse("out-missing", f"{out} is no folder", hint=f"mkdir {out}")
    tray.check(place)


def _confirm(made: dict[str, Any], *, yes: bool) -> None:
    """Raises Misuse or Problem."""
    if yes:
        return
    if not command.is_attended():
        raise Misuse("not-confirmed", "there is no terminal to ask on", hint="see --dry-run, then add --yes")
    click.echo(_text(made, {}), err=True)
    if click.prompt("do all of this? Type yes", err=True, default="", show_default=False) != "yes":
        raise Problem("not-confirmed", "nothing was done")


def _shown(made: dict[str, Any], paths: dict[int, Path | None]) -> Result:
    steps = [
        {name: one[name] for name in ("act", "partner", "client", "changes")}
        | {"client_id": one.get("client_id"), "sealed": None if paths.get(place) is None else str(paths[place])}
        for place, one in enumerate(made["steps"])
    ]
    words = {"nothing": "nothing to do", "planned": "nothing was changed: this is the plan", "applied": "done"}
    lines = [_text(made, paths), words[made["outcome"]]]
    return Result(
        {"outcome": made["outcome"], "steps": steps, "undeclared": made["undeclared"]},
        "\n".join(line for line in lines if line),
    )


def _text(made: dict[str, Any], paths: dict[int, Path | None]) -> str:
    lines = []
    for place, one in enumerate(made["steps"]):
        partner, client = one["partner"], one["client"]
        subject = partner if client is None else f"{partner} / {client}"
        lines.append(f"{_SIGNS.get(one['act'], '~')} {one['act']} {subject}")
        lines += [f"    {line}" for line in one["changes"]]
        if "client_id" in one:
            sealed = paths.get(place)
            lines.append(f"    is {one['client_id']}" + ("" if sealed is None else f", sealed in {sealed}"))
    for one in made["undeclared"]:
        name = one["partner"] if one["client"] is None else f"{one['partner']} / {one['client']}"
        lines.append(f"  not declared, left alone: {name}")
    return "\n".join(lines)


@click.command(short_help="Write partners and clients as a file for `apply`.")
@click.argument("folder", metavar="DIR", type=file_argument_type())
@place_options()
@click.option("--replace", is_flag=True, help="Write over an earlier export.")
@click.pass_obj
@shows_result
def export(surroundings: Surroundings, *, folder: Path, place: Place, replace: bool) -> Result:
    """Write what there is as DIR/partners.toml, with certificates and public keys beside it; no secret is in it.

    Left out is what is revoked, and clients that registered themselves. `apply` of what was exported has nothing to do.

    \b
    Example:
      keyfob-server export ./declared --home ./operator
    """
    found = perform(surroundings, place, EXPORT, Nothing()).document
    tree, files = cast("dict[str, Any]", found["declared"]), cast("dict[str, str]", found["files"])
    target = folder / _NAME
    if target.exists() and not replace:
        raise Misuse("file-exists", f"{target} already exists", hint="add --replace, or name another folder")
    try:
        for name, content in files.items():
            place_of = _within(folder, name)
            place_of.parent.mkdir(parents=True, exist_ok=True)
            homes.write_file(place_of, content.encode(), mode=0o644)
        folder.mkdir(parents=True, exist_ok=True)
        homes.write_file(target, declaration_form.write(tree, heading=_HEADING), mode=0o644)
    except OSError as failed:
        raise Misuse("file-place", f"{folder} cannot be written: {failed.strerror}", hint="name another") from None
    count = sum(len(_clients(partner)) for partner in tree["partner"])
    document = {"file": str(target), "partners": len(tree["partner"]), "clients": count}
    return Result(document, f"{target}: {len(tree['partner'])} partners, {count} clients")


def _within(folder: Path, name: str) -> Path:
    """The names are the server's: none of them leads elsewhere. Raises Problem."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Problem("not-understood", "the export names a file outside its folder", hint="is --server the issuer?")
    return path


def _clients(partner: dict[str, Any]) -> list[object]:
    return list(partner["client"])

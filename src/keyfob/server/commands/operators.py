"""`keyfob-server operator`, `proposals`, `approve`, `reject`: who acts here, and what needs two of them."""

import json
from pathlib import Path
from typing import Any

import click

from keyfob import command, home
from keyfob.command import Result, shows_result, table
from keyfob.jose import keys
from keyfob.jose.keys import write_jwks
from keyfob.oauth import strict_json
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import operators, proposals
from keyfob.server.admin.desk import Document
from keyfob.server.admin.operation import Nothing, Operation
from keyfob.server.admin.operators import NewOperator, OperatorKey, OperatorName
from keyfob.server.admin.proposals import OneProposal
from keyfob.server.admin.table import APPROVE
from keyfob.server.commands.place import Place, at_desk, listed, perform, perform_all, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, read_file, reason_option
from keyfob.server.commands.tray import Tray, without_message
from keyfob.server.storage.records import Role


@click.group(short_help="The persons who act here.")
def operator() -> None:
    """The persons who act for this installation, each under a name of its own."""


@operator.command(short_help="Make a key of your own.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.pem", help="The private key (mode 0600)."
)
@click.option(
    "--public",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.json",
    help="Its public half, to give away.",
)
@shows_result
def keygen(*, out: Path, public: Path) -> Result:
    """Make a key of your own, on your own machine. The private half stays with you; give the public one to an operator.

    Whoever has the private half is you: with it the admin API is asked, and another's act approved.

    \b
    Example:
      keyfob-server operator keygen --out alice.pem --public alice.json
    """
    made = keys.generate()
    home.write_new_file(out, made.to_secret().reveal_bytes())
    home.write_new_file(public, write_jwks([made.public_jwk()]) + b"\n", mode=0o644)
    text = f"made {out}, which is yours alone\nan operator runs: keyfob-server operator add NAME --jwks {public.name}"
    return Result({"private_key": str(out), "public_key": str(public), "thumbprint": made.kid}, text)


@operator.command(short_help="Take up an operator.")
@click.argument("name")
@place_options()
@click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    default=Role.OPERATOR.value,
    show_default=True,
    help="An auditor looks, and changes nothing.",
)
@click.option("--jwks", type=click.Path(path_type=Path), metavar="FILE.json", help="The public key: for the admin API.")
@reason_option()
@click.pass_obj
@shows_result
def add(surroundings: Surroundings, *, name: str, place: Place, role: str, jwks: Path | None) -> Result:
    """Take up the operator NAME. On the home it acts as the system's user of that name, elsewhere by its key.

    \b
    Example:
      keyfob-server operator add alice --jwks alice.json --home ./operator
    """
    asked = NewOperator(name=name, role=Role(role).value, jwks=None if jwks is None else _read_jwks(jwks))
    done = perform(surroundings, place, operators.ADD, asked)
    return shown(done, lambda: f"added: {_line(done.document)}")


@operator.command("list")
@place_options()
@click.pass_obj
@shows_result
def list_operators(surroundings: Surroundings, *, place: Place) -> Result:
    """All operators, those too who were removed.

    \b
    Example:
      keyfob-server operator list --home ./operator
    """
    done = perform(surroundings, place, operators.LIST, Nothing())
    rows = [
        (one["name"], one["role"], one["state"], one["client_id"] or "(no key)")
        for one in listed(done.document, "operators")
    ]
    return Result(done.document, table(("NAME", "ROLE", "STATE", "CLIENT"), rows))


@operator.command("key", short_help="Give an operator another key.")
@click.argument("name")
@place_options()
@click.option(
    "--jwks", required=True, type=click.Path(path_type=Path), metavar="FILE.json", help="The public key from now on."
)
@reason_option()
@click.pass_obj
@shows_result
def set_key(surroundings: Surroundings, *, name: str, place: Place, jwks: Path) -> Result:
    """Give the operator NAME another key, in place of the one it had: that one, and its tokens, end at once.

    \b
    Example:
      keyfob-server operator key alice --jwks alice-2.json --home ./operator
    """
    done = perform(surroundings, place, operators.SET_KEY, OperatorKey(name=name, jwks=_read_jwks(jwks)))
    return shown(done, lambda: f"changed: {_line(done.document)}")


@operator.command()
@click.argument("name")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def suspend(surroundings: Surroundings, *, name: str, place: Place) -> Result:
    """Refuse whatever the operator NAME asks, from now on until `resume`.

    \b
    Example:
      keyfob-server operator suspend alice --home ./operator
    """
    return _set_state(surroundings, place, operators.SUSPEND, name)


@operator.command()
@click.argument("name")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def resume(surroundings: Surroundings, *, name: str, place: Place) -> Result:
    """Let a suspended operator go on.

    \b
    Example:
      keyfob-server operator resume alice --home ./operator
    """
    return _set_state(surroundings, place, operators.RESUME, name)


@operator.command()
@click.argument("name")
@place_options()
@click.option("--yes", is_flag=True, help="Do not ask, also on a terminal.")
@reason_option()
@click.pass_obj
@shows_result
def remove(surroundings: Surroundings, *, name: str, place: Place, yes: bool) -> Result:
    """Remove the operator NAME for good. What it did stays on record under its name.

    \b
    Example:
      keyfob-server operator remove alice --home ./operator
    """
    if not yes and command.is_attended() and not click.confirm(f"remove the operator {name} for good?", err=True):
        raise Problem("not-confirmed", "nothing was done", hint="to stop it for a while: operator suspend")
    return _set_state(surroundings, place, operators.REMOVE, name)


@click.command("proposals", short_help="What waits for a second operator.")
@place_options()
@click.pass_obj
@shows_result
def list_proposals(surroundings: Surroundings, *, place: Place) -> Result:
    """What operators proposed that needs another one (the setting operators.second_for), and what became of it.

    \b
    Example:
      keyfob-server proposals --home ./operator
    """
    document = perform_all(surroundings, place, proposals.LIST)
    rows = [
        (one["proposal_id"], one["state"], one["proposed_by"], one["operation"], json.dumps(one["asked"]))
        for one in listed(document, "proposals")
    ]
    return Result(document, table(("PROPOSAL", "STATE", "BY", "OPERATION", "WITH"), rows))


@click.command(short_help="Approve what another operator proposed.")
@click.argument("proposal_id")
@place_options()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="here",
    metavar="DIR",
    help="The folder for sealed messages of what is done.",
)
@reason_option()
@click.pass_obj
@shows_result
def approve(surroundings: Surroundings, *, proposal_id: str, place: Place, out: Path) -> Result:
    """Approve what another operator proposed, and do it now. Look at it first: keyfob-server proposals.

    Where that seals a secret to a partner, its message comes to you.

    \b
    Example:
      keyfob-server approve prp_3kD... --home ./operator --operator-key bob.pem
    """
    tray = Tray(folder=out)
    tray.check(place)
    with at_desk(surroundings, place, outlet=tray) as desk:
        done: dict[str, Any] = desk.perform(APPROVE, OneProposal(proposal_id=proposal_id)).document
    result = _received(tray, place, done["result"])
    if "steps" in result:
        result |= {"steps": [_received(tray, place, one) for one in result["steps"]]}
    return Result(done | {"result": result}, f"done: {done['operation']}\n{json.dumps(result, ensure_ascii=False)}")


def _received(tray: Tray, place: Place, document: dict[str, Any]) -> dict[str, Any]:
    return without_message(document, tray.take(place, document))


@click.command(short_help="Reject what another operator proposed.")
@click.argument("proposal_id")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def reject(surroundings: Surroundings, *, proposal_id: str, place: Place) -> Result:
    """Reject what another operator proposed, or take back what you proposed yourself.

    \b
    Example:
      keyfob-server reject prp_3kD... --home ./operator
    """
    done = perform(surroundings, place, proposals.REJECT, OneProposal(proposal_id=proposal_id))
    return Result(done.document, f"rejected: {done.document['operation']}, proposed by {done.document['proposed_by']}")


def _set_state(surroundings: Surroundings, place: Place, operation: Operation[OperatorName], name: str) -> Result:
    done = perform(surroundings, place, operation, OperatorName(name=name))
    return shown(done, lambda: _line(done.document))


def _read_jwks(path: Path) -> dict[str, object]:
    try:
        document = strict_json.parse(read_file(path))
    except ValueError as broken:
        raise Misuse("bad-jwks", f"{path}: {broken}", hint="make one: keyfob-server operator keygen") from None
    if not isinstance(document, dict):
        raise Misuse("bad-jwks", f"{path} is no JSON object", hint="make one: keyfob-server operator keygen")
    return document


def _line(one: Document) -> str:
    return f"{one['name']}, {one['role']}, {one['state']}"

"""`keyfob-server node`: a further node of the installation, on another machine."""

from pathlib import Path

import click

from keyfob import command, database_url
from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.message import MAX_BYTES
from keyfob.problem import Misuse
from keyfob.server import nodes
from keyfob.server.commands.place import acting_here, operator_key_option
from keyfob.server.commands.rehearsing import is_rehearsal
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, opened, reason_option
from keyfob.server.nodes import Differing, Request


@click.group(short_help="Add further machines to this installation.")
def node() -> None:
    """Further nodes of this installation, on other machines: the same keys, the same database."""


@node.command(short_help="On the new machine: ask to become a node.")
@home_option()
@click.pass_obj
@shows_result
def request(_surroundings: Surroundings, *, home: Path) -> Result:
    """On the new machine: make the key that its invitation will be sealed to.

    DIR.node.asc goes to where a node is already; DIR.node-key.asc stays here until `node join` has used it.

    \b
    Example:
      keyfob-server node request --home ./second
    """
    made = nodes.request(home)
    files = Request.beside(home)
    fingerprint = certificates.show_fingerprint(made.fingerprint)
    text = "\n".join(
        [
            f"made {files.certificate}",
            f"  its fingerprint  {fingerprint}",
            "next, where a node is already, and with that file:",
            f"  keyfob-server node invite --home DIR --certificate {files.certificate.name} \\",
            f'    --confirm-fingerprint "{fingerprint}" --out {home.name}.invitation.asc',
        ]
    )
    return Result({"certificate": str(files.certificate), "fingerprint": made.fingerprint}, text)


@node.command(short_help="Where a node is already: seal what the new one needs.")
@home_option()
@operator_key_option()
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.asc",
    help="As `node request` made it.",
)
@click.option(
    "--confirm-fingerprint",
    metavar="FPR",
    help="The certificate's fingerprint, as the new machine showed it. Without it a terminal is asked.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE.asc", help="The sealed message.")
@reason_option()
@click.pass_obj
@shows_result
def invite(
    surroundings: Surroundings,
    *,
    home: Path,
    operator_key: Path | None,
    certificate: Path,
    confirm_fingerprint: str | None,
    out: Path,
) -> Result:
    """Where a node is already: seal the settings and the keys of this home, the key-encryption key among them, to the
    new node's certificate. Whoever can open the message is a node: confirm the fingerprint as the new machine shows it.

    \b
    Example:
      keyfob-server node invite --home ./operator --certificate second.node.asc --out second.invitation.asc
    """
    now = surroundings.clock()
    checked = certificates.check(certificates.read_file(certificate), now=now)
    _confirm(checked, confirm_fingerprint, whose="new node", option="--confirm-fingerprint")
    if out.exists():
        raise Misuse("file-exists", f"{out} already exists", hint="name another file: nothing is overwritten")
    with opened(surroundings, home) as installation:
        mine, by = acting_here(installation, operator_key)
        message = nodes.invite(mine, checked, now=now, actor=by)
        homes.write_new_file(out, message)
        operator = installation.operator_certificate.fingerprint
    shown = certificates.show_fingerprint(operator)
    lines = [
        f"made {out}, which the node {certificates.show_fingerprint(checked.fingerprint)} alone can open",
        "next, on the new machine, and with that file:",
        f'  keyfob-server node join --home DIR --operator-fingerprint "{shown}" {out.name}',
    ]
    document = {"sealed": str(out), "fingerprint": checked.fingerprint, "operator_fingerprint": operator}
    return Result(document, "\n".join(lines))


@node.command(short_help="On the new machine: become a node.")
@click.argument("invitation", metavar="FILE.asc", type=click.Path(path_type=Path))
@home_option()
@click.option(
    "--database",
    metavar="URL",
    help=f"postgresql://USER@HOST/NAME, as this machine reaches it (see {database_url.VARIABLE}). "
    "Default: as the other node does.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="The certificate chain of this machine."
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key, PEM.")
@click.option(
    "--operator-fingerprint",
    metavar="FPR",
    help="The fingerprint of the operator's certificate, as `node invite` showed it. Without it a terminal is asked.",
)
@reason_option()
@click.pass_obj
@shows_result
def join(
    surroundings: Surroundings,
    *,
    invitation: Path,
    home: Path,
    database: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    operator_fingerprint: str | None,
) -> Result:
    """On the new machine: open the invitation, and make a home of it, whole or not at all.

    It is believed when it is signed by the operator, and when its keys open those in the database. Then serve it, and
    add it to the load balancer.

    \b
    Example:
      keyfob-server node join --home ./second second.invitation.asc
    """
    if (tls_cert is None) != (tls_key is None):
        raise Misuse("tls-files", "a TLS certificate and its key come together", hint="give --tls-cert and --tls-key")
    chosen = None if database is None else database_url.choose(database, where="--database")

    def confirm(operator: Certificate) -> None:
        _confirm(operator, operator_fingerprint, whose="operator", option="--operator-fingerprint")

    with command.progress("joining"):
        settings = nodes.join(
            home,
            command.read_file(invitation, max_bytes=MAX_BYTES),
            Differing(chosen, tls_cert, tls_key),
            confirm=confirm,
            now=surroundings.clock(),
            entropy=surroundings.entropy,
            actor=actor(),
            environ=surroundings.environ,
            rehearses=is_rehearsal(),
        )
    text = f"made {home}, a node of {settings.issuer}\nnext: keyfob-server serve --home {home}"
    return Result({"home": str(home), "issuer": settings.issuer, "database": str(settings.database)}, text)


def _confirm(certificate: Certificate, given: str | None, *, whose: str, option: str) -> None:
    """The fingerprint is typed, not shown for a nod: a nod confirms nothing. Raises Misuse."""
    if given is None:
        if not command.is_attended():
            raise Misuse(
                "fingerprint-unconfirmed",
                f"the fingerprint of the {whose} is not confirmed, and there is no terminal to ask on",
                hint=f"add {option} FPR, as the other machine showed it",
            )
        given = str(click.prompt(f"fingerprint of the {whose}, as the other machine showed it", err=True))
    if "".join(given.split()).upper() != certificate.fingerprint:
        raise Misuse(
            "fingerprint-mismatch",
            f"the fingerprint that was confirmed is not the {whose}'s: nothing was done",
            hint="is it the right file? Else somebody changed it on its way",
        )

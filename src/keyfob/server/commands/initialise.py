"""`keyfob-server init`: a new operator's home."""

from pathlib import Path

import click

from keyfob import command, database_url
from keyfob.command import Result, shows_result
from keyfob.openpgp import certificate as certificates
from keyfob.server import installation, key_encryption, settings
from keyfob.server.audit.events import Actor
from keyfob.server.commands.rehearsing import is_rehearsal
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, read_file, reason_option
from keyfob.server.installation import Plan
from keyfob.server.lifecycle.names import check_name


@click.command()
@home_option()
@click.option(
    "--issuer", required=True, metavar="URL", help="The https URL that partners will know: it stands in every token."
)
@click.option(
    "--database",
    metavar="URL",
    help=f"sqlite:///PATH or postgresql://USER@HOST/NAME, without a password (see {database_url.VARIABLE}). "
    "Default: a file in DIR.",
)
@click.option(
    "--recovery-cert",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="OpenPGP certificate that the recovery copy of the key-encryption key is sealed to.",
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="The server's certificate chain, PEM."
)
@click.option(
    "--operator",
    metavar="NAME",
    help="The first operator: you, by the name that your acts are recorded under. Default: the system's user.",
)
@click.option(
    "--kek",
    metavar="aws-kms:ARN|file",
    default=key_encryption.FILE,
    show_default=True,
    help="Where the key-encryption key is kept: in DIR as it is, or under a key in AWS KMS.",
)
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key, PEM.")
@reason_option()
@click.pass_obj
@shows_result
def init(
    surroundings: Surroundings,
    *,
    home: Path,
    issuer: str,
    database: str | None,
    recovery_cert: Path | None,
    kek: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    operator: str | None,
) -> Result:
    """Make a new operator's home: settings, database, keys. It comes whole or not at all; nothing is overwritten.

    On a loopback issuer it asks for nothing else and makes a throw-away CA for TLS. Any other issuer needs its own TLS
    files, and a recovery certificate: without the key-encryption key in DIR/keys/kek everything here is lost.

    \b
    Example:
      keyfob-server init --home ./operator --issuer https://localhost:8443
    """
    now = surroundings.clock()
    recovery = None if recovery_cert is None else certificates.check(read_file(recovery_cert), now=now)
    person = check_name(operator or command.system_user(), of="operator")
    by = Actor(f"operator:{person}", actor().reason)
    chosen = database_url.choose_new(database, surroundings.environ)
    place = key_encryption.parse(kek)
    plan = Plan(settings.check_issuer(issuer), chosen, recovery, tls_cert, tls_key, person, place)
    with command.progress("making the home"):
        installation.create(
            home,
            plan,
            now=now,
            entropy=surroundings.entropy,
            actor=by,
            environ=surroundings.environ,
            rehearses=is_rehearsal(),
        )
    made = certificates.read_signer(read_file(home / "operator.asc"))
    lost = str(home / "keys" / "kek") if place is None else "that key in AWS KMS"
    has_ca = (home / "tls" / "ca.pem").exists()
    lines = [
        f"made {home}",
        f"  issuer                {issuer}",
        f"  operator certificate  {home / 'operator.asc'}",
        f"  its fingerprint       {certificates.show_fingerprint(made.fingerprint)}",
        f"  operator {person}'s key  {home / installation.OPERATOR_KEY} (yours alone: take it to your own machine)",
    ]
    lines += [f"  throw-away CA         {home / 'tls' / 'ca.pem'}"] if has_ca else []
    if place is not None:
        lines.append(f"  key-encryption key    under {place}")
    if recovery is None:
        lines.append(f"WARNING: no recovery copy: when {lost} is lost, everything is (--recovery-cert)")
    else:
        lines.append(f"  recovery copy         {home / 'recovery.asc'} (keep one elsewhere)")
    lines.append(f"next: keyfob-server serve --home {home}")
    document = {
        "home": str(home),
        "issuer": issuer,
        "operator_certificate": str(home / "operator.asc"),
        "operator_fingerprint": made.fingerprint,
        "operator": person,
        "operator_key": str(home / installation.OPERATOR_KEY),
        "ca": str(home / "tls" / "ca.pem") if has_ca else None,
        "recovery": None if recovery is None else str(home / "recovery.asc"),
    }
    return Result(document, "\n".join(lines))

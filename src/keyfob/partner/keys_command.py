"""`keyfob keys`: other keys for a client that proves itself by keys, asked for by a signature."""

from pathlib import Path

import click

from keyfob.command import Result, progress, shows_result
from keyfob.partner.options import FILE, ca_option
from keyfob.problem import Misuse


@click.command(short_help="Ask for other keys for a client, or stop what was announced.")
@click.option("--client", required=True, metavar="ID", help="The client whose keys they are.")
@click.option("--issuer", required=True, metavar="URL", help="The operator's server.")
@click.option("--jwks", type=FILE, help="Its public keys from then on, a JWK set: all of them.")
@click.option("--add", type=FILE, help="Public keys besides those that count now, a JWK set.")
@click.option("--remove", metavar="THUMBPRINT", help="The key that is not to count any more (RFC 7638).")
@click.option("--jwks-uri", metavar="URL", help="Where it publishes them instead.")
@click.option("--certificate", type=FILE, help="Your OpenPGP certificate with a later expiry; it counts at once.")
@click.option("--stop", metavar="ANNOUNCEMENT", help="Stop what was announced: the keys stay as they are.")
@click.option("--signer", metavar="FPR", help="The fingerprint of your OpenPGP certificate, for gpg.")
@click.option("--private-key", type=FILE, help="Sign with this OpenPGP key, not with gpg.")
@ca_option
@shows_result
def keys(
    *,
    client: str,
    issuer: str,
    jwks: Path | None,
    add: Path | None,
    remove: str | None,
    jwks_uri: str | None,
    certificate: Path | None,
    stop: str | None,
    signer: str | None,
    private_key: Path | None,
    ca: Path | None,
) -> Result:
    """Ask for other keys for a client that proves itself by keys. What is asked is signed by your OpenPGP certificate.

    You and the operator are told at once, and the keys count some days later, unless one of you stops them before.
    A certificate with a later expiry counts at once: it is the same key.

    \b
    Example:
      keyfob keys --client cl_3kD --issuer https://id.example --add new.jwks --signer "7F3A 22B0 ... 09C1"
      keyfob keys --client cl_3kD --issuer https://id.example --stop ann_5d41 --private-key partner.key.asc
    """
    from keyfob.partner import keyed

    wishes = (jwks, add, remove, jwks_uri, certificate, stop)
    if sum(one is not None for one in wishes) != 1:
        raise Misuse(
            "one-wish",
            "exactly one of --jwks, --add, --remove, --jwks-uri, --certificate and --stop is asked for",
            hint="give one",
        )
    with progress("asking the issuer"):
        done = keyed.ask_for_change(
            issuer, client, jwks=jwks, add=add, remove=remove, jwks_uri=jwks_uri, certificate=certificate, stop=stop,
            signer=signer, private_key=private_key, ca=ca,
        )  # fmt: skip
    return Result(done, _text(done))


def _text(done: dict[str, object]) -> str:
    from datetime import UTC, datetime

    if done.get("state") == "waiting":
        at = datetime.fromtimestamp(int(str(done["takes_effect_at"])), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"announced as {done['announcement_id']}: the keys count from {at}; both sides are told"
    return f"{done.get('announcement_id', 'the certificate')} is {done.get('state')}"

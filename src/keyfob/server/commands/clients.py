"""`keyfob-server client create|list|show`: what a client may do is said once, and checked before anything is made."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from keyfob import home as homes
from keyfob.command import Result, shows_result, table
from keyfob.oauth import authorization_details, mutual_tls
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.oauth.mutual_tls import InvalidMetadata, SubjectField
from keyfob.problem import Misuse
from keyfob.server.admin import new_clients as operations
from keyfob.server.admin.clients import INFORMATION, LIST, SHOW, OneClient
from keyfob.server.admin.desk import Document
from keyfob.server.admin.new_clients import NewClient
from keyfob.server.commands.client_view import studies_text, view_text
from keyfob.server.commands.place import Place, at_desk, listed, perform, perform_all, place_options, shown
from keyfob.server.commands.rights import (
    read_details,
    read_scope,
    resource_option,
    scope_option,
    study_options,
    token_lifetime_option,
)
from keyfob.server.commands.surroundings import Surroundings, read_file, reason_option, show_time
from keyfob.server.commands.tray import Tray
from keyfob.server.lifecycle import clients, links, rotation
from keyfob.server.storage.records import Profile

_METHODS = tuple(one.value for one in Method)
_SUBJECTS = {field: f"--tls-{field.value.removeprefix('tls_client_auth_').replace('_', '-')}" for field in SubjectField}


@click.group()
def client() -> None:
    """Partners' programs: what each may do, and its credentials."""


def link_option() -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--link",
        is_flag=True,
        help="Make an HTTPS link to the sealed message, too: 5 fetches, 14 days, no right in it.",
    )


@client.command(short_help="What a client with keys has to know, signed.")
@click.argument("client_id")
@place_options()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.asc", help="Write it to this new file.")
@click.pass_obj
@shows_result
def information(surroundings: Surroundings, *, client_id: str, place: Place, out: Path | None) -> Result:
    """What a client with keys or certificates of its own has to know: no secret, signed by the operator's certificate.

    Partners get it by e-mail when such a client is made and when its keys change. `gpg --decrypt` shows and checks it.

    \b
    Example:
      keyfob-server client information cl_3kD... --home ./operator --out lab.asc
    """
    document = perform(surroundings, place, INFORMATION, OneClient(client_id=client_id)).document
    if out is None:
        return Result(document, str(document["information"]).rstrip("\n"))
    homes.write_new_file(out, str(document["information"]).encode("ascii"))
    return Result({"client_id": client_id, "file": str(out)}, f"made {out}: for the partner; it holds no secret")


@client.command(short_help="Make a client, its secret sealed to the partner.")
@place_options()
@click.option("--partner", required=True, metavar="NAME", help="Whose program it is.")
@click.option("--name", required=True, metavar="NAME", help="What the program is called.")
@scope_option
@resource_option
@click.option(
    "--default-scope", metavar='"A"', help="The scopes of a token when none is asked for; else that is refused."
)
@study_options
@click.option(
    "--allow-network",
    "allowed",
    multiple=True,
    metavar="CIDR",
    help="From where it may come, such as 192.0.2.0/24; repeatable. Default: anywhere.",
)
@token_lifetime_option
@click.option(
    "--auth-method",
    type=click.Choice(_METHODS),
    default=_METHODS[0],
    show_default=True,
    help="How it proves who it is: by a secret (in the header or the body), a key, or a TLS certificate.",
)
@click.option(
    "--jwks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its public keys, a JWK set; or certificates, as x5c in it or in PEM.",
)
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    default=Profile.DEFAULT.value,
    show_default=True,
    help="A published profile that it follows: smart (HL7 SMART Backend Services) or fapi2 (FAPI 2.0).",
)
@click.option("--tls-subject-dn", metavar="DN", help="tls_client_auth: the subject of its certificate (RFC 4514).")
@click.option("--tls-san-dns", metavar="NAME", help="Or a DNS name in it,")
@click.option("--tls-san-uri", metavar="URI", help="a URI,")
@click.option("--tls-san-ip", metavar="ADDRESS", help="an IP address,")
@click.option("--tls-san-email", metavar="MAIL", help="or a mail address.")
@click.option("--certificate-bound", is_flag=True, help="Its tokens are bound to its TLS certificate (RFC 8705).")
@click.option("--dpop", is_flag=True, help="Its tokens are bound to a key of its own; without a proof it gets none.")
@click.option("--jwks-uri", metavar="URL", help="Where it publishes them instead: https, and not in an inner network.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.asc", help="The sealed message. Default: ./CLIENT_ID.asc"
)
@link_option()
@click.option(
    "--emergency",
    type=click.IntRange(1, operations.MAX_EMERGENCY // 3600),
    metavar="HOURS",
    help="Break-glass access: it ends after 1 to 72 hours, nothing follows it, and each use rings an alarm.",
)
@reason_option()
@click.pass_obj
@shows_result
def create(
    surroundings: Surroundings,
    *,
    place: Place,
    partner: str,
    name: str,
    scope: str,
    resource: tuple[str, ...],
    default_scope: str | None,
    study: tuple[str, ...],
    all_studies: bool,
    details_file: Path | None,
    allowed: tuple[str, ...],
    token_lifetime: int,
    auth_method: str,
    jwks: Path | None,
    jwks_uri: str | None,
    dpop: bool,
    certificate_bound: bool,
    profile: str,
    out: Path | None,
    link: bool,
    emergency: int | None,
    **subjects: str | None,
) -> Result:
    """Make a client and seal its secret to the partner: what comes out is one file that only the partner can open.

    The secret is shown nowhere, also not to you. Send the file by any channel. A secret that is not used for the first
    time within 14 days expires; `client rotate` then makes another.

    With --auth-method private_key_jwt the partner signs with a key that never leaves it, there is no secret, and
    nothing is sealed: you are given its public half (--jwks, or --jwks-uri, which is fetched to see).

    With tls_client_auth it presents a certificate of an authority in tls.client_ca, and you say which name in it is
    the client's; with self_signed_tls_client_auth its own: --jwks takes it in PEM, too.

    \b
    Example:
      keyfob-server client create --home ./operator --partner "Acme CRO" --name edc-sync \\
        --scope "studies:read subjects:read" --resource https://localhost:8444 --study S.1:001,002
    """
    method = Method(auth_method)
    if (out is not None or link) and method not in operations.WITH_SECRET:
        raise Misuse("nothing-sealed", "a client with a key has no secret to seal", hint="leave --out and --link out")
    details = read_details(study, details_file, every=all_studies)
    asked = NewClient(
        partner=partner,
        name=name,
        scope=scopes.write(read_scope(scope, "--scope")),
        resources=resource,
        default_scope=None if default_scope is None else scopes.write(read_scope(default_scope, "--default-scope")),
        authorization_details=tuple(authorization_details.write_claim(details)),
        token_lifetime=token_lifetime,
        auth_method=method,
        networks=clients.read_networks(allowed, option="--allow-network"),
        jwks=None if jwks is None else json.loads(clients.read_jwks(read_file(jwks), where=jwks)),
        jwks_uri=None if jwks_uri is None else clients.check_jwks_uri(jwks_uri),
        dpop_bound=dpop,
        profile=Profile(profile),
        certificate_bound=certificate_bound,
        link=link,
        emergency=None if emergency is None else emergency * 3600,
        **_subject(subjects),
    )
    tray = Tray(out)
    tray.check(place)
    with at_desk(surroundings, place, outlet=tray) as desk:
        done = desk.perform(operations.CREATE, asked)
    if done.waits:
        return shown(done, str)
    path = tray.take(place, done.document)
    return Result(sealed_document(done.document, path), _text(partner, done.document, path))


@client.command("list")
@place_options()
@click.pass_obj
@shows_result
def list_clients(surroundings: Surroundings, *, place: Place) -> Result:
    """All clients, in the order of their creation.

    \b
    Example:
      keyfob-server client list --home ./operator
    """
    document = perform_all(surroundings, place, LIST)
    rows = [(one["client_id"], one["state"], one["partner"], one["name"]) for one in listed(document, "clients")]
    return Result(document, table(("CLIENT", "STATE", "PARTNER", "NAME"), rows))


@client.command(short_help="One client, its grants and its credentials.")
@click.argument("client_id")
@place_options()
@click.pass_obj
@shows_result
def show(surroundings: Surroundings, *, client_id: str, place: Place) -> Result:
    """One client: its grants, and every credential that it ever had with its dates.

    \b
    Example:
      keyfob-server client show cl_3kD... --home ./operator
    """
    document = perform(surroundings, place, SHOW, OneClient(client_id=client_id)).document
    return Result(document, view_text(document))


def sealed_document(made: Document, path: Path | None) -> dict[str, object]:
    """What `client create --json` and `client rotate --json` print; a link only where one was asked for."""
    document: dict[str, object] = {
        "client_id": made["client_id"],
        "credential_id": made["credential_id"],
        "sealed": None if path is None else str(path),
        "operator_fingerprint": made["operator_fingerprint"],
    }
    return document | ({"link": made["link"]} if "link" in made else {})


def link_text(made: Document) -> str:
    """The line that tells a link; nothing where there is none."""
    if "link" not in made:
        return ""
    days = links.LIFETIME // rotation.DAY
    often = f"{links.FETCHES} times in {days} days"
    return f"\nor send this link, which gives the ciphertext alone, {often}:\n  {made['link']}"


def _text(partner: str, made: dict[str, Any], path: Path | None) -> str:
    client_id = made["client_id"]
    lines = [f"made {client_id}" + ("" if path is None else f"; its secret is sealed to {partner} in {path}")]
    lines += [f"  at        {grant['resource']}: {grant['scope']}" for grant in made["grants"]]
    details = authorization_details.read_claim(made["authorization_details"])
    if details:
        lines.append(f"  studies   {studies_text(details)} (not checked: only the API knows its studies)")
    elif made["can_reach_studies"]:
        lines.append("  studies   none: it reaches no study (--study, --all-studies)")
    if path is not None:
        fingerprint = made["operator_fingerprint"]
        lines.append(f"the partner runs: keyfob receive {path.name} --operator-fingerprint {fingerprint}")
        lines.append(f"it must be used by {show_time(made['use_by'])}, else it expires{link_text(made)}")
    elif Method(made["auth_method"]) in METHODS_BY_CERTIFICATE:
        lines.append(f"tell the partner: client_id {client_id}, token endpoint {made['token_endpoint']},")
        lines.append("and to present its certificate there, with client_id in the form, and at the API")
    else:
        signed = made["assertions"]
        lines.append(f"tell the partner: client_id {client_id}, token endpoint {made['token_endpoint']}, and that")
        lines.append(f"its assertions have aud {' or '.join(signed['audiences'])}, a jti of their own,")
        lines.append(f"alg one of {', '.join(signed['algorithms'])}, and live {signed['lifetime']} s at most")
    return "\n".join(lines)


def _subject(options: Mapping[str, str | None]) -> dict[str, str]:
    """The one name of a certificate that was typed, as the operation calls it. Raises Misuse."""
    metadata = {
        field.value: options[option.removeprefix("--").replace("-", "_")] for field, option in _SUBJECTS.items()
    }
    try:
        mutual_tls.read_subject(metadata)
    except InvalidMetadata as wrong:
        said = str(wrong)
        for field, option in _SUBJECTS.items():
            said = said.replace(field.value, option)
        raise Misuse("bad-subject", said, hint="one name of its certificate, see RFC 8705 section 2.1.2") from None
    return {name: value for name, value in metadata.items() if value is not None}

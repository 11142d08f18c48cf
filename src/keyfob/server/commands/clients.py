"""`keyfob-server client create|list|show`: what a client may do is said once, and checked before anything is made."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from keyfob import home as homes
from keyfob.command import Result, shows_result, table
from keyfob.oauth import mutual_tls
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.oauth.mutual_tls import CertificateSubject, InvalidMetadata, SubjectField
from keyfob.problem import Misuse, Problem
from keyfob.refreshing import CannotFetch
from keyfob.server import profiles
from keyfob.server.admin import clients as operations
from keyfob.server.admin.clients import OneClient
from keyfob.server.commands.client_view import studies_text, view_text
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options
from keyfob.server.commands.rights import (
    read_details,
    read_scope,
    resource_option,
    scope_option,
    study_options,
    token_lifetime_option,
)
from keyfob.server.commands.surroundings import (
    Surroundings,
    actor,
    home_option,
    key_sets,
    opened,
    read_file,
    reason_option,
    show_time,
)
from keyfob.server.lifecycle import clients, credentials, links, rotation
from keyfob.server.lifecycle.clients import Application
from keyfob.server.profiles import RULES
from keyfob.server.settings import Settings
from keyfob.server.storage.records import Profile

_WITH_SECRET = (Method.CLIENT_SECRET_BASIC, Method.CLIENT_SECRET_POST)
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
    document = perform(surroundings, place, operations.INFORMATION, OneClient(client_id=client_id)).document
    if out is None:
        return Result(document, str(document["information"]).rstrip("\n"))
    homes.write_new_file(out, str(document["information"]).encode("ascii"))
    return Result({"client_id": client_id, "file": str(out)}, f"made {out}: for the partner; it holds no secret")


@client.command(short_help="Make a client, its secret sealed to the partner.")
@home_option()
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
@reason_option()
@click.pass_obj
@shows_result
def create(
    surroundings: Surroundings,
    *,
    home: Path,
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
    application = Application(
        partner=partner,
        name=name,
        scope=read_scope(scope, "--scope"),
        resources=resource,
        default_scope=None if default_scope is None else read_scope(default_scope, "--default-scope"),
        details=read_details(study, details_file, every=all_studies),
        token_lifetime=token_lifetime,
        auth_method=Method(auth_method),
        networks=clients.read_networks(allowed, option="--allow-network"),
        jwks=None if jwks is None else clients.read_jwks(read_file(jwks), where=jwks),
        jwks_uri=None if jwks_uri is None else clients.check_jwks_uri(jwks_uri),
        dpop_bound=dpop,
        profile=Profile(profile),
        tls_subject=_subject(subjects),
        certificate_bound=certificate_bound,
    )
    has_secret = application.auth_method in _WITH_SECRET
    if (out is not None or link) and not has_secret:
        raise Misuse("nothing-sealed", "a client with a key has no secret to seal", hint="leave --out and --link out")
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        clients.check_asking(installation.settings, application)
        if has_secret:
            issued = credentials.create_client(
                installation,
                application,
                out=out,
                with_link=link,
                now=now,
                entropy=surroundings.entropy,
                actor=actor(),
            )
        else:
            see_keys(surroundings, installation.settings, application.jwks_uri, application.auth_method)
            issued = credentials.create_key_client(
                installation, application, now=now, entropy=surroundings.entropy, actor=actor()
            )
        settings = installation.settings
        operator = installation.operator_certificate.fingerprint
        apis = [one for one in installation.store.resources() if one.url in resource]
    lines = [
        f"made {issued.client.id}" + (f"; its secret is sealed to {partner} in {issued.path}" if has_secret else "")
    ]
    lines += [f"  at        {grant.resource}: {scopes.write(grant.scope)}" for grant in issued.client.grants]
    if application.details:
        lines.append(f"  studies   {studies_text(application.details)} (not checked: only the API knows its studies)")
    elif any(clients.DETAILS_TYPE in one.authorization_details_types for one in apis):
        lines.append("  studies   none: it reaches no study (--study, --all-studies)")
    if issued.path is not None:
        lines.append(f"the partner runs: keyfob receive {issued.path.name} --operator-fingerprint {operator}")
        lines.append(
            f"it must be used by {show_time(issued.credential.first_use_by)}, else it expires{link_text(issued)}"
        )
    elif issued.client.auth_method in METHODS_BY_CERTIFICATE:
        lines.append(f"tell the partner: client_id {issued.client.id}, token endpoint {settings.token_endpoint},")
        lines.append("and to present its certificate there, with client_id in the form, and at the API")
    else:
        lines.append(
            f"tell the partner: client_id {issued.client.id}, token endpoint {settings.token_endpoint}, and that"
        )
        rules, names = RULES[application.profile], profiles.audiences(application.profile, settings)
        lines.append(f"its assertions have aud {' or '.join(sorted(names))}, a jti of their own,")
        algorithms = ", ".join(sorted(rules.assertion_algorithms))
        lines.append(f"alg one of {algorithms}, and live {rules.assertion_lifetime} s at most")
    return Result(sealed_document(issued, operator), "\n".join(lines))


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
    document = perform_all(surroundings, place, operations.LIST)
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
    document = perform(surroundings, place, operations.SHOW, OneClient(client_id=client_id)).document
    return Result(document, view_text(document))


def sealed_document(issued: credentials.Issued, operator_fingerprint: str) -> dict[str, object]:
    """What `client create --json` and `client rotate --json` print; a link only where one was asked for."""
    document: dict[str, object] = {
        "client_id": issued.client.id,
        "credential_id": issued.credential.id,
        "sealed": None if issued.path is None else str(issued.path),
        "operator_fingerprint": operator_fingerprint,
    }
    return document if issued.link is None else document | {"link": issued.link}


def link_text(issued: credentials.Issued) -> str:
    """The line that tells a link; nothing where there is none."""
    if issued.link is None:
        return ""
    days = links.LIFETIME // rotation.DAY
    return (
        f"\nor send this link, which gives the ciphertext alone, {links.FETCHES} times in {days} days:\n  {issued.link}"
    )


def see_keys(surroundings: Surroundings, settings: Settings, jwks_uri: str | None, method: Method) -> None:
    """Fetch the keys once, so that a wrong URL shows now and not at the partner's first call. Raises Problem."""
    if jwks_uri is None:
        return
    try:
        found = asyncio.run(key_sets(surroundings, settings).fetch(jwks_uri))
    except CannotFetch as failed:
        raise Problem(
            "keys-not-fetched", str(failed), hint="mend the URL, or give the keys by value: --jwks FILE"
        ) from failed
    if method is Method.SELF_SIGNED_TLS_CLIENT_AUTH:
        clients.check_certificates(found)


def _subject(options: Mapping[str, str | None]) -> CertificateSubject | None:
    """The one name of a certificate that was typed. Raises Misuse."""
    metadata = {
        field.value: options[option.removeprefix("--").replace("-", "_")] for field, option in _SUBJECTS.items()
    }
    try:
        return mutual_tls.read_subject(metadata)
    except InvalidMetadata as wrong:
        said = str(wrong)
        for field, option in _SUBJECTS.items():
            said = said.replace(field.value, option)
        raise Misuse("bad-subject", said, hint="one name of its certificate, see RFC 8705 section 2.1.2") from None

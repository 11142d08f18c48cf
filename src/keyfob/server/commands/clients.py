"""`keyfob-server client create|list|show`: what a client may do is said once, and checked before anything is made."""

import asyncio
from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import ALL_STUDIES, CdmsStudy, Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem
from keyfob.refreshing import CannotFetch
from keyfob.server import profiles
from keyfob.server.admin import clients as operations
from keyfob.server.admin.clients import OneClient
from keyfob.server.admin.desk import Document
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options
from keyfob.server.commands.surroundings import (
    Surroundings,
    actor,
    home_option,
    key_sets,
    opened,
    read_file,
    show_time,
)
from keyfob.server.lifecycle import clients, credentials, studies
from keyfob.server.lifecycle.clients import Application
from keyfob.server.profiles import RULES
from keyfob.server.settings import Settings
from keyfob.server.storage.records import Profile

MAX_TOKEN_LIFETIME = 900
DEFAULT_TOKEN_LIFETIME = 300
_METHODS = (Method.CLIENT_SECRET_BASIC.value, Method.CLIENT_SECRET_POST.value, Method.PRIVATE_KEY_JWT.value)


@click.group()
def client() -> None:
    """Partners' programs: what each may do, and its credentials."""


@client.command(short_help="Make a client, its secret sealed to the partner.")
@home_option()
@click.option("--partner", required=True, metavar="NAME", help="Whose program it is.")
@click.option("--name", required=True, metavar="NAME", help="What the program is called.")
@click.option("--scope", required=True, metavar='"A B"', help="All scopes that it may ask for.")
@click.option(
    "--resource", required=True, multiple=True, metavar="URL", help="An API; repeatable, the first is default."
)
@click.option(
    "--default-scope", metavar='"A"', help="The scopes of a token when none is asked for; else that is refused."
)
@click.option("--study", multiple=True, metavar="OID[:SITE,SITE]", help="A study, or some of its sites; repeatable.")
@click.option("--all-studies", is_flag=True, help="Every study, also those to come.")
@click.option(
    "--authorization-details",
    "details_file",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Studies, sites, forms and actions in full (RFC 9396).",
)
@click.option(
    "--allow-network",
    "allowed",
    multiple=True,
    metavar="CIDR",
    help="From where it may come, such as 192.0.2.0/24; repeatable. Default: anywhere.",
)
@click.option(
    "--token-lifetime",
    type=click.IntRange(1, MAX_TOKEN_LIFETIME),
    default=DEFAULT_TOKEN_LIFETIME,
    show_default=True,
    metavar="SECONDS",
    help=f"How long its tokens live, 1 to {MAX_TOKEN_LIFETIME}.",
)
@click.option(
    "--auth-method",
    type=click.Choice(_METHODS),
    default=_METHODS[0],
    show_default=True,
    help="How it proves who it is: by a secret (the server takes it in the header and in the body), or by a key.",
)
@click.option(
    "--jwks", type=click.Path(path_type=Path), metavar="FILE", help="Its public keys, a JWK set: for private_key_jwt."
)
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    default=Profile.DEFAULT.value,
    show_default=True,
    help="A published profile that it follows: smart (HL7 SMART Backend Services) or fapi2 (FAPI 2.0).",
)
@click.option("--dpop", is_flag=True, help="Its tokens are bound to a key of its own; without a proof it gets none.")
@click.option("--jwks-uri", metavar="URL", help="Where it publishes them instead: https, and not in an inner network.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.asc", help="The sealed message. Default: ./CLIENT_ID.asc"
)
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
    profile: str,
    out: Path | None,
) -> Result:
    """Make a client and seal its secret to the partner: what comes out is one file that only the partner can open.

    The secret is shown nowhere, also not to you. Send the file by any channel.

    With --auth-method private_key_jwt the partner signs with a key that never leaves it, there is no secret, and
    nothing is sealed: you are given its public half (--jwks, or --jwks-uri, which is fetched to see).

    \b
    Example:
      keyfob-server client create --home ./operator --partner "Acme CRO" --name edc-sync \\
        --scope "studies:read subjects:read" --resource https://localhost:8444 --study S.1:001,002
    """
    application = Application(
        partner=partner,
        name=name,
        scope=_scope(scope, "--scope"),
        resources=resource,
        default_scope=None if default_scope is None else _scope(default_scope, "--default-scope"),
        details=_details(study, details_file, every=all_studies),
        token_lifetime=token_lifetime,
        auth_method=Method(auth_method),
        networks=clients.read_networks(allowed, option="--allow-network"),
        jwks=None if jwks is None else clients.read_jwks(read_file(jwks), where=jwks),
        jwks_uri=None if jwks_uri is None else clients.check_jwks_uri(jwks_uri),
        dpop_bound=dpop,
        profile=Profile(profile),
    )
    has_secret = application.auth_method is not Method.PRIVATE_KEY_JWT
    if out is not None and not has_secret:
        raise Misuse("nothing-sealed", "a client with a key has no secret to seal", hint="leave --out out")
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        if has_secret:
            issued = credentials.create_client(
                installation, application, out=out, now=now, entropy=surroundings.entropy, actor=actor()
            )
        else:
            see_keys(surroundings, installation.settings, application.jwks_uri)
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
        lines.append(
            f"  studies   {_studies(issued.client.authorization_details)} (not checked: only the API knows its studies)"
        )
    elif any(clients.DETAILS_TYPE in one.authorization_details_types for one in apis):
        lines.append("  studies   none: it reaches no study (--study, --all-studies)")
    if issued.path is not None:
        lines.append(f"the partner runs: keyfob receive {issued.path.name} --operator-fingerprint {operator}")
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
    return Result(document, _view_text(document))


def sealed_document(issued: credentials.Issued, operator_fingerprint: str) -> dict[str, object]:
    """What `client create --json` and `client rotate --json` print."""
    return {
        "client_id": issued.client.id,
        "credential_id": issued.credential.id,
        "sealed": None if issued.path is None else str(issued.path),
        "operator_fingerprint": operator_fingerprint,
    }


def see_keys(surroundings: Surroundings, settings: Settings, jwks_uri: str | None) -> None:
    """Fetch the keys once, so that a wrong URL shows now and not at the partner's first call. Raises Problem."""
    if jwks_uri is None:
        return
    try:
        asyncio.run(key_sets(surroundings, settings).fetch(jwks_uri))
    except CannotFetch as failed:
        raise Problem(
            "keys-not-fetched", str(failed), hint="mend the URL, or give the keys by value: --jwks FILE"
        ) from failed


def _scope(text: str, option: str) -> Scope:
    try:
        return scopes.parse(text)
    except OAuthError as refused:
        raise Misuse(
            "bad-scope", f"{option}: {refused.description}", hint='for example --scope "a:read b:read"'
        ) from None


def _details(study: tuple[str, ...], details_file: Path | None, *, every: bool) -> Details:
    if sum((bool(study), every, details_file is not None)) > 1:
        raise Misuse(
            "studies-twice",
            "--study, --all-studies and --authorization-details exclude each other",
            hint="say all of it in one: --authorization-details FILE.json",
        )
    if details_file is None:
        return studies.details(study, every=every)
    try:
        return authorization_details.parse(read_file(details_file).decode())
    except UnicodeDecodeError:
        raise Misuse("bad-details", f"{details_file} is not UTF-8", hint="write it as JSON in UTF-8") from None
    except OAuthError as refused:
        raise Misuse("bad-details", f"{details_file}: {refused.description}", hint="see RFC 9396 section 2") from None


def _view_text(one: Document) -> str:
    lines = [
        f"{one['client_id']} {one['name']}, {one['state']}",
        f"  partner   {one['partner']}, {one['partner_state']}",
        f"  tokens    {one['token_lifetime']} s",
    ]
    lines += [f"  key       {name}" for name in listed(one, "thumbprints")]
    lines += [f"  keys      {one['jwks_uri']}"] if one["jwks_uri"] is not None else []
    lines += [f"  at        {grant['resource']}: {grant['scope']}" for grant in listed(one, "grants")]
    lines.append(f"  studies   {_studies(authorization_details.read_claim(one['authorization_details']))}")
    lines.append(f"  from      {', '.join(listed(one, 'networks')) or 'anywhere'}")
    rows = [
        (
            credential["credential_id"],
            credential["state"],
            show_time(credential["expires_at"]),
            show_time(credential["first_used_at"]),
            show_time(credential["last_used_at"]),
            credential["last_used_from"] or "-",
            show_time(credential["overlap_ends_at"]),
        )
        for credential in listed(one, "credentials")
    ]
    lines.append(table(("CREDENTIAL", "STATE", "EXPIRES", "FIRST USE", "LAST USE", "FROM", "OVERLAP ENDS"), rows))
    return "\n".join(lines)


def _studies(details: Details) -> str:
    """For a person: `S.1 (sites 701, 702), S.2`; forms and actions as they are, in JSON."""
    return ", ".join(_study(detail) for detail in details) or "none"


def _study(detail: CdmsStudy) -> str:
    plain = CdmsStudy(detail.identifier, detail.sites)
    if detail != plain:
        return authorization_details.write((detail,))
    name = "every study" if detail.identifier == ALL_STUDIES else detail.identifier
    return name if detail.sites is None else f"{name} (sites {', '.join(sorted(detail.sites))})"

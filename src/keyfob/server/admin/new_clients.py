"""The operations that make a client, or a new secret for one. A secret leaves sealed to the partner, and never else."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from keyfob.oauth import authorization_details, mutual_tls
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.mutual_tls import CertificateSubject, InvalidMetadata, SubjectField
from keyfob.problem import Misuse
from keyfob.server import profiles
from keyfob.server.admin import messages
from keyfob.server.admin.clients import ClientId, KeySet, NetworkList, OneClient, read_keys, see_keys
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Name, Needs, Operation, Text
from keyfob.server.admin.rights import DetailsList, Resources, ScopeText, TokenLifetime, read_details, read_scope
from keyfob.server.lifecycle import clients, credentials, rotation
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.settings import MAX_OVERLAP_DAYS
from keyfob.server.profiles import RULES
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client, Profile

WITH_SECRET = (Method.CLIENT_SECRET_BASIC, Method.CLIENT_SECRET_POST)
MAX_EMERGENCY = 72 * 3600
MAX_OVERLAP = MAX_OVERLAP_DAYS * rotation.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """`link`: an HTTPS link to the sealed message, too. One of the names in its certificate for `tls_client_auth`.

    `emergency`: seconds after which its credential ends; nothing follows it, and each use rings an alarm.
    """

    partner: Text
    name: Name
    scope: ScopeText
    resources: Resources
    default_scope: ScopeText | None = None
    authorization_details: DetailsList = ()
    token_lifetime: TokenLifetime = 300
    auth_method: Method = Method.CLIENT_SECRET_BASIC
    networks: NetworkList = ()
    jwks: KeySet | None = None
    jwks_uri: Text | None = None
    profile: Profile = Profile.DEFAULT
    dpop_bound: bool = False
    certificate_bound: bool = False
    tls_client_auth_subject_dn: Text | None = None
    tls_client_auth_san_dns: Text | None = None
    tls_client_auth_san_uri: Text | None = None
    tls_client_auth_san_ip: Text | None = None
    tls_client_auth_san_email: Text | None = None
    link: bool = False
    emergency: Annotated[int, Meta(ge=3600, le=MAX_EMERGENCY)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """`overlap`: seconds that the old secret works after the new one's first use; None: as the settings say."""

    client_id: ClientId
    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] | None = None
    link: bool = False


def _create(desk: Desk, asked: NewClient) -> Document:
    application = _application(asked)
    now, settings = desk.clock(), desk.installation.settings
    clients.check_asking(settings, application)
    if application.auth_method in WITH_SECRET:
        made = credentials.create_client(
            desk.installation,
            application,
            outlet=desk.outlet,
            with_link=asked.link,
            emergency=asked.emergency,
            now=now,
            entropy=desk.entropy,
            actor=desk.actor.in_audit,
        )
    else:
        see_keys(desk, application.jwks_uri, application.auth_method)
        made = credentials.create_key_client(
            desk.installation,
            application,
            emergency=asked.emergency,
            now=now,
            entropy=desk.entropy,
            actor=desk.actor.in_audit,
        )
    known = {one.url: one for one in desk.installation.store.resources()}
    rules = RULES[application.profile]
    return {
        **messages.issued(desk, made),
        "auth_method": application.auth_method.value,
        "grants": [{"resource": one.resource, "scope": scopes.write(one.scope)} for one in made.client.grants],
        "authorization_details": authorization_details.write_claim(application.details),
        "can_reach_studies": _can_reach_studies(made.client, known),
        "token_endpoint": settings.token_endpoint,
        "assertions": {
            "audiences": sorted(profiles.audiences(application.profile, settings)),
            "algorithms": sorted(rules.assertion_algorithms),
            "lifetime": rules.assertion_lifetime,
        },
    }


def _needs_second(desk: Desk, reading: Reading, asked: NewClient) -> frozenset[Needs]:
    application = _application(asked)
    clients.check_asking(desk.installation.settings, application)
    clients.draft(reading, application, now=desk.clock(), entropy=desk.entropy)
    return RIGHTS


def _rotate(desk: Desk, asked: Rotation) -> Document:
    installation = desk.installation
    made = credentials.rotate(
        installation,
        asked.client_id,
        overlap=installation.settings.credentials.overlap if asked.overlap is None else asked.overlap,
        outlet=desk.outlet,
        with_link=asked.link,
        now=desk.clock(),
        entropy=desk.entropy,
        actor=desk.actor.in_audit,
    )
    successor = made.credential
    return messages.issued(desk, made) | {"replaces": successor.replaces, "overlap": successor.overlap}


def _finish(desk: Desk, asked: OneClient) -> Document:
    with desk.change() as change:
        ended = [one.id for one in credentials.finish(change, asked.client_id, now=desk.clock())]
    return {"client_id": asked.client_id, "retired": ended}


def _application(asked: NewClient) -> Application:
    """Raises Misuse."""
    if asked.link and asked.auth_method not in WITH_SECRET:
        raise Misuse("nothing-sealed", "a client with a key has no secret to seal", hint="leave --link out")
    jwks, jwks_uri = read_keys(asked.jwks, asked.jwks_uri)
    return Application(
        partner=asked.partner,
        name=asked.name,
        scope=read_scope(asked.scope),
        resources=asked.resources,
        default_scope=None if asked.default_scope is None else read_scope(asked.default_scope, "default_scope"),
        details=read_details(asked.authorization_details),
        token_lifetime=asked.token_lifetime,
        auth_method=asked.auth_method,
        networks=clients.read_networks(asked.networks, option="networks"),
        jwks=jwks,
        jwks_uri=jwks_uri,
        dpop_bound=asked.dpop_bound,
        profile=asked.profile,
        tls_subject=_subject(asked),
        certificate_bound=asked.certificate_bound,
    )


def _subject(asked: NewClient) -> CertificateSubject | None:
    members: dict[str, Any] = msgspec.to_builtins(asked)
    try:
        return mutual_tls.read_subject({field.value: members[field.value] for field in SubjectField})
    except InvalidMetadata as wrong:
        raise Misuse(
            "bad-subject", str(wrong), hint="one name of its certificate, see RFC 8705 section 2.1.2"
        ) from None


def _can_reach_studies(client: Client, known: dict[str, Any]) -> bool:
    reached = [known[grant.resource] for grant in client.grants if grant.resource in known]
    return any(clients.DETAILS_TYPE in one.authorization_details_types for one in reached)


_ALL, _ONE = "/admin/v1/clients", "/admin/v1/clients/{client_id}"
_SCOPE = "admin:clients"
CREATE = Operation(
    "client.create", "client create", "POST", _ALL, _SCOPE, NewClient, _create,
    "Make a client, its secret sealed to the partner", needs=RIGHTS, second=_needs_second,
)  # fmt: skip
ROTATE = Operation(
    "client.rotate", "client rotate", "POST", _ONE + "/rotate", _SCOPE, Rotation, _rotate,
    "Make a new secret for a client, sealed to the partner",
)  # fmt: skip
FINISH = Operation(
    "client.finish", "client rotate", "POST", _ONE + "/finish", _SCOPE, OneClient, _finish,
    "End a running overlap now",
)  # fmt: skip
OPERATIONS = (CREATE, ROTATE, FINISH)

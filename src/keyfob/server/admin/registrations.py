"""The operations on permissions to register (RFC 7591). A token leaves sealed to the partner, and never else."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.server.admin import messages, paging
from keyfob.server.admin.clients import OneClient
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation, Page, Text
from keyfob.server.admin.rights import DetailsList, Resources, ScopeText, TokenLifetime, read_details, read_scope
from keyfob.server.lifecycle import allowances
from keyfob.server.lifecycle.allowances import DAY, Bounds
from keyfob.server.lifecycle.registration import Registrar
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Allowance, Profile, State

DEFAULT_DAYS, MAX_DAYS = 3, 30
MAX_USES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAllowance:
    """The most that clients may have which the partner registers: `uses` of them, within `days`."""

    partner: Text
    scope: ScopeText
    resources: Resources
    authorization_details: DetailsList = ()
    token_lifetime: TokenLifetime = 300
    profile: Profile = Profile.DEFAULT
    dpop_bound: bool = False
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS)] = DEFAULT_DAYS
    uses: Annotated[int, Meta(ge=1, le=MAX_USES)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAllowance:
    allowance: Annotated[str, Meta(min_length=1, max_length=128)]


def _allow(desk: Desk, asked: NewAllowance) -> Document:
    now = desk.clock()
    made = allowances.allow(
        desk.installation,
        _bounds(asked),
        outlet=desk.outlet,
        now=now,
        entropy=desk.entropy,
        actor=desk.actor.in_audit,
    )
    return {
        **_document(made.allowance, asked.partner, now),
        **messages.members(desk, made.name, made.armored),
        "registration_endpoint": desk.installation.settings.registration_endpoint,
    }


def _needs_second(_desk: Desk, reading: Reading, asked: NewAllowance) -> frozenset[Needs]:
    allowances.check(reading, _bounds(asked))
    return RIGHTS


def _bounds(asked: NewAllowance) -> Bounds:
    return Bounds(
        partner=asked.partner,
        scope=read_scope(asked.scope),
        resources=asked.resources,
        details=read_details(asked.authorization_details),
        token_lifetime=asked.token_lifetime,
        dpop_bound=asked.dpop_bound,
        profile=asked.profile,
        uses=asked.uses,
        lifetime=asked.days * DAY,
    )


def _list(desk: Desk, asked: Page) -> Document:
    now = desk.clock()
    with desk.installation.store.reading() as reading:
        found = sorted(reading.allowances(), key=_place)
        owners = {one.id: one.name for one in reading.partners()}
    listed, after = paging.page(found, limit=asked.limit, cursor=asked.cursor, key=_place)
    return {"allowances": [_document(one, owners[one.partner_id], now) for one in listed], "next": after}


def _withdraw(desk: Desk, asked: OneAllowance) -> Document:
    with desk.change() as change:
        allowances.withdraw(change, asked.allowance)
    return {"allowance": asked.allowance, "state": "withdrawn"}


def _renew(desk: Desk, asked: OneClient) -> Document:
    registrar = Registrar(desk.installation, desk.entropy)
    name, armored = registrar.renew(asked.client_id, outlet=desk.outlet, now=desk.clock(), actor=desk.actor.in_audit)
    return {"client_id": asked.client_id, **messages.members(desk, name, armored)}


def _place(one: Allowance) -> str:
    return f"{one.created_at:020} {one.id}"


def _document(one: Allowance, partner: str, now: int) -> Document:
    return {
        "allowance": one.id,
        "partner": partner,
        "state": _state(one, now),
        "uses_left": one.uses_left,
        "scope": scopes.write(one.scope),
        "resources": list(one.resources),
        "authorization_details": authorization_details.write_claim(one.authorization_details),
        "profile": one.profile.value,
        "token_lifetime": one.token_lifetime,
        "dpop_bound": one.dpop_bound,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def _state(one: Allowance, now: int) -> str:
    if one.state is not State.ACTIVE:
        return "withdrawn"
    if one.uses_left < 1:
        return "used up"
    return "expired" if now >= one.expires_at else "open"


_ALL = "/admin/v1/registrations"
_SCOPE = "admin:clients"
LIST = Operation(
    "registration.list", "registration list", "GET", _ALL, "admin:read", Page, _list, "What was allowed to whom",
    lists="allowances",
)  # fmt: skip
ALLOW = Operation(
    "registration.allow", "registration allow", "POST", _ALL, _SCOPE, NewAllowance, _allow,
    "Let a partner register clients, its token sealed to it", needs=RIGHTS, second=_needs_second,
)  # fmt: skip
WITHDRAW = Operation(
    "registration.withdraw", "registration withdraw", "POST", _ALL + "/{allowance}/withdraw", _SCOPE, OneAllowance,
    _withdraw, "Take a permission to register back",
)  # fmt: skip
RENEW = Operation(
    "registration.renew", "registration renew", "POST", "/admin/v1/clients/{client_id}/registration", _SCOPE,
    OneClient, _renew, "Make a new registration token for a client, sealed to the partner",
)  # fmt: skip
OPERATIONS = (LIST, ALLOW, WITHDRAW, RENEW)

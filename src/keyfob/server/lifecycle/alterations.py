"""How what a client may do is changed in place: id, secret and name stay. What is taken away ends at once."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.errors import InvalidAuthorizationDetails
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem
from keyfob.server import networks
from keyfob.server.audit.events import Field, Kind
from keyfob.server.lifecycle import clients, revocations
from keyfob.server.lifecycle.clients import Application
from keyfob.server.notices.notice import NoticeKind
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import Client, ResourceGrant, State

Words = str | int | list[str] | None

_ASPECTS: dict[str, Callable[[Client], Words]] = {
    "grants": lambda client: [_grant_text(grant) for grant in client.grants],
    "authorization_details": lambda client: write_details(client.authorization_details),
    "token_lifetime": lambda client: client.token_lifetime,
    "networks": lambda client: list(client.networks),
    "thumbprints": lambda client: clients.thumbprints(client.jwks),
    "jwks_digest": lambda client: _digest(client.jwks),
    "jwks_uri": lambda client: client.jwks_uri,
    "dpop_bound": lambda client: int(client.dpop_bound),
    "certificate_bound": lambda client: int(client.certificate_bound),
}
"""What can change, in the words of the audit."""

_FIXED: dict[str, Callable[[Client], str]] = {
    "auth_method": lambda client: client.auth_method.value,
    "profile": lambda client: client.profile.value,
    "tls_subject": lambda client: str(client.tls_subject and (client.tls_subject.field, client.tls_subject.value)),
}


def application_of(client: Client, partner: str) -> Application:
    """What would have to be asked for to get `client` as it is."""
    return Application(
        partner=partner,
        name=client.name,
        scope=clients.full_scope(client),
        resources=tuple(grant.resource for grant in client.grants),
        default_scope=default_scope(client),
        details=client.authorization_details,
        token_lifetime=client.token_lifetime,
        auth_method=client.auth_method,
        networks=client.networks,
        jwks=client.jwks,
        jwks_uri=client.jwks_uri,
        dpop_bound=client.dpop_bound,
        profile=client.profile,
        tls_subject=client.tls_subject,
        certificate_bound=client.certificate_bound,
    )


def default_scope(client: Client) -> Scope | None:
    """Its default scopes at all of its resources."""
    return frozenset(one for grant in client.grants for one in grant.default_scope or ()) or None


def altered(reading: Reading, client: Client, wanted: Application, *, now: int) -> Client:
    """`client` with what `wanted` asks for. Raises Misuse for what cannot change, and as at its creation."""
    made = clients.described(reading, wanted, client_id=client.id, partner_id=client.partner_id, now=now)
    made = replace(made, state=client.state, created_at=client.created_at, name=client.name)
    for name, aspect in _FIXED.items():
        if aspect(client) != aspect(made):
            raise Misuse(
                "client-fixed",
                f"{name} of a client cannot change: {client.id} has {aspect(client)}",
                hint="make a client of another name, and suspend this one when its work has moved",
            )
    return made


def differences(before: Client, after: Client) -> dict[str, tuple[Words, Words]]:
    """What of a client is otherwise: (before, after) of each aspect."""
    found = {name: (aspect(before), aspect(after)) for name, aspect in _ASPECTS.items()}
    return {name: (old, new) for name, (old, new) in found.items() if old != new}


def alter(change: Change, before: Client, after: Client, *, now: int) -> None:
    """Make `before` into `after`, from the next request on. Raises Problem when it is no longer what `before` says."""
    if clients.get(change.reading, before.id).client != before:
        raise Problem("client-changed", "the client was changed meanwhile: nothing was done", hint="try again")
    if before.state is State.REVOKED:
        raise Misuse("client-revoked", f"{before.id} is revoked, for good", hint="make a new one: client create")
    changed = differences(before, after)
    if not changed:
        return
    change.change_client(after)
    if takes_away(before, after):
        # What is taken away is taken away at once: tokens from before may hold it.
        revocations.allow_again(change, before.id, now=now)
    fields: dict[str, Field] = {}
    for name, (old, new) in changed.items():
        fields |= {name: new, f"{name}_before": old}
    change.record(Kind.CLIENT_CHANGED, client_id=before.id, **fields)
    if (before.jwks, before.jwks_uri) != (after.jwks, after.jwks_uri):
        clients.tell_keys(change, NoticeKind.CLIENT_KEYS_CHANGED, after, now=now)


def takes_away(before: Client, after: Client) -> bool:
    """Whether a token from before may hold what a new one could not."""
    kept = {grant.resource: grant.scope for grant in after.grants}
    is_narrower = any(not grant.scope <= kept.get(grant.resource, frozenset()) for grant in before.grants)
    is_bound_now = (after.dpop_bound, after.certificate_bound) != (before.dpop_bound, before.certificate_bound)
    return is_narrower or is_bound_now or before.authorization_details != after.authorization_details


def gives(before: Client, after: Client) -> bool:
    """Whether a new token may hold or reach, or last, what none from before could."""
    held = {grant.resource: grant.scope for grant in before.grants}
    is_wider = any(not grant.scope <= held.get(grant.resource, frozenset()) for grant in after.grants)
    was_bound = (before.dpop_bound and not after.dpop_bound) or (
        before.certificate_bound and not after.certificate_bound
    )
    lasts_longer = after.token_lifetime > before.token_lifetime
    has_other_keys = (before.jwks, before.jwks_uri) != (after.jwks, after.jwks_uri)
    comes_from_more = not networks.are_within(after.networks, before.networks)
    return is_wider or was_bound or lasts_longer or has_other_keys or comes_from_more or _reaches_more(before, after)


def _reaches_more(before: Client, after: Client) -> bool:
    """Of studies. RFC 9396 §5: what a client might ask for within what it had is no more than that."""
    try:
        return authorization_details.narrow(after.authorization_details, before.authorization_details) != (
            after.authorization_details
        )
    except InvalidAuthorizationDetails:
        return True


def _digest(jwks: str | None) -> str | None:
    """Of the set as it means: spaces and the order of members say nothing."""
    if jwks is None:
        return None
    return hashlib.sha256(json.dumps(json.loads(jwks), sort_keys=True).encode()).hexdigest()[:16]


def _grant_text(grant: ResourceGrant) -> str:
    usual = "" if grant.default_scope is None else f" (default: {scopes.write(grant.default_scope)})"
    return f"{grant.resource} {scopes.write(grant.scope)}{usual}"

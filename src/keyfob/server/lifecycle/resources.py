"""How an API is registered: what can be granted is what the registry knows."""

import json
from enum import StrEnum

from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.problem import Misuse
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import operators
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Resource


class Outcome(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


def register(change: Change, metadata: ResourceMetadata, *, issuer: str, now: int) -> Outcome:
    """Add the API, or bring it up to date. Raises Misuse when it trusts another issuer, or drops a scope in use."""
    # RFC 9728 §2: a resource that does not name this issuer would refuse each of its tokens.
    if issuer not in metadata.authorization_servers:
        raise Misuse(
            "other-issuer",
            f"{metadata.resource} does not name the issuer {issuer}",
            hint=f"it names {', '.join(metadata.authorization_servers) or 'none'}: make it with --issuer {issuer}",
        )
    if metadata.resource == operators.audience(issuer):
        raise Misuse("own-resource", f"{metadata.resource} is this server's admin API", hint="name the API's own URL")
    wanted = Resource(
        url=metadata.resource,
        scopes=tuple(sorted(metadata.scopes.items())),
        authorization_details_types=tuple(metadata.authorization_details_types),
        jwks=json.dumps(metadata.jwks, sort_keys=True),
        added_at=now,
    )
    found = next((one for one in change.reading.resources() if one.url == wanted.url), None)
    if found is not None and _content(found) == _content(wanted):
        return Outcome.UNCHANGED
    if found is not None:
        _check_unused(change, found, wanted)
    change.put_resource(wanted)
    change.record(
        Kind.RESOURCE_ADDED if found is None else Kind.RESOURCE_CHANGED,
        resource=wanted.url,
        scope=sorted(wanted.scope),
        authorization_details_types=list(wanted.authorization_details_types),
    )
    return Outcome.ADDED if found is None else Outcome.CHANGED


def _content(resource: Resource) -> tuple[object, ...]:
    return resource.scopes, resource.authorization_details_types, resource.jwks


def _check_unused(change: Change, found: Resource, wanted: Resource) -> None:
    gone = found.scope - wanted.scope
    for client in change.reading.clients():
        held = {scope for grant in client.grants if grant.resource == found.url for scope in grant.scope & gone}
        if held:
            raise Misuse(
                "scope-in-use",
                f"the scope {min(held)} is gone from {found.url}, but client {client.id} holds it",
                hint="keep the scope: what a client was granted stays on record",
            )

"""The operations on resources: the APIs for which tokens are issued."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from keyfob.oauth import resource_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.problem import Misuse
from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation, Page
from keyfob.server.lifecycle import resources
from keyfob.server.storage.reading import Reading

FORM = (
    "give the resource.json that the API's init wrote, or write one: resource, authorization_servers, scopes_supported"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResource:
    metadata: Annotated[dict[str, Any], Meta(description="Its metadata (RFC 9728), as the API's init wrote them.")]


def _add(desk: Desk, asked: NewResource) -> Document:
    metadata = _metadata(asked)
    with desk.change() as change:
        issuer = desk.installation.settings.issuer
        outcome = resources.register(change, metadata, issuer=issuer, now=desk.clock())
    return {"resource": metadata.resource, "outcome": str(outcome), "scopes": sorted(metadata.scopes)}


def _gives_key(_desk: Desk, reading: Reading, asked: NewResource) -> frozenset[Needs]:
    """A resource's key introspects tokens; what else is told of it gives nobody anything."""
    wanted = _metadata(asked)
    known = next((one for one in reading.resources() if one.url == wanted.resource), None)
    is_same = known is not None and json.loads(known.jwks) == wanted.jwks
    return frozenset() if is_same else RIGHTS


def _metadata(asked: NewResource) -> ResourceMetadata:
    try:
        return resource_metadata.read(json.dumps(asked.metadata).encode())
    except MalformedMetadata as wrong:
        raise Misuse("bad-resource", str(wrong), hint=FORM) from None


def _list(desk: Desk, asked: Page) -> Document:
    found = sorted(desk.installation.store.resources(), key=lambda one: one.url)
    listed, after = paging.page(found, limit=asked.limit, cursor=asked.cursor, key=lambda one: one.url)
    return {
        "resources": [
            {
                "resource": one.url,
                "scopes": dict(one.scopes),
                "authorization_details_types": list(one.authorization_details_types),
                "added_at": one.added_at,
            }
            for one in listed
        ],
        "next": after,
    }


_ALL = "/admin/v1/resources"
LIST = Operation(
    "resource.list", "resource list", "GET", _ALL, "admin:read", Page, _list, "All resources", lists="resources"
)
ADD = Operation(
    "resource.add", "resource add", "POST", _ALL, "admin:resources", NewResource, _add,
    "Register a resource, or bring it up to date", needs=RIGHTS, second=_gives_key,
)  # fmt: skip
OPERATIONS = (LIST, ADD)

"""What a refused request showed: taken on the failure path, in the same few steps for every refusal.

Small and bounded, held for half a second until its cause is found behind the answer. It may hold secrets, so it is
never logged or stored: what is kept is the Explanation that `diagnosis` makes of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import OAuthError, TooManyRequests
from keyfob.oauth.wire import values
from keyfob.secret import Secret
from keyfob.server.endpoints.request import Request
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage.records import ClientView

_MAX_HEADER = 4096
_ASKED = ("scope", "resource")
_MAX_ASKED = 4096
_PROXY_HEADERS = frozenset({b"via", b"forwarded", b"x-forwarded-for", b"x-real-ip"})
_SECRET_IN_QUERY = re.compile(rb"client_secret=|client_assertion=|access_token=|kf[sir]_[0-9A-Za-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sighting:
    """`error`: the code on the wire. `cause`: what the endpoint knows already; None: it shows in the rest.

    `description` is the public text, `detail` a private one of ours. `view` is the registered client that was named, if
    there is one.
    """

    at: int
    request_id: str
    address: str
    error: str
    cause: Cause | None
    description: str
    detail: str
    retry_after: int | None
    method: str
    content_type: str
    looks_like_json: bool
    authorization: tuple[Secret, ...] = field(repr=False)
    date: str
    through_proxy: bool
    has_query: bool
    has_secret_in_query: bool
    presented: PresentedCredential | None
    view: ClientView | None
    asked: Mapping[str, Secret]


def see(
    request: Request,
    refused: OAuthError,
    *,
    presented: PresentedCredential | None,
    parameters: Mapping[str, str],
    view: ClientView | None,
    now: int,
) -> Sighting:
    """What there is to see of a refused request; `refused` as it goes onto the wire."""
    cause = refused.detail if isinstance(refused.detail, Cause) else None
    wait = refused.retry_after if isinstance(refused, TooManyRequests) else None
    return look(
        request,
        error=refused.code,
        cause=cause,
        description=refused.description,
        detail=refused.detail,
        retry_after=wait,
        presented=presented,
        parameters=parameters,
        view=view,
        now=now,
    )


def look(
    request: Request,
    *,
    error: str,
    now: int,
    cause: Cause | None = None,
    description: str = "",
    detail: str = "",
    retry_after: int | None = None,
    presented: PresentedCredential | None = None,
    parameters: Mapping[str, str] | None = None,
    view: ClientView | None = None,
) -> Sighting:
    """The same, of a request that came to no endpoint."""
    headers = values(request.headers, b"authorization")[:2]
    found = parameters or {}
    return Sighting(
        at=now,
        request_id=request.id,
        address=request.address,
        error=error,
        cause=cause,
        description=description,
        detail=detail,
        retry_after=retry_after,
        method=request.method[:16],
        content_type=(request.header(b"content-type") or "")[:100],
        looks_like_json=request.body[:64].lstrip()[:1] == b"{",
        authorization=tuple(Secret(value[:_MAX_HEADER]) for value in headers),
        date=(request.header(b"date") or "")[:64],
        through_proxy=any(name in _PROXY_HEADERS for name, _ in request.headers),
        has_query=bool(request.query_string),
        has_secret_in_query=has_secret(request.query_string),
        presented=presented,
        view=view,
        asked={name: Secret(found[name][:_MAX_ASKED]) for name in _ASKED if name in found},
    )


def has_secret(query_string: bytes) -> bool:
    """Whether a URL's query names a secret or holds what looks like one of ours: it counts as exposed."""
    return bool(query_string) and _SECRET_IN_QUERY.search(query_string) is not None

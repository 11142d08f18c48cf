"""ASGI messages to values and back."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from keyfob.oauth.wire import Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""On every response that does not say the same header itself, and on those that no application has seen."""


class ClientGone(Exception):
    """The client closed the connection before its request was whole: there is nobody to answer."""


async def read_body(receive: Receive) -> bytes:
    """The whole body. How much that may be is the edge's business. Raises ClientGone."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    if not message.get("more_body", False):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def live(receive: Receive, send: Send, *, end: Callable[[], Awaitable[None]]) -> None:
    """The lifespan of an application that has nothing to do at its start; `end` comes when the last request is over."""
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await end()
    await send({"type": "lifespan.shutdown.complete"})


async def respond(send: Send, response: Response) -> None:
    """Send a whole response, its length stated."""
    headers = list(response.headers)
    # RFC 9110 §8.6: no length is stated where there is never any content.
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def json_response(
    status: int,
    document: object,
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    media_type: str = "application/json",
) -> Response:
    """A document as a response body, non-ASCII text as it is."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, ((b"content-type", media_type.encode()), *headers), body)

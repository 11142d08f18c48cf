"""RFC 9110 §13, RFC 9111: public documents that clients may keep for a while."""

import hashlib

from keyfob.oauth.wire import Response
from keyfob.server.endpoints.request import Request


def serve_document(request: Request, body: bytes, *, media_type: str, max_age: int) -> Response:
    """`body`, or 304 when the client has it already; `max_age` in seconds."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    headers = (
        (b"content-type", media_type.encode()),
        (b"cache-control", f"public, max-age={max_age}".encode()),
        (b"etag", tag),
    )
    # RFC 9110 §13.1.2: If-None-Match is a list of tags, weak or strong, or any.
    known = {part.strip().removeprefix("W/") for part in (request.header(b"if-none-match") or "").split(",")}
    if tag.decode() in known or "*" in known:
        return Response(304, headers, b"")
    return Response(200, headers, body)

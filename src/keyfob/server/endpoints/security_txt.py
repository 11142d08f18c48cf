"""`/.well-known/security.txt` (RFC 9116): whom to tell of a weakness, and how a leaked secret is ended at once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time

from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.leak_settings import SecurityContact
from keyfob.server.state import ServerState
from keyfob.serving import json_response

PATH = "/.well-known/security.txt"
MAX_AGE = 3600


def security_txt(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        contact = state.settings.security_contact
        # RFC 9116 §2.5.5: what has expired is not to be used, so there is none.
        if contact is None or ends_at(contact) <= datetime.fromtimestamp(state.clock(), UTC):
            document = {"error": "not_found", "error_description": "no contact is set", "error_id": request.id}
            return json_response(404, document)
        body = write(contact, issuer=state.settings.issuer)
        return serve_document(
            request,
            body,
            # RFC 9116 §3: plain text in UTF-8.
            media_type="text/plain; charset=utf-8",
            max_age=MAX_AGE,
        )

    return answer


def ends_at(contact: SecurityContact) -> datetime:
    """The end of its last day."""
    return datetime.combine(contact.expires, time(23, 59, 59), UTC)


def write(contact: SecurityContact, *, issuer: str) -> bytes:
    lines = [
        f"# A secret of this server's that you found (kfs_, kfi_, kfr_) ends when you present it: POST {issuer}/leaks",
        # RFC 9116 §2.5.3: in the order of preference.
        *(f"Contact: {one}" for one in contact.contacts),
        f"Expires: {ends_at(contact):%Y-%m-%dT%H:%M:%SZ}",
        f"Policy: {issuer}/documentation",
        # RFC 9116 §2.5.2: where it is, so that a copy elsewhere is known as one.
        f"Canonical: {issuer}{PATH}",
        "Preferred-Languages: en",
    ]
    return "".join(f"{line}\n" for line in lines).encode()

"""A sealed message behind an operator's link: asked for by POST, over verified HTTPS, and no redirect followed.

What comes is checked as if it had come in a file: the link proves nothing.
"""

from keyfob.partner import safe_url
from keyfob.partner.errors import MessageRefused, Unreachable
from keyfob.partner.receive import MAX_BYTES
from keyfob.partner.steps import Request, Transport


def fetch(link: str, transport: Transport) -> bytes:
    """The message. Raises UnsafeCall, Unreachable or MessageRefused; none of them repeats the link."""
    response = transport.send(Request("POST", safe_url.check(link), max_response_bytes=MAX_BYTES))
    if response.status == 404:
        raise MessageRefused(
            "dead-link",
            "there is nothing behind this link: it is wrong, used up, or too old",
            hint="ask the operator for another one: it works five times, for 14 days",
        )
    if response.status != 200:
        raise Unreachable(
            "no-message",
            f"the server gave no message (HTTP {response.status})",
            hint="is it the link that the operator sent? It leads to no other page",
        )
    return response.body

"""Which URLs a credential may travel to: https only, one resource only, and no secret in the URL itself.

RFC 6750 §2.3 and §5.3: never in a query, never without TLS. RFC 9700 §4.
"""

import re
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from keyfob import client_secret
from keyfob.oauth import resource_indicator
from keyfob.partner.errors import UnsafeCall

_SECRET = re.compile(client_secret.PATTERN)
_SECRET_PARAMETERS = frozenset({"access_token", "client_secret", "client_assertion", "password"})
_DOT_SEGMENTS = frozenset({".", ".."})


def check(url: str) -> str:
    """`url`, which is https:// and carries no credential. Raises UnsafeCall, which never repeats the query."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnsafeCall("malformed-url", "the URL is malformed", hint="write it as https://host/path") from None
    # RFC 6750 §5.3: a token travels over TLS alone.
    if parts.scheme == "http":
        raise UnsafeCall(
            "plain-http",
            f"http:// is refused: a token would travel in clear to {parts.hostname}",
            hint="use https://; for a private certificate authority name it with --ca FILE",
        )
    if parts.scheme != "https" or not parts.hostname or port == 0 or not url.isprintable() or "\\" in url:
        raise UnsafeCall("malformed-url", "the URL is not an https:// URL", hint="write it as https://host/path")
    if "@" in parts.netloc:
        raise UnsafeCall(
            "credentials-in-url", "the URL carries a user name or password", hint="leave out what stands before the @"
        )
    # Some servers decode %2F and take path parameters away before they route: what they would make of it counts.
    segments = re.split(r"[/\\]", unquote(parts.path))
    if _DOT_SEGMENTS & {segment.partition(";")[0] for segment in segments}:
        raise UnsafeCall("malformed-url", "the URL's path has . or .. in it", hint="write the path out")
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    # RFC 6750 §2.3, §5.3, RFC 9700 §4.3.2: no secret in a URL, which is logged.
    if names & _SECRET_PARAMETERS or holds_secret(url):
        raise UnsafeCall(
            "secret-in-url",
            "the URL carries a secret: it would end up in logs; nothing was sent",
            hint="take it out: keyfob puts the credential where it belongs. If the secret was ever sent or "
            "pasted elsewhere, ask the operator to rotate it",
        )
    return url


def check_within(url: str, resource: str) -> str:
    """`url`, which is safe and belongs to `resource`: the same origin, below its path. Raises UnsafeCall."""
    check(url)
    if not resource_indicator.covers(resource, url):
        parts = urlsplit(url)
        raise UnsafeCall(
            "another-origin",
            f"{parts.scheme}://{parts.netloc}{parts.path} does not belong to {resource}",
            hint="a token goes only to the API that it was made for: open another session for another API",
        )
    return url


def holds_secret(text: str) -> bool:
    """Whether a client secret stands in `text`, plain or percent-encoded, once or twice."""
    once = unquote_plus(text)
    return any(_SECRET.search(form) for form in (text, once, unquote_plus(once)))

"""RFC 8707: the resource that a token is for, as a URL."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from keyfob.oauth.errors import InvalidTarget

_VISIBLE = re.compile(r"[\x21-\x7e]{1,512}")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def check(url: str) -> str:
    """`url` without a trailing slash, when it can name a resource or an issuer. Raises InvalidTarget.

    RFC 8707 §2: absolute, no fragment; ours besides: https (plain http on loopback hosts alone), no user, no query.
    """
    parts = _split(url)
    # RFC 8414 §2, RFC 9728 §2: an issuer's and a resource's URL is https.
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise InvalidTarget("the URL must be https")
    # RFC 8707 §2, RFC 9728 §2: a resource's URL has no fragment, and should have no query.
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidTarget("the URL must have no query and no fragment")
    if "%" in url or "\\" in url or "/../" in f"{parts.path}/" or "/./" in f"{parts.path}/" or "//" in parts.path:
        raise InvalidTarget("the URL's path must be plain")
    return url.rstrip("/")


def covers(resource: str, url: str) -> bool:
    """Whether `url` lies at `resource`: same origin, and the path is it or below it."""
    try:
        wanted, asked = _split(resource), _split(url)
    except InvalidTarget:
        return False
    if _origin(wanted) != _origin(asked):
        return False
    prefix = wanted.path.rstrip("/")
    return asked.path == prefix or asked.path.startswith(prefix + "/") or (not prefix and not asked.path)


def origin(url: str) -> str:
    """`https://host:port` of a URL that was checked (RFC 6454 §4)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """RFC 8252 §7.3, RFC 6761 §6.3: localhost, 127.0.0.0/8, ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    if not _VISIBLE.fullmatch(url):
        raise InvalidTarget("the URL must have 1 to 512 visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidTarget("the URL is malformed") from None
    # RFC 8707 §2: a resource's URL is absolute.
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise InvalidTarget("the URL must be absolute: https://host/path")
    if "@" in parts.netloc:
        raise InvalidTarget("the URL must hold no user or password")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS[parts.scheme]

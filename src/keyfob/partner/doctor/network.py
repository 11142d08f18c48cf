"""What can be seen of an issuer and an API from here: one verified HTTPS request each, no redirect followed, nothing of
ours sent. Each URL is asked once, however many checks look at the answer.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from keyfob.partner.transport import unreachable
from keyfob.problem import Problem

_TIMEOUT = 10
_MAX_BODY = 4 * 1024 * 1024
NO_TOKEN = "keyfob-doctor-is-no-token"  # noqa: S105
"""What stands in for a token where only its arrival is looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer. Names of headers are in lower case; dates are seconds since 1970, `date` as its header says it."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    tls_version: str
    certificate_ends_at: int | None
    asked_at: float
    answered_at: float

    @property
    def date(self) -> int | None:
        """RFC 9110 §6.6.1."""
        try:
            return int(parsedate_to_datetime(self.headers.get("date", "")).timestamp())
        except (ValueError, TypeError, OverflowError):
            return None


class Network:
    """Requests over `context`, by the proxies of the environment, timed by `clock` (seconds since 1970)."""

    def __init__(self, context: ssl.SSLContext, clock: Callable[[], float]) -> None:
        self._context = context
        self._clock = clock
        self._seen: dict[tuple[str, bool], Seen | Problem] = {}

    def get(self, url: str, *, with_no_token: bool = False) -> Seen:
        """The answer to GET `url`; `with_no_token`: with NO_TOKEN as its bearer token. Raises Problem."""
        key = (url, with_no_token)
        if key not in self._seen:
            try:
                self._seen[key] = self._ask(url, {"authorization": f"Bearer {NO_TOKEN}"} if with_no_token else {})
            except Problem as failed:
                self._seen[key] = failed
        found = self._seen[key]
        if isinstance(found, Problem):
            raise found
        return found

    def _ask(self, url: str, headers: Mapping[str, str]) -> Seen:
        import httpx2

        if not url.startswith("https://"):
            raise Problem("plain-http", f"{url} is not https://", hint="ask the operator for the https:// address")
        asked_at = self._clock()
        try:
            with (
                httpx2.Client(verify=self._context, timeout=_TIMEOUT, follow_redirects=False) as client,
                client.stream("GET", url, headers=dict(headers)) as response,
            ):
                answered_at = self._clock()
                connection = response.extensions["network_stream"].get_extra_info("ssl_object")
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BODY:
                        break
                return Seen(
                    url=url,
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=body,
                    tls_version=connection.version() or "",
                    certificate_ends_at=_ends_at(connection.getpeercert()),
                    asked_at=asked_at,
                    answered_at=answered_at,
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise unreachable(url, failed) from failed


def _ends_at(certificate: Mapping[str, object] | None) -> int | None:
    said = (certificate or {}).get("notAfter")
    return ssl.cert_time_to_seconds(said) if isinstance(said, str) else None


def date(at: int) -> str:
    """For a person."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

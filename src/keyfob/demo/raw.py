"""Requests that a well-behaved client refuses to send, over verified TLS: an attacker's, or a broken program's."""

import http.client
import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from keyfob import tls
from keyfob.demo.stage import DemoFailed, Stage


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def words(self) -> str:
        return json.dumps(self.headers) + self.body.decode(errors="replace")


def request(
    stage: Stage,
    ca: Path,
    method: str,
    url: str,
    *,
    shown_as: str,
    status: int,
    shows: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Send it and show the answer; `shown_as` is the request without its secrets. Raises DemoFailed if unexpected."""
    answer = _send(ca, method, url, headers or {}, body)
    stage.say(f"  anyone> {shown_as}")
    stage.show(f"{answer.status} {HTTPStatus(answer.status).phrase}")
    if "www-authenticate" in answer.headers:
        stage.show(f"WWW-Authenticate: {answer.headers['www-authenticate']}")
    stage.show(answer.body.decode(errors="replace")[:300])
    if answer.status != status or shows not in answer.words():
        raise DemoFailed(f"{shown_as}: answered {answer.status}, expected {status} {shows}\n{answer.words()}")
    return answer


def until_refused(ca: Path, url: str, headers: dict[str, str]) -> None:
    """Ask again and again until the answer is 401: for a token that lives a second. Raises DemoFailed."""
    for _ in range(10_000):
        if _send(ca, "GET", url, headers, b"").status == HTTPStatus.UNAUTHORIZED:
            return
    raise DemoFailed(f"a token of one second was still taken by {url}")


def _send(ca: Path, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
    parts = urlsplit(url)
    context: ssl.SSLContext = tls.client_context(ca, environ={})
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=context)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()

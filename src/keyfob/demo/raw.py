"""Requests that a well-behaved client refuses to send, over verified TLS: an attacker's, or a broken program's."""

import http.client
import json
import ssl
from dataclasses import dataclass
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
    parts = urlsplit(url)
    context: ssl.SSLContext = tls.client_context(ca, environ={})
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=context)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, found, response.read())
    finally:
        connection.close()
    stage.say(f"  anyone> {shown_as}")
    stage.show(f"{answer.status} {response.reason}")
    if "www-authenticate" in answer.headers:
        stage.show(f"WWW-Authenticate: {answer.headers['www-authenticate']}")
    stage.show(answer.body.decode(errors="replace")[:300])
    if answer.status != status or shows not in answer.words():
        raise DemoFailed(f"{shown_as}: answered {answer.status}, expected {status} {shows}\n{answer.words()}")
    return answer

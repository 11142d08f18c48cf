"""What every request meets before the application, and every response after it.

One request id, one Host, a bounded body, security headers, no stack trace on the wire, and an access log that holds
neither query nor path parameters. The application names its route in `scope["state"]["route"]` for the log.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from keyfob.ambient import Entropy, monotonic
from keyfob.oauth.wire import Response, values
from keyfob.serving import leaving
from keyfob.serving.messages import (
    SECURITY_HEADERS,
    App,
    ClientGone,
    Message,
    Receive,
    Scope,
    Send,
    json_response,
    respond,
)

_log = logging.getLogger("keyfob.access")
_MAX_SILENCE = 2.0
"""Seconds without a byte after which a refused body is waited for no longer."""
_MAX_READ_AWAY = 256 * 1024 * 1024
_HOST = re.compile(rb"[A-Za-z0-9.\-_]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

Refuse = Callable[[int, str, str, str], Response]
"""(status, code, message, request id) -> the refusal in the application's own form."""


class BodyTooLarge(Exception):
    """More came than the application takes; the edge answers 413."""


def refuse_as_oauth(status: int, code: str, message: str, request_id: str) -> Response:
    """RFC 6749 §5.2's form, which a resource may replace by its own."""
    return json_response(status, {"error": code, "error_description": message, "error_id": request_id})


def edge(
    app: App,
    *,
    entropy: Entropy,
    max_body_bytes: int,
    roomier: Mapping[str, int] = MappingProxyType({}),
    refuse: Refuse = refuse_as_oauth,
) -> App:
    """`app` behind the edge. Anything that `app` raises becomes a JSON 500 that tells nothing but its id.

    `roomier`: paths that take longer bodies, each with its bound.
    """

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websocket is ever offered; the listener has none either
        bound = max(max_body_bytes, roomier.get(scope["path"], 0))
        await _Exchange(scope, receive, send, entropy(16).hex(), bound, refuse).run(app)

    return entered


class _Exchange:
    """One request and its response."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, max_body_bytes: int, refuse: Refuse
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._left = max_body_bytes
        self._refuse = refuse
        self._status = 0
        scope.setdefault("state", {})["request_id"] = request_id

    async def run(self, app: App) -> None:
        started = monotonic()
        try:
            refusal = self._check()
            if refusal is None:
                self._check_length()
                await app(self._scope, self.receive, self.send)
            else:
                await respond(self.send, refusal)
        except BodyTooLarge:
            await self._refuse_body()
        except ClientGone:
            self._status = 499  # nothing was answered: the word that proxies use for it
        except asyncio.CancelledError:
            # The time to drain is over, and this request with it; the listener has nothing else to cancel one for.
            await self._give_up(
                self._refuse(503, "temporarily_unavailable", "the server is stopping: try again", self._request_id)
            )
        except Exception:
            _log.exception("request_failed id=%s", self._request_id)
            await self._give_up(
                self._refuse(500, "server_error", "something failed here, not with you", self._request_id)
            )
        finally:
            self._write_log((monotonic() - started) * 1000)

    def _check(self) -> Response | None:
        version, headers = self._scope["http_version"], self._scope["headers"]
        if version not in ("1.0", "1.1"):
            return self._refuse_head(505, "HTTP/1.1 is spoken here")
        hosts = values(headers, b"host")
        # RFC 9112 §3.2: a missing (HTTP/1.1) or repeated Host is answered with 400.
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            return self._refuse_head(400, "exactly one Host header is needed")
        # RFC 9112 §3.2: a malformed Host is answered with 400.
        if hosts and not _HOST.fullmatch(hosts[0]):
            return self._refuse_head(400, "the Host header is malformed")
        # RFC 9112 §6.1: no coding but chunked is known here, and in HTTP/1.0 there is none at all.
        codings = values(headers, b"transfer-encoding")
        if codings and (len(codings) > 1 or codings[0].lower() != b"chunked" or version == "1.0"):
            return self._refuse_head(400, "the one transfer coding is chunked, and of HTTP/1.1")
        if self._scope["state"].get(leaving.IS_LEAVING):
            return self._refuse(503, "temporarily_unavailable", "the server is stopping", self._request_id)
        return None

    def _refuse_head(self, status: int, message: str) -> Response:
        refusal = self._refuse(status, "invalid_request", message, self._request_id)
        # Who sends such heads may be smuggling requests: nothing more is read from this connection.
        return Response(refusal.status, (*refusal.headers, (b"connection", b"close")), refusal.body)

    def _check_length(self) -> None:
        for name, value in self._scope["headers"]:
            if name == b"content-length" and int(value) > self._left:
                raise BodyTooLarge

    async def _refuse_body(self) -> None:
        """413, and then the rest is read away for a while: closing over unread bytes would reset the answer, too."""
        if self._status != 0:
            raise ConnectionAbortedError(f"the body of {self._request_id} outgrew its bound under way")
        refusal = self._refuse(413, "invalid_request", "the request body is too large", self._request_id)
        headers = [
            *refusal.headers,
            (b"connection", b"close"),
            (b"content-length", str(len(refusal.body)).encode()),
        ]
        await self.send({"type": "http.response.start", "status": 413, "headers": headers})
        await self.send({"type": "http.response.body", "body": refusal.body, "more_body": True})
        # Who asked first (RFC 9110 §10.1.1) has sent nothing yet, and now will not.
        asked_first = any(name == b"expect" for name, _ in self._scope["headers"])
        left = 0 if asked_first else _MAX_READ_AWAY
        with contextlib.suppress(TimeoutError):
            while left > 0:
                message = await asyncio.wait_for(self._receive(), _MAX_SILENCE)
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
        await self._send({"type": "http.response.body", "body": b""})

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = list(message["headers"])
            named = {name for name, _ in headers}
            headers.extend([one for one in SECURITY_HEADERS if one[0] not in named])
            headers.append((b"keyfob-request-id", self._request_id.encode()))
            # Nothing of ours may be cached unless a response says so itself.
            if b"cache-control" not in named:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await self._send(message)

    async def _give_up(self, response: Response) -> None:
        if self._status == 0:
            await respond(self.send, response)
        else:
            # The response is half out: only a cut connection tells the client that it is not whole.
            raise ConnectionAbortedError(f"the response to {self._request_id} broke off")

    def _write_log(self, milliseconds: float) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        peer = self._scope.get("client") or ("-", 0)
        route = self._scope["state"].get("route", "-")
        _log.info(
            "request method=%s route=%s status=%d ms=%.1f id=%s peer=%s",
            self._scope["method"],
            route,
            self._status,
            milliseconds,
            self._request_id,
            peer[0],
        )

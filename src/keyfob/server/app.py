"""Composition root of the server on the wire: settings and an installation become an ASGI application."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from keyfob.database import Unreachable
from keyfob.oauth import asgi_tls
from keyfob.oauth.client_cert_header import MalformedClientCert
from keyfob.oauth.wire import Response
from keyfob.server import shared_limits
from keyfob.server.admin import declarations
from keyfob.server.endpoints import admin, exposed, security_txt
from keyfob.server.endpoints.acknowledgements import acknowledgements
from keyfob.server.endpoints.changes import changes
from keyfob.server.endpoints.client_configuration import client_configuration
from keyfob.server.endpoints.credentials import credentials, finish, granted, successor
from keyfob.server.endpoints.documentation import documentation
from keyfob.server.endpoints.handoff import handoff
from keyfob.server.endpoints.health import live, ready
from keyfob.server.endpoints.introspect import introspect
from keyfob.server.endpoints.keys import jwks
from keyfob.server.endpoints.leaks import leaks
from keyfob.server.endpoints.metadata import metadata
from keyfob.server.endpoints.operator_certificate import operator_certificate
from keyfob.server.endpoints.refusal import unavailable
from keyfob.server.endpoints.refusals import refusals
from keyfob.server.endpoints.registration import registration
from keyfob.server.endpoints.request import Request
from keyfob.server.endpoints.revocations import revocations
from keyfob.server.endpoints.revoke import revoke
from keyfob.server.endpoints.smart_configuration import smart_configuration
from keyfob.server.endpoints.token import token
from keyfob.server.endpoints.usage import usage
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.sighting import has_secret, look
from keyfob.server.signing import CannotSign
from keyfob.server.state import ServerState
from keyfob.serving import App, Receive, Scope, Send, edge, json_response, read_body, respond

Handler = Callable[[Request], Awaitable[Response]]
_log = logging.getLogger("keyfob.server")

_LOOK_AGAIN = 600.0
"""Seconds between two looks at the age of the signing key."""
_RENEW_ANCHORS = 1.0
GET, POST = ("GET", "HEAD"), ("POST",)


def routes(state: ServerState) -> dict[str, tuple[tuple[str, ...], Handler]]:
    """Every URL of the issuer: its methods and its endpoint."""
    described = metadata(state)
    return {
        "/oauth2/token": (POST, token(state)),
        "/oauth2/introspect": (POST, introspect(state)),
        "/oauth2/revoke": (POST, revoke(state)),
        "/oauth2/revocations": (POST, revocations(state)),
        "/oauth2/register": (POST, registration(state)),
        "/oauth2/register/{name}": (("GET", "PUT", "DELETE"), client_configuration(state)),
        "/oauth2/jwks": (GET, jwks(state)),
        "/partner/v1/credentials": (GET, credentials(state)),
        "/partner/v1/credentials/next": (POST, successor(state)),
        "/partner/v1/credentials/finish": (POST, finish(state)),
        "/partner/v1/scopes": ((*GET, *POST), granted(state)),
        "/partner/v1/acknowledgements": (POST, acknowledgements(state)),
        "/partner/v1/changes": (POST, changes(state)),
        "/handoff/{name}": ((*GET, *POST), handoff(state)),
        "/partner/v1/refusals/{name}": ((*GET, *POST), refusals(state)),
        # RFC 8414 §3: the server describes itself at the well-known path.
        "/.well-known/oauth-authorization-server": (GET, described),
        "/.well-known/openid-configuration": (GET, described),
        "/.well-known/smart-configuration": (GET, smart_configuration(state)),
        "/.well-known/keyfob/operator.asc": (GET, operator_certificate(state)),
        security_txt.PATH: (GET, security_txt.security_txt(state)),
        "/leaks": (POST, leaks(state)),
        "/usage": (POST, usage(state)),
        "/documentation": (GET, documentation(state)),
        **admin.routes(state),
        "/healthz": (GET, live),
        "/readyz": (GET, ready(state)),
    }


def make_app(state: ServerState) -> App:
    """The application, behind the edge."""
    table = routes(state)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(state, receive, send)
            return
        await respond(send, await _answer(state, table, scope, receive))

    return edge(
        app,
        entropy=state.entropy,
        max_body_bytes=state.settings.max_body_bytes,
        roomier={declarations.PATH: declarations.MAX_BYTES},
    )


async def _answer(
    state: ServerState, table: dict[str, tuple[tuple[str, ...], Handler]], scope: Scope, receive: Receive
) -> Response:
    request_id = scope["state"]["request_id"]
    peer = str((scope.get("client") or ("-",))[0])
    address = state.peers.read(peer, scope["headers"], now=state.clock())
    if address is None:
        return _refuse(403, "forbidden", "only the proxy that ends TLS may speak to this server", request_id)
    route, names = _match(table, scope["path"], scope["raw_path"])
    head = Request(
        scope["method"], scope["headers"], scope["query_string"], b"", address=address, id=request_id, names=names
    )
    if state.settings.asks_for_certificates:
        try:
            presented = asgi_tls.presented_certificate(scope, trusted_proxies=state.settings.trusted_proxies)
            head = replace(head, certificate=presented)
        except MalformedClientCert as malformed:
            # Whatever stands there, it is not what our proxy was to write: nothing is taken from such a request.
            cause = Cause.CERTIFICATE_HEADER
            state.refusals.note(look(head, error="invalid_request", cause=cause, now=state.clock()))
            _log.error("client_certificate_unreadable id=%s reason=%s", request_id, malformed)
            return _refuse(400, "invalid_request", "the client certificate cannot be read", request_id)
    if head.query_string:
        await exposed.withdraw(state, head, route=route)
    if route is None:
        _note_exposed_secret(state, head)
        return _refuse(404, "not_found", "there is nothing at this path", request_id)
    scope["state"]["route"] = route  # the text of the table: no part of a path is logged
    methods, handler = table[route]
    if scope["method"] not in methods:
        state.refusals.note(look(head, error="method_not_allowed", now=state.clock()))
        # RFC 9110 §15.5.6: a 405 says what is allowed.
        allow = (b"allow", ", ".join(methods).encode())
        return _refuse(405, "method_not_allowed", f"use {methods[0]}", request_id, allow)
    request = head.with_body(await read_body(receive))
    try:
        return await handler(request)
    except Unreachable as away:
        _log.error("database_unreachable id=%s code=%s reason=%s", request_id, away.code, away.message)
        return unavailable(request)


def _match(table: Mapping[str, object], path: str, raw_path: bytes) -> tuple[str | None, dict[str, str]]:
    """The route of a path, and the parts that the route leaves open.

    Split first and decoded after, so that an encoded slash can never make a part; a literal goes before an open part.
    """
    if path in table:
        return path, {}
    parts = [_decode(part) for part in raw_path.split(b"/")]
    fitting = [(route, names) for route in table if "{" in route and (names := _names(route, parts)) is not None]
    return min(fitting, key=lambda one: len(one[1]), default=(None, {}))


def _names(route: str, parts: Sequence[str | None]) -> dict[str, str] | None:
    wanted = route.split("/")
    if len(wanted) != len(parts):
        return None
    names: dict[str, str] = {}
    for name, part in zip(wanted, parts, strict=True):
        if name.startswith("{") and part:
            names[name[1:-1]] = part
        elif name != part:
            return None
    return names


def _decode(part: bytes) -> str | None:
    """None for what two readers would take for two things; whatever else is no name of ours, an endpoint refuses."""
    text = unquote_to_bytes(part).decode(errors="replace")
    return None if text in (".", "..") or set(text) & set("/\\") else text


def _note_exposed_secret(state: ServerState, request: Request) -> None:
    """Strangers ask for paths that are not there all day; one thing among it matters."""
    if has_secret(request.query_string):
        state.refusals.note(look(request, error="not_found", now=state.clock()))


async def _live(state: ServerState, receive: Receive, send: Send) -> None:
    """ASGI lifespan: the signing key is opened before the first request, and at the end what waits is written."""
    watching: list[asyncio.Task[None]] = []
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await _warm_up(state)
            await state.renew_anchors(with_urls=False)
            watching = [
                asyncio.create_task(work(state)) for work in (_rotate_when_due, _renew_anchors, _exchange_counts)
            ]
            if state.post is not None:
                state.post.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await state.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _warm_up(state: ServerState) -> None:
    """A key in KMS that is away does not keep the rest from being served: keys, revocations, introspection."""
    now = state.clock()
    with contextlib.suppress(CannotSign):  # logged, said by /readyz, and tried again with each token
        await state.signing.check(state.signing_key(now), now=now)


async def _rotate_when_due(state: ServerState) -> None:
    """A signing key's successor is made in time. A failure is told, and tried again: the current key goes on."""
    while True:
        try:
            for kid in await asyncio.to_thread(state.rotate_keys_if_due):
                _log.info("signing_key_created kid=%s", kid)
        except Exception:
            _log.exception("signing_key_not_rotated")
        await asyncio.sleep(_LOOK_AGAIN)


async def _renew_anchors(state: ServerState) -> None:
    """What is registered by another process comes through the handshake a second later."""
    while state.settings.asks_for_certificates:
        try:
            await state.renew_anchors(with_urls=True)
        except Exception as failed:
            # The database is away, which its users say louder: what was known is let through on.
            _log.debug("anchors_not_renewed reason=%s", type(failed).__name__)
        await asyncio.sleep(_RENEW_ANCHORS)


async def _exchange_counts(state: ServerState) -> None:
    """Limits hold for all nodes together, a second late; each by itself while the database is away."""
    while True:
        await asyncio.sleep(shared_limits.EVERY)
        try:
            await state.exchange_counts()
        except Exception as failed:
            _log.debug("counts_not_exchanged reason=%s", type(failed).__name__)


def _refuse(status: int, code: str, message: str, request_id: str, *headers: tuple[bytes, bytes]) -> Response:
    document = {"error": code, "error_description": message, "error_id": request_id}
    return json_response(status, document, headers=headers)

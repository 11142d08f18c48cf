"""Composition root of the API on the wire: match, admit, count, read, handle, answer.

Nothing is read and nothing runs before it is admitted.
"""

import asyncio
import functools
import logging
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack

from keyfob.ambient import Clock, monotonic
from keyfob.cdms import allowance, coding, digests, problems
from keyfob.cdms.allowance import Allowance
from keyfob.cdms.answers import answer_to
from keyfob.cdms.call import Answer, Call, Stream, Surroundings, read_query
from keyfob.cdms.exports import Exports
from keyfob.cdms.in_turn import InTurn
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.router import Router
from keyfob.cdms.routes import ROUTES, SCOPES, WITHOUT_ROUTE, Route
from keyfob.cdms.running import Running
from keyfob.guard import Guard, presented_certificate, refusal
from keyfob.oauth import resource_metadata
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InsufficientScope, OAuthError
from keyfob.oauth.wire import values
from keyfob.problem import Problem
from keyfob.serving import App, Receive, Scope, Send, edge, live, read_body, respond
from keyfob.serving.messages import ClientGone, Message

_HANDLERS = 32
_EXPORTS = 64
"""At once, and each no more than half of the database's connections less one, so that nobody waits for one."""
_EXPORTERS = 4
"""Threads of their own for what exports: they can keep no handler from running."""

_SAFE = ("GET", "HEAD")

_log = logging.getLogger("keyfob.cdms")


def make_app(surroundings: Surroundings, guard: Guard, *, clock: Clock, router: Router | None = None) -> App:
    """The application, behind the edge. Raises AssertionError when it would serve what the routes table has not."""
    router = router or Router(ROUTES)
    check_routes(router)
    settings = surroundings.settings
    metadata_url = resource_metadata.well_known(settings.resource)
    share = surroundings.store.connections // 2 - 1
    exports = Exports(per_client=settings.exports_per_client, in_all=min(_EXPORTS, share))
    handlers = ThreadPoolExecutor(min(_HANDLERS, share), "handler")
    exporters = ThreadPoolExecutor(_EXPORTERS, "exporter")
    allowed = Allowance(settings.requests_per_client_per_minute)
    running = Running(surroundings.store.sqlite_file)
    in_turn = InTurn(surroundings.store)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, end=_end)
            return
        with ExitStack() as held:
            answer = await _answer(scope, receive, held)
            if isinstance(answer, Stream):
                await _export(exporters, receive, send, answer)
            else:
                await respond(send, answer)

    async def _end() -> None:
        await guard.flush()
        surroundings.store.close()

    async def _answer(scope: Scope, receive: Receive, held: ExitStack) -> Answer:
        request_id = scope["state"]["request_id"]
        try:
            return await _handle(scope, receive, held)
        except OAuthError as refused:
            _log.info("request_refused code=%s detail=%s id=%s", refused.code, refused.detail, request_id)
            needed = scope["state"].get("needed")
            return refusal(refused, scope=needed, resource_metadata=metadata_url, error_id=request_id)
        except ApiProblem as problem:
            return problems.write(problem, request_id)
        except Problem as failed:
            _log.error("request_failed code=%s id=%s", failed.code, request_id)
            unavailable = ApiProblem(
                503, failed.code, "nothing was stored; try again later", headers={"retry-after": "30"}
            )
            return problems.write(unavailable, request_id)

    async def _handle(scope: Scope, receive: Receive, held: ExitStack) -> Answer:
        matched = router.match(scope["method"], scope["raw_path"])
        route = matched.route
        scope["state"] |= {"route": route.template, "needed": route.scope}
        token = await _admit(scope, route)
        if token is not None:
            _let_in(scope, token.client_id, route, held)
        call = Call(
            surroundings=surroundings,
            token=token,
            scope=route.scope,
            params=matched.params,
            query=read_query(scope["query_string"], route.query),
            headers=scope["headers"],
            body=await _body(scope, receive),
            now=clock(),
            operation=f"{route.method} {route.template}",
            is_head=scope["method"] == "HEAD",
        )
        if token is None:
            return answer_to(call, route.handler)
        held.callback(_count, guard, call, route)
        if route.exports:
            held.enter_context(exports.running(token.client_id))
        if in_turn.takes(call, route.handler):
            return await in_turn.answer(call, route.handler)
        # Parsing, SQL and XML take their time: the event loop serves others meanwhile.
        return await asyncio.get_running_loop().run_in_executor(handlers, answer_to, call, route.handler)

    def _let_in(scope: Scope, client_id: str, route: Route, held: ExitStack) -> None:
        scope["state"]["allowance"], wait = allowed.take(client_id, monotonic())
        if wait:
            raise allowance.too_many(wait)
        keys = values(scope["headers"], b"idempotency-key")
        if keys and route.method not in _SAFE:
            held.enter_context(running.of(client_id, keys[0].decode("latin-1")))

    async def _body(scope: Scope, receive: Receive) -> bytes:
        body = await read_body(receive)
        # RFC 9530 §2: of the content as it came, coded as it is.
        digests.check(scope["headers"], body)
        if not values(scope["headers"], b"content-encoding"):
            return body
        decode = functools.partial(coding.decoded, scope["headers"], body, max_bytes=settings.max_body_bytes)
        return await asyncio.get_running_loop().run_in_executor(handlers, decode)

    async def _admit(scope: Scope, route: Route) -> AccessToken | None:
        if route.scope is None:
            return None
        method, path = scope["method"], scope["raw_path"]
        certificate = presented_certificate(scope)
        if route.other_scopes:
            token = await guard.identify(
                scope["headers"], scope["query_string"], method=method, path=path, certificate=certificate
            )
            held = sorted(token.scope & (route.other_scopes | {route.scope}))
            if not held:
                raise InsufficientScope(route.scope, detail=f"the token of client {token.client_id} lacks it")
            guard.count_use(token, held[0], method=method, route=route.template)
            return token
        return await guard.admit(
            scope["headers"],
            scope["query_string"],
            route.scope,
            method=method,
            path=path,
            certificate=certificate,
            route=route.template,
        )

    behind = edge(app, entropy=surroundings.entropy, max_body_bytes=settings.max_body_bytes, refuse=problems.refuse)
    return _telling(behind, allowed)


def _telling(app: App, allowed: Allowance) -> App:
    """`app`, each answer of which says what the client is still allowed: also where the edge refuses."""

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = scope["state"].get("allowance", allowed.policy)
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await app(scope, receive, told)

    return entered


def _count(guard: Guard, call: Call, route: Route) -> None:
    """The scopes that are no route's, and that this answer needed all the same: what it showed, what it made."""
    for scope in sorted(call.used - {route.scope}):
        guard.count_use(call.granted, scope, method=route.method, route=route.template)


def check_routes(router: Router) -> None:
    """What is served is what the table says; each has a known scope or is meant to be public, each scope a route."""
    served = {(route.method, route.template): route for route in router.walk()}
    assert served == {(route.method, route.template): route for route in ROUTES}, "other routes than the table's"
    used = {route.scope for route in ROUTES if route.scope is not None}
    assert used | WITHOUT_ROUTE == set(SCOPES), "scopes and routes differ"
    assert len(served) == len(ROUTES), "a route stands twice"
    public = {route.template for route in ROUTES if route.scope is None}
    assert public == {"/healthz", "/v1/about", "/openapi.json", "/.well-known/oauth-protected-resource"}


async def _export(exporters: Executor, receive: Receive, send: Send, answer: Stream) -> None:
    """Raises ClientGone when the client leaves under way: no piece is made for nobody."""
    loop = asyncio.get_running_loop()
    # What is sent to a client that has left is dropped without a word: only `receive` tells of it.
    leaving = asyncio.ensure_future(_leave(receive))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        while (chunk := await loop.run_in_executor(exporters, next, answer.chunks, None)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if leaving.done():
                raise ClientGone
    finally:
        leaving.cancel()
        await loop.run_in_executor(exporters, answer.end)
    await send({"type": "http.response.body", "body": b""})


async def _leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Composition root of the API on the wire: match, admit, read, handle, answer. Nothing runs before it is admitted."""

import asyncio
import logging
from collections.abc import Iterator

from keyfob.ambient import Clock
from keyfob.cdms import problems, routes
from keyfob.cdms.call import Answer, Call, Stream, Surroundings, read_query
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.routes import ROUTES, SCOPES, WITHOUT_ROUTE, Route
from keyfob.guard import Guard, refusal
from keyfob.oauth import resource_metadata
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.serving import App, Receive, Scope, Send, edge, read_body, respond

_log = logging.getLogger("keyfob.cdms")


def make_app(surroundings: Surroundings, guard: Guard, *, clock: Clock) -> App:
    """The application, behind the edge. Raises AssertionError when the routes table contradicts itself."""
    check_routes()
    metadata_url = resource_metadata.well_known(surroundings.settings.resource)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(surroundings, receive, send)
            return
        request_id = scope["state"]["request_id"]
        try:
            answer = await _answer(scope, receive)
        except OAuthError as refused:
            _log.info("request_refused code=%s detail=%s id=%s", refused.code, refused.detail, request_id)
            answer = refusal(refused, resource_metadata=metadata_url, error_id=request_id)
        except ApiProblem as problem:
            answer = problems.write(problem, request_id)
        except Problem as failed:
            _log.error("request_failed code=%s id=%s", failed.code, request_id)
            unavailable = ApiProblem(
                503, failed.code, "nothing was stored; try again later", headers={"retry-after": "30"}
            )
            answer = problems.write(unavailable, request_id)
        await _send(send, answer)

    async def _answer(scope: Scope, receive: Receive) -> Answer:
        matched = routes.match(scope["method"], scope["raw_path"])
        route = matched.route
        scope["state"]["route"] = route.template
        token = await _admit(scope, route)
        call = Call(
            surroundings=surroundings,
            token=token,
            scope=route.scope,
            params=matched.params,
            query=read_query(scope["query_string"], route.query),
            headers=scope["headers"],
            body=await read_body(receive),
            now=clock(),
        )
        # Parsing, SQL and XML take their time: the event loop serves others meanwhile.
        return await asyncio.to_thread(route.handler, call)

    async def _admit(scope: Scope, route: Route) -> AccessToken | None:
        if route.scope is None:
            return None
        return await guard.admit(scope["headers"], scope["query_string"], route.scope)

    return edge(
        app, entropy=surroundings.entropy, max_body_bytes=surroundings.settings.max_body_bytes, refuse=problems.refuse
    )


def check_routes() -> None:
    """Every route has a known scope or is meant to be public, and every scope has a route."""
    used = {route.scope for route in ROUTES if route.scope is not None}
    assert used | WITHOUT_ROUTE == set(SCOPES), "scopes and routes differ"
    assert len({(route.method, route.template) for route in ROUTES}) == len(ROUTES), "a route stands twice"
    public = {route.template for route in ROUTES if route.scope is None}
    assert public == {"/healthz", "/v1/about", "/openapi.json", "/.well-known/oauth-protected-resource"}


async def _send(send: Send, answer: Answer) -> None:
    if isinstance(answer, Response):
        await respond(send, answer)
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    try:
        while (chunk := await asyncio.to_thread(_next, answer.chunks)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        await asyncio.to_thread(_close, answer)
    await send({"type": "http.response.body", "body": b""})


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def _close(answer: Stream) -> None:
    """End the generator, and with it the database's snapshot, also when the client went away."""
    close = getattr(answer.chunks, "close", None)
    if close is not None:
        close()


async def _live(surroundings: Surroundings, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            surroundings.store.close()
            await send({"type": "lifespan.shutdown.complete"})
            return

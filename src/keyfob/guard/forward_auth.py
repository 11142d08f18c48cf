"""The guard for an API in any language: a proxy asks, before it passes a request on, whether it may (forward auth).

Each kind of proxy tells of the request in its own way and has its own path here, so that what one sets and another
would pass on from the client is never believed:

/nginx      `auth_request`: Keyfob-Original-Method and Keyfob-Original-URI, as the configuration in the docs sets them
/forwarded  Traefik and Caddy: X-Forwarded-Method and X-Forwarded-Uri
/envoy/...  Envoy ext_authz over HTTP: the request itself, its path behind this prefix

Admitted is 200, with who calls in headers that the proxy passes on; all else is the refusal as the client should see
it. nginx cannot pass a body on: it asks /refusal to write out what Keyfob-Refusal told it.
"""

import base64
import json

from keyfob.ambient import Entropy
from keyfob.guard.errors import IssuerUnavailable
from keyfob.guard.guard import Guard
from keyfob.guard.presented import Presented, presented_certificate
from keyfob.guard.refusal import refuse, text_headers
from keyfob.guard.route_table import RouteTable
from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, OAuthError
from keyfob.oauth.trusted_proxies import NOBODY, TrustedProxies
from keyfob.oauth.wire import Headers, Response, values
from keyfob.serving import App, Receive, Scope, Send, edge, json_response, live, read_body, respond

_ENVOY = b"/envoy"
_MAX_REFUSAL = 4096
_WRITTEN_OUT = frozenset(
    {"content-type", "cache-control", "www-authenticate", "retry-after", "dpop-nonce", "keyfob-scope-needed"}
)
"""The headers of a refusal: no other comes out of what was packed."""
_MAX_BODY = 1024 * 1024
"""Some proxies send the request's: it is read away."""
_ADMITTED = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403


def make_app(
    guard: Guard, table: RouteTable, *, resource_metadata: str | None, client_certificates: bool, entropy: Entropy,
    trusted_proxies: TrustedProxies = NOBODY,
) -> App:  # fmt: skip
    """The service behind the edge. `client_certificates`: the proxy tells the client's by Client-Cert (RFC 9440).

    `trusted_proxies`: who may ask; else whoever can reach it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, end=guard.flush)
            return
        await read_body(receive)
        await respond(send, await _answer(scope))

    async def _answer(scope: Scope) -> Response:
        if trusted_proxies and (scope.get("client") or ("",))[0] not in trusted_proxies:
            return json_response(_FORBIDDEN, {"error": "forbidden", "error_description": "only the proxy may ask"})
        path: bytes = scope["raw_path"]
        if path == b"/healthz":
            scope["state"]["route"] = "/healthz"
            return json_response(_ADMITTED, {"status": "ok"})
        if path == b"/refusal":
            scope["state"]["route"] = "/refusal"
            return _write_out(scope["headers"])
        try:
            presented = _read(scope)
        except InvalidRequest as wrong:
            return refuse(wrong, scope=None, error_id=scope["state"]["request_id"])
        return await _judge(presented, scope["state"]["request_id"])

    def _read(scope: Scope) -> Presented:
        path: bytes = scope["raw_path"]
        headers: Headers = scope["headers"]
        if path == b"/nginx":
            scope["state"]["route"] = "/nginx"
            method, target = _one(headers, b"keyfob-original-method"), _one(headers, b"keyfob-original-uri")
        elif path == b"/forwarded":
            scope["state"]["route"] = "/forwarded"
            method, target = _one(headers, b"x-forwarded-method"), _one(headers, b"x-forwarded-uri")
        elif path.startswith(_ENVOY + b"/"):
            scope["state"]["route"] = "/envoy"
            method, target = scope["method"].encode(), path[len(_ENVOY) :] + b"?" + scope["query_string"]
        else:
            raise InvalidRequest("ask /nginx, /forwarded or /envoy/...: see the documentation of keyfob-guard serve")
        certificate = None
        if client_certificates:
            # Whoever may ask here is the proxy: this service answers nobody else.
            peer = scope.get("client") or ("", 0)
            certificate = presented_certificate(scope, trusted_proxy=TrustedProxies(frozenset({peer[0]})))
        path, _, query = target.partition(b"?")
        return Presented(headers, query, method.decode("latin-1"), path, certificate)

    async def _judge(presented: Presented, request_id: str) -> Response:
        needed: str | None = None
        try:
            operation = table.find(presented.method, presented.path)
            if None in operation.alternatives:
                return Response(_ADMITTED, ((b"cache-control", b"no-store"),), b"")
            # The least of what is enough, for the challenge: any of them admits.
            alternatives = sorted((one for one in operation.alternatives if one is not None), key=len)
            needed = scopes.write(alternatives[0])
            token = await presented.identify(guard)
            held = next((one for one in alternatives if one <= token.scope), None)
            if held is None:
                raise InsufficientScope(needed, detail=f"the token of client {token.client_id} lacks it")
            guard.count_use(token, scopes.write(held), method=presented.method, route=operation.template)
            return _admit(token)
        except OAuthError as refused:
            response = refuse(refused, scope=needed, resource_metadata=resource_metadata, error_id=request_id)
            return Response(response.status, (*response.headers, (b"keyfob-refusal", _pack(response))), response.body)

    return edge(app, entropy=entropy, max_body_bytes=_MAX_BODY)


def _admit(token: AccessToken) -> Response:
    details = json.dumps(authorization_details.write_claim(token.authorization_details), separators=(",", ":"))
    headers = (
        (b"keyfob-client-id", token.client_id.encode()),
        (b"keyfob-scope", scopes.write(token.scope).encode()),
        (b"keyfob-token-id", token.jti.encode()),
        (b"keyfob-authorization-details", details.encode("ascii")),
        (b"cache-control", b"no-store"),
    )
    return Response(_ADMITTED, headers, b"")


def _one(headers: Headers, name: bytes) -> bytes:
    found = values(headers, name)
    if len(found) != 1:
        raise InvalidRequest(f"the proxy must send {name.decode()} once: see the documentation of keyfob-guard serve")
    return found[0]


def _pack(response: Response) -> bytes:
    packed = json.dumps({"status": response.status, "headers": text_headers(response), "body": response.body.decode()})
    return base64.urlsafe_b64encode(packed.encode())


def _write_out(headers: Headers) -> Response:
    """What `_pack` packed. Whatever comes here, the answer is a refusal."""
    try:
        packed = _one(headers, b"keyfob-refusal")[:_MAX_REFUSAL]
        found = json.loads(base64.b64decode(packed, altchars=b"-_", validate=True))
        listed = tuple(
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in found["headers"].items()
            if name in _WRITTEN_OUT and value.isprintable()
        )
        response = Response(int(found["status"]), listed, found["body"].encode())
        if response.status == _UNAUTHORIZED:
            # nginx has put this challenge in by itself, as it does for a 401 alone.
            listed = tuple(pair for pair in listed if pair[0] != b"www-authenticate")
            response = Response(response.status, listed, response.body)
    except (InvalidRequest, ValueError, KeyError, TypeError, AttributeError):
        # nginx could not ask us, or did not hear us: nobody was judged.
        return refuse(IssuerUnavailable(detail="no refusal came with it"), scope=None)
    return response if response.status >= 400 else refuse(IssuerUnavailable(), scope=None)

"""The desk at a distance: operations are asked for over the admin API, with the operator's own key.

Verified HTTPS only, no redirect, bounded; the key signs an assertion for each token (RFC 7523) and never leaves here.
"""

import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from keyfob.ambient import Clock, Entropy
from keyfob.jose.assertions import sign_assertion
from keyfob.jose.keys import SigningKey
from keyfob.oauth import client_authentication, server_metadata, strict_json, token_endpoint
from keyfob.oauth import scope as scopes
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.oauth.token_endpoint import MalformedResponse, TokenRefused
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from keyfob.server.admin.openapi import KEY_HEADER, REASON_HEADER
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.performing import Performed
from keyfob.server.lifecycle import operators

_MAX_BYTES = 4 * 1024 * 1024
_TIMEOUT = 60.0
_TRIES, _PAUSE = 3, 2.0
_MISUSE = frozenset({400, 404, 413, 422})
_REFUSAL = frozenset({"error", "error_description", "message", "hint", "error_id"})


class RemoteDesk:
    """Asks one server. A token is had for each scope that is needed, and kept while this program runs."""

    def __init__(
        self,
        server: str,
        key: SigningKey,
        context: ssl.SSLContext,
        *,
        reason: str | None,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._server = server
        self._key = key
        self._reason = reason
        self._clock = clock
        self._entropy = entropy
        self._tokens: dict[str, Secret] = {}
        self._http = httpx2.Client(verify=context, follow_redirects=False, timeout=_TIMEOUT)

    def perform(self, operation: Operation[Any], asked: object) -> Performed:
        """Raises Misuse or Problem, in the server's own words."""
        members = operation.write(asked)
        path = operation.path
        for name in operation.names:
            path = path.replace(f"{{{name}}}", quote(str(members.pop(name)), safe=""))
        headers = {"authorization": f"Bearer {self._token(operation.scope).reveal()}"}
        if operation.acts:
            # A key of its own, so that an answer that was lost on the way can be asked for again.
            headers[KEY_HEADER] = self._entropy(16).hex()
            if self._reason is not None:
                headers[REASON_HEADER] = self._reason.encode().decode("latin-1")
            status, document = self._ask(operation.method, path, headers, body=members)
        else:
            query = f"?{urlencode(members)}" if members else ""
            status, document = self._ask(operation.method, path + query, headers)
        if status in (200, 202):
            return Performed(document, status == 202)
        raise _refusal(status, document)

    def close(self) -> None:
        self._http.close()

    def _token(self, scope: str) -> Secret:
        if scope not in self._tokens:
            self._tokens[scope] = self._new_token(scope)
        return self._tokens[scope]

    def _new_token(self, scope: str) -> Secret:
        endpoint = self._token_endpoint()
        client_id = operators.CLIENT_ID + self._key.kid
        assertion = sign_assertion(
            client_id, self._key, audience=self._server, now=self._clock(), jti=self._entropy(16).hex()
        )
        asked = scopes.parse(scope)
        form = token_endpoint.write_request(
            scope=asked, resource=operators.audience(self._server), authorization_details=None
        )
        status, headers, body = self._send(
            "POST", endpoint, form=form | client_authentication.write_assertion(assertion)
        )
        try:
            return token_endpoint.read_response(status, headers, body, asked=asked).access_token
        except TokenRefused as refused:
            raise Problem(
                "operator-refused",
                f"{self._server} gives this key no token for {scope}: {refused.code} {refused.error_id or ''}".strip(),
                hint="is the key yours, are you active, and may your role do this? keyfob-server operator list",
            ) from None
        except MalformedResponse as malformed:
            raise Problem("not-understood", f"{endpoint}: {malformed}", hint="is --server the issuer?") from None

    def _token_endpoint(self) -> str:
        url = server_metadata.well_known(self._server)
        status, _, body = self._send("GET", url)
        try:
            if status != 200:
                raise MalformedMetadata(f"it answered {status}")
            return server_metadata.read(body, issuer=self._server).token_endpoint
        except MalformedMetadata as malformed:
            raise Problem("not-understood", f"{url}: {malformed}", hint="--server is the issuer's URL") from None

    def _ask(
        self, method: str, path: str, headers: dict[str, str], *, body: Mapping[str, object] | None = None
    ) -> tuple[int, dict[str, object]]:
        """The answer. What is busy, or broke off, is asked again: it is done once, whatever was lost."""
        for turn in range(_TRIES):
            try:
                status, _, answer = self._send(method, self._server + path, headers=headers, json=body)
            except Problem as failed:
                if failed.code != "unreachable" or turn == _TRIES - 1:
                    raise
            else:
                if status != 503 or turn == _TRIES - 1:
                    return status, _read(status, answer)
            time.sleep(_PAUSE)  # between two tries, of which there are few
        raise AssertionError("the last turn returns or raises")

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
        try:
            with self._http.stream(method, url, headers=headers, data=form, json=json) as response:
                found = b""
                for part in response.iter_bytes():
                    found += part
                    if len(found) > _MAX_BYTES:
                        raise Problem("answer-too-large", f"{self._server} answered with more than {_MAX_BYTES} bytes")
                return response.status_code, tuple((name.lower(), value) for name, value in response.headers.raw), found
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            reason = str(failed) or type(failed).__name__
            code = "certificate-not-trusted" if "CERTIFICATE_VERIFY_FAILED" in reason else "unreachable"
            raise Problem(
                code,
                f"{self._server} cannot be asked: {reason}",
                hint="name its certificate authority: --ca FILE" if code != "unreachable" else "is it served?",
            ) from failed


def _read(status: int, body: bytes) -> dict[str, object]:
    try:
        document = strict_json.parse(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Problem("not-understood", f"the answer ({status}) is no JSON object", hint="is --server the issuer?")
    return document


def _refusal(status: int, document: Mapping[str, object]) -> Problem:
    code, hint = str(document.get("error", "")), str(document.get("hint", ""))
    message = str(document.get("message") or document.get("error_description") or "")
    more = {name: value for name, value in document.items() if name not in _REFUSAL}
    kind = Misuse if status in _MISUSE else Problem
    return kind(code, message or f"the server answered {status}", hint=hint, more=more)

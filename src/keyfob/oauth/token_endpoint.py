"""RFC 6749 §4.4, §5: the token request and its answers, both ways."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from keyfob.oauth import authorization_details, http_date, resource_indicator, scope, strict_json
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import (
    InvalidAuthorizationDetails,
    InvalidRequest,
    InvalidScope,
    OAuthError,
    TooManyRequests,
    UnsupportedGrantType,
)
from keyfob.oauth.scope import Scope
from keyfob.oauth.wire import Headers, Response, values
from keyfob.secret import Secret

GRANT_TYPE = "client_credentials"
MAX_RESPONSE_BYTES = 64 * 1024
MAX_LIFETIME = 24 * 3600
CREDENTIAL_EXPIRES_IN = b"keyfob-credential-expires-in"
"""A header of ours: seconds."""
_REALM = b'Basic realm="token", charset="UTF-8"'

# RFC 6749 §5.1: a token response is never cached.
_HEADERS = (
    # RFC 6749 §5.1: a token response is JSON.
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client asks for; None where it left the choice to its registration."""

    scope: Scope | None
    resource: str | None
    authorization_details: Details | None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and what it grants; `lifetime` in seconds."""

    access_token: Secret
    lifetime: int
    scope: Scope
    authorization_details: Details
    jti: str
    resource: str
    token_type: str = "Bearer"  # noqa: S105  # the name of a type


def read_request(form: Mapping[str, str]) -> TokenRequest:
    """The request in a form of distinct, non-empty parameters; unknown ones are ignored (RFC 6749 §3.2).

    Raises InvalidRequest, UnsupportedGrantType, InvalidScope, InvalidTarget, InvalidAuthorizationDetails.
    """
    grant_type = form.get("grant_type")
    # RFC 6749 §5.2: what is missing makes the request invalid.
    if grant_type is None:
        raise InvalidRequest("grant_type is missing")
    # RFC 6749 §4.4.2, §5.2, RFC 9700 §2.4: no other grant is served, passwords least of all.
    if grant_type != GRANT_TYPE:
        raise UnsupportedGrantType(f"only {GRANT_TYPE} is served")
    asked_scope, resource, details = form.get("scope"), form.get("resource"), form.get("authorization_details")
    return TokenRequest(
        None if asked_scope is None else scope.parse(asked_scope),
        None if resource is None else resource_indicator.check(resource),
        None if details is None else authorization_details.parse(details),
    )


def write_response(
    issued: IssuedToken, *, nonce: str | None = None, credential_expires_in: int | None = None
) -> Response:
    """RFC 6749 §5.1, with the scope always stated and RFC 9396 §7's authorization_details.

    `nonce`: RFC 9449 §8.2, for the client's next proof. `credential_expires_in`: seconds until the credential that was
    presented stops working, whatever the clocks; None where it does not by itself.
    """
    document = {
        # RFC 6749 §5.1: a token response holds the token.
        "access_token": issued.access_token.reveal(),
        # RFC 6749 §5.1, RFC 6750 §4: a token response says the token's type.
        "token_type": issued.token_type,
        # RFC 6749 §5.1: a token response should say the lifetime.
        "expires_in": issued.lifetime,
        # RFC 6749 §3.3, §5.1: a token response says the scope, and so always where it is not what was asked.
        "scope": scope.write(issued.scope),
        # RFC 9396 §7: a token response says the details as granted.
        "authorization_details": authorization_details.write_claim(issued.authorization_details),
    }
    return Response(200, (*_HEADERS, *_nonce(nonce), *_expires_in(credential_expires_in)), _json(document))


def write_error(error: OAuthError, *, error_id: str, nonce: str | None = None) -> Response:
    """RFC 6749 §5.2. The private `detail` stays behind; `error_id` finds it in the operator's audit."""
    document = {"error": error.code, "error_description": error.description, "error_id": error_id}
    headers: tuple[tuple[bytes, bytes], ...] = _HEADERS
    if error.status == 401:
        # RFC 9110 §15.5.2: a 401 always says how to authenticate.
        headers = (*headers, (b"www-authenticate", _REALM))
    # RFC 6585 §4: a 429 says when to come again.
    if isinstance(error, TooManyRequests):
        headers = (*headers, (b"retry-after", str(error.retry_after).encode()))
    return Response(error.status, (*headers, *_nonce(nonce)), _json(document))


def _nonce(nonce: str | None) -> tuple[tuple[bytes, bytes], ...]:
    return () if nonce is None else ((b"dpop-nonce", nonce.encode()),)


def _expires_in(seconds: int | None) -> tuple[tuple[bytes, bytes], ...]:
    return () if seconds is None else ((CREDENTIAL_EXPIRES_IN, str(seconds).encode()),)


def _json(document: object) -> bytes:
    return _encode(document).encode()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


# The client's side.


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token that was received; `scope` is what was granted."""

    access_token: Secret
    lifetime: int
    scope: Scope
    authorization_details: Details
    token_type: str
    credential_expires_in: int | None = None


class TokenRefused(Exception):
    """The server refused (RFC 6749 §5.2): its code, its words, and the id under which its operator finds the reason."""

    def __init__(
        self, code: str, description: str, *, status: int, error_id: str | None, retry_after: int | None
    ) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.status = status
        self.error_id = error_id
        self.retry_after = retry_after


class MalformedResponse(Exception):
    """What came is no answer of a token endpoint; the text says why and quotes nothing."""


def write_request(
    *, scope: Scope | None, resource: str | None, authorization_details: Details | None
) -> dict[str, str]:
    """The form's parameters, for `form.write`; the credential goes into the header."""
    return _write_request(scope, resource, authorization_details)


def _write_request(asked: Scope | None, resource: str | None, details: Details | None) -> dict[str, str]:
    parameters = {"grant_type": GRANT_TYPE}
    if asked is not None:
        parameters["scope"] = scope.write(asked)
    if resource is not None:
        parameters["resource"] = resource
    if details is not None:
        parameters["authorization_details"] = authorization_details.write(details)
    return parameters


_WORD = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,512}")


def read_response(
    status: int, headers: Headers, body: bytes, *, asked: Scope | None, with_proof: bool = False
) -> TokenResponse:
    """The token in an answer. Raises TokenRefused or MalformedResponse.

    RFC 6749 §5.1: a missing scope means the one asked for. More than what was asked is refused as malformed.
    `with_proof`: the request had a DPoP proof, and only a token that is bound to its key is taken.
    """
    content_type = (values(headers, b"content-type") or [b""])[0].split(b";")[0].strip().lower()
    if len(body) > MAX_RESPONSE_BYTES:
        raise MalformedResponse(f"the answer is larger than {MAX_RESPONSE_BYTES} bytes")
    document: object = None
    # RFC 6749 §5.1: to a client, an answer of another media type is none.
    if content_type == b"application/json":
        try:
            document = strict_json.parse(body)
        except ValueError as broken:
            raise MalformedResponse("the answer is not strict JSON") from broken
    # RFC 6749 §5.1, §5.2: to a client, a token comes with 200 alone.
    if status != 200:
        raise _refused(status, headers, document)
    if not isinstance(document, dict):
        raise MalformedResponse("the answer is no JSON object: is this URL a token endpoint?")
    return replace(_read_token(document, asked, with_proof=with_proof), credential_expires_in=_read_expires_in(headers))


def _read_expires_in(headers: Headers) -> int | None:
    """A header that is malformed is none: it is only useful."""
    said = (values(headers, CREDENTIAL_EXPIRES_IN) or [b""])[0]
    return int(said) if re.fullmatch(rb"[0-9]{1,10}", said) else None


def _read_token(document: dict[str, object], asked: Scope | None, *, with_proof: bool) -> TokenResponse:
    token, lifetime = document.get("access_token"), document.get("expires_in")
    if not isinstance(token, str) or not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise MalformedResponse("access_token is missing or malformed")
    kind = document.get("token_type")
    wanted = "DPoP" if with_proof else "Bearer"
    # RFC 6749 §7.1, RFC 9449 §5: a client uses no token of an unknown type, nor without the binding that it asked for.
    if not isinstance(kind, str) or kind.lower() != wanted.lower():
        raise MalformedResponse(f"token_type is not {wanted}")
    if not isinstance(lifetime, int) or isinstance(lifetime, bool) or not 0 < lifetime <= MAX_LIFETIME:
        raise MalformedResponse("expires_in is missing or malformed")
    said = document.get("scope")
    # RFC 6749 §5.1: to a client, no scope in the answer means the one asked for.
    if said is None and asked is not None:
        granted = asked
    elif isinstance(said, str):
        try:
            granted = scope.parse(said)
        except InvalidScope as malformed:
            raise MalformedResponse("scope is malformed") from malformed
    else:
        raise MalformedResponse("scope is missing")
    if asked is not None and not granted <= asked:
        raise MalformedResponse("the token has more scope than was asked for")
    try:
        details = authorization_details.read_claim(document.get("authorization_details", []))
    except InvalidAuthorizationDetails as malformed:
        raise MalformedResponse("authorization_details is malformed") from malformed
    return TokenResponse(Secret(token), lifetime, granted, details, wanted)


def _refused(status: int, headers: Headers, document: object) -> TokenRefused | MalformedResponse:
    seconds = http_date.read_retry_after(headers)
    code = document.get("error") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(code, str) or not _WORD.fullmatch(code):
        # (RFC 9110 §15.6, RFC 6585 §4) what stands before the server may speak for it, in HTML.
        if status == 429 or status >= 500:
            return TokenRefused("temporarily_unavailable", "", status=status, error_id=None, retry_after=seconds)
        return MalformedResponse(f"status {status} without an OAuth error: is this URL a token endpoint?")
    description, error_id = document.get("error_description"), document.get("error_id")
    return TokenRefused(
        code,
        description if isinstance(description, str) and _WORD.fullmatch(description) else "",
        status=status,
        error_id=error_id if isinstance(error_id, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", error_id) else None,
        retry_after=seconds,
    )

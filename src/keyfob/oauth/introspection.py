"""RFC 7662: what an authorization server says of a token to whom it concerns."""

import json
from collections.abc import Mapping

from keyfob.oauth import authorization_details, scope
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.wire import Response
from keyfob.secret import Secret

# RFC 7662 §4: no answer is cached: whoever read the cache would learn what the token may do.
_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


def read_request(form: Mapping[str, str]) -> Secret:
    """The token asked about. RFC 7662 §2.1: the hint is only a hint, and there is one kind of token here.

    Raises InvalidRequest.
    """
    token = form.get("token")
    # RFC 7662 §2.1: the token is required.
    if token is None:
        raise InvalidRequest("token is missing")
    return Secret(token)


def write_response(token: AccessToken | None) -> Response:
    """RFC 7662 §2.2. None: exactly `{"active":false}`, and never a reason."""
    # RFC 7662 §2.2: of what is not active, nothing else is said.
    document: dict[str, object] = {"active": False}
    if token is not None:
        document = {
            # RFC 7662 §2.2: what is active is said to be so.
            "active": True,
            "scope": scope.write(token.scope),
            "client_id": token.client_id,
            "token_type": "DPoP" if "jkt" in (token.confirmation or {}) else "Bearer",
            "exp": token.expires_at,
            "iat": token.issued_at,
            "sub": token.subject,
            "aud": token.audience,
            "iss": token.issuer,
            "jti": token.jti,
            "authorization_details": authorization_details.write_claim(token.authorization_details),
        }
        if token.confirmation is not None:
            document["cnf"] = dict(token.confirmation)
    return Response(200, _HEADERS, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

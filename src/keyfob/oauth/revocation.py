"""RFC 7009: a client gives a token back before it expires."""

from collections.abc import Mapping

from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.wire import Response
from keyfob.secret import Secret


def read_request(form: Mapping[str, str]) -> Secret:
    """The token to revoke. RFC 7009 §2.1: the hint is only a hint. Raises InvalidRequest."""
    token = form.get("token")
    # RFC 7009 §2.1: the token is required.
    if token is None:
        raise InvalidRequest("token is missing")
    return Secret(token)


def write_response() -> Response:
    """RFC 7009 §2.2: 200 also for what was no token: the client's purpose is fulfilled either way."""
    return Response(200, ((b"cache-control", b"no-store"), (b"pragma", b"no-cache")), b"")

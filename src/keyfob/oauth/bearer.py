"""RFC 6750: how a bearer token arrives and how a refusal is said. Knows nothing of JWTs or keys."""

from urllib.parse import parse_qsl

from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Headers, values
from keyfob.secret import Secret

MAX_BYTES = 8192
# RFC 6750 §2.1: a token is a b64token.
_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"


def read(headers: Headers, query_string: bytes) -> Secret | None:
    """The presented token; None when the request holds no credentials at all.

    RFC 6750 §2: the Authorization header is the only way here; a token in the query is refused, since URLs are logged.
    Raises InvalidRequest.
    """
    if b"access_token" in query_string.lower() or b"%" in query_string:
        names = {name.lower() for name, _ in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)}
        # RFC 6750 §2.3, §5.3, RFC 9700 §4.3.2: no token in a URL, which is logged.
        if "access_token" in names:
            raise InvalidRequest("an access token must not be in the URL: consider it exposed")
    found = values(headers, b"authorization")
    if not found:
        return None
    # RFC 6750 §2: one token a request.
    if len(found) > 1:
        raise InvalidRequest("more than one Authorization header")
    # RFC 9110 §11.1: the scheme's case does not matter.
    if found[0].partition(b" ")[0].lower() != b"bearer":
        return None
    return read_token(found[0])


def read_token(header: bytes) -> Secret:
    """The token after the scheme of an Authorization header. Raises InvalidRequest."""
    token = header.partition(b" ")[2].strip(b" ")
    content = token.rstrip(b"=")
    # What is left without the characters of a token is none of them: a third of what a pattern costs.
    if len(token) > MAX_BYTES or not content or content.translate(None, _CHARACTERS):
        raise InvalidRequest("the Authorization header holds no bearer token")
    return Secret(token)


def challenge(
    error: OAuthError | None, *, resource_metadata: str | None, scope: str | None = None, scheme: str = "Bearer"
) -> bytes:
    """The WWW-Authenticate value (RFC 6750 §3, RFC 9728 §5.1); no error code when no token came."""
    parameters: list[tuple[str, str]] = []
    if error is not None:
        parameters += [("error", error.code), ("error_description", error.description)]
    if scope is not None:
        parameters.append(("scope", scope))
    # RFC 9728 §5.1: a challenge says where the resource describes itself.
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    # RFC 6750 §3: at least one parameter follows the scheme.
    if not parameters:
        parameters.append(("realm", "api"))
    return scheme.encode() + b" " + b", ".join(_quoted(*pair) for pair in parameters)


def _quoted(name: str, value: str) -> bytes:
    # RFC 6750 §3: these values hold neither quotes nor backslashes; what does is not sent.
    clean = "".join(character for character in value if " " <= character <= "~" and character not in '"\\')
    return f'{name}="{clean}"'.encode()

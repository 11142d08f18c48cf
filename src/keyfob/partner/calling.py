"""What `keyfob call` makes of files and responses: content types, the refusal in a response, its hint. Pure."""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from keyfob.partner import safe_url
from keyfob.partner.errors import ASK_FOR_SCOPE, UnsafeCall
from keyfob.problem import Misuse

Headers = Sequence[tuple[str, str]]

_CONTENT_TYPES = {
    ".xml": "application/xml",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".dsjc": "application/zlib",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
_SHOWN = (
    "content-type",
    "etag",
    "last-modified",
    "location",
    "link",
    "retry-after",
    "keyfob-request-id",
    "idempotent-replay",
)
_OURS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r'(\w+)="([^"\\]*)"')
_TEXT = re.compile(r"application/(json|xml|problem\+json|[\w.+-]+\+(json|xml)|x-ndjson)|text/.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a response is an error: `code` is the server's, `message` one line, `hint` what to do.

    `told`: the message says all that the body says.
    """

    code: str
    message: str
    hint: str
    told: bool


def content_type(name: str) -> str:
    """The content type that a file's name tells."""
    return _CONTENT_TYPES.get(PurePath(name).suffix.lower(), "application/octet-stream")


def read_headers(lines: Iterable[str]) -> dict[str, str]:
    """`Name: value` lines as headers, names in lower case. Raises Misuse, UnsafeCall for a credential in one."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise Misuse("malformed-header", "a header is malformed", hint="write it as --header 'Name: value'")
        if name in _OURS:
            raise Misuse("header-of-ours", f"the header {name} is set by keyfob", hint="leave it out")
        if safe_url.holds_secret(value):
            raise UnsafeCall("secret-in-header", f"the header {name} holds a client secret", hint="leave it out")
        headers[name] = value
    return headers


def status_line(status: int, reason: str, headers: Headers) -> str:
    """The status for a person; an answer that is given again says so, since nothing was done this time."""
    fields = {name.lower(): value for name, value in headers}
    is_replay = fields.get("idempotent-replay", "").strip() == "true"
    return f"HTTP {status} {reason}".rstrip() + (" (a repeat: this was done before)" if is_replay else "")


def head(status: int, headers: Headers) -> dict[str, object]:
    """The status and the headers that tell a caller something."""
    return {"status": status, "headers": {name.lower(): value for name, value in headers if name.lower() in _SHOWN}}


def content_length(headers: Headers) -> int | None:
    """How many bytes the body has as it is sent, where the answer says so (RFC 9110 §8.6)."""
    said = next((value for name, value in headers if name.lower() == "content-length"), "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else None


def document(status: int, headers: Headers, body: bytes) -> dict[str, object]:
    """A response as one JSON document: text as `body` (JSON as it is), other bytes as `body_base64`."""
    found = head(status, headers)
    kind = next((value for name, value in headers if name.lower() == "content-type"), "").partition(";")[0].strip()
    try:
        text = body.decode() if _TEXT.fullmatch(kind) or not body else None
        if text is not None and kind.lower().endswith("json"):
            return found | {"body": json.loads(text)}
    except (ValueError, RecursionError):
        text = _decoded(body)
    return found | ({"body_base64": base64.b64encode(body).decode()} if text is None else {"body": text})


def refusal(status: int, reason: str, headers: Headers, body: bytes) -> Refusal | None:
    """The refusal in a response of 400 and above, and in a redirect, which is never followed. None: no refusal."""
    if status < 300 or status == 304:
        return None
    fields = {name.lower(): value for name, value in headers}
    found = _json_object(fields.get("content-type", ""), body)
    problem = {name: value for name, value in found.items() if isinstance(value, str)}
    challenge = dict(_PARAMETER.findall(fields.get("www-authenticate", "")))
    code = problem.get("error") or problem.get("code") or challenge.get("error") or _code(status)
    scope = challenge.get("scope") or problem.get("scope")
    error_id = problem.get("error_id") or fields.get("keyfob-request-id")
    said = problem.get("error_description") or problem.get("detail") or problem.get("title")
    message = f"HTTP {status} {code}"
    message += f", the scope needed is {scope}" if scope else ""
    message += f": {said}" if said and said != code else f": {reason}" if reason else ""
    message += f" (error_id {error_id})" if error_id else ""
    errors = _errors(found)
    hint = "; ".join(part for part in (errors, _hint(status, code, scope)) if part)
    return Refusal(code, _one_line(message), _one_line(hint), told=bool(said) and not errors)


def _code(status: int) -> str:
    return "redirect" if 300 <= status < 400 else f"http-{status}"


def _hint(status: int, code: str, scope: str | None) -> str:
    if code == "insufficient_scope":
        return ASK_FOR_SCOPE
    if code in _HINTS:
        return _HINTS[code]
    if status >= 500:
        return "the API has failed: try again later, then tell its operator the error_id"
    return _HINTS_BY_STATUS.get(status, "")


def _errors(found: dict[str, object]) -> str:
    """How many parts of the request an API refused, and where the first is, from the `errors` of its problem."""
    errors = found.get("errors")
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return ""
    first, total = errors[0], found.get("total")
    count = total if type(total) is int else len(errors)
    where = f" at {first['pointer']}" if isinstance(first.get("pointer"), str) else ""
    line = f", line {first['line']}" if type(first.get("line")) is int else ""
    what = first.get("message") or first.get("code") or "refused"
    return f"{count} {'item' if count == 1 else 'items'} refused, first: {what}{where}{line}"


def _json_object(kind: str, body: bytes) -> dict[str, object]:
    """A JSON error body (RFC 9457, RFC 6749 §5.2); empty when it is none."""
    if "json" not in kind.lower():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _one_line(text: str) -> str:
    """A server's text for a terminal: no control characters, no second line, not endless."""
    return "".join(character if character.isprintable() else " " for character in text)[:500]


def _decoded(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


_HINTS = {
    "invalid_scope": ASK_FOR_SCOPE,
    "invalid_token": "the token was refused even when fresh: ask the operator whether the client was revoked",
    "redirect": "redirects are never followed with a token: call the address that the API's owner gave you",
}
_HINTS_BY_STATUS = {
    404: "check the address; what is not granted to this client is not found either: ask the operator",
    412: "it was changed meanwhile: read it again",
    415: "say what you send: --data FILE.xml or .json tells by its name, else --header 'Content-Type: ...'",
    413: "send less in one request",
    429: "wait as long as retry-after says",
}

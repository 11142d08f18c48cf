"""What is said over the broker's socket: one line of JSON each way, for each token. Times are seconds from now.

{"client_id", "scope": "a b" or null, "resource", "details", "refused": SHA-256 of a token or null}
{"access_token", "credential_id", "method", "scope", "details", "renew_in", "wait_in", "expires_in"}
{"error", "message", "hint", "status", "error_id"}
"""

import hashlib
import json
import math
from dataclasses import dataclass

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import OAuthError
from keyfob.partner.errors import CredentialRefused, TokenDenied, Unreachable, VaultProblem
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.renewal import Times
from keyfob.problem import Problem
from keyfob.secret import Secret

MAX_BYTES = 128 * 1024


class MalformedLine(ValueError):
    """The text quotes nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """`refused`: `digest` of a token that the API did not take."""

    client_id: str
    wish: Wish
    refused: str | None


def digest(held: HeldToken) -> str:
    return hashlib.sha256(held.access_token.reveal_bytes()).hexdigest()


def write_question(question: Question) -> bytes:
    wish = question.wish
    return _line(
        {
            "client_id": question.client_id,
            "scope": None if wish.scope is None else scopes.write(wish.scope),
            "resource": wish.resource,
            "details": wish.details,
            "refused": question.refused,
        }
    )


def read_question(line: bytes) -> Question:
    """Raises MalformedLine."""
    found = _read(line)
    try:
        scope = None if found["scope"] is None else scopes.parse(_text(found, "scope"))
        refused = None if found["refused"] is None else _text(found, "refused")
        details = _text(found, "details")
        if details:
            authorization_details.parse(details)
        return Question(_text(found, "client_id"), Wish(scope, _text(found, "resource"), details), refused)
    except (KeyError, TypeError, OAuthError):
        raise MalformedLine("it is no question of ours") from None


def write_token(held: HeldToken, *, now: float) -> Secret:
    """`now`: a reading of the clock that its times are on."""
    times = held.times
    return Secret(
        _line(
            {
                "access_token": held.access_token.reveal(),
                "credential_id": held.credential_id,
                "method": held.identity.method.value,
                "scope": scopes.write(held.scope),
                "details": authorization_details.write(held.authorization_details),
                "renew_in": times.renew_at - now,
                "wait_in": times.wait_at - now,
                "expires_in": times.expires_at - now,
            }
        )
    )


def write_problem(problem: Problem) -> bytes:
    document: dict[str, object] = {
        "error": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "status": None,
    }
    if isinstance(problem, TokenDenied):
        document |= {"status": problem.status, "error_id": problem.error_id, "description": problem.description}
    document["kind"] = "unreachable" if isinstance(problem, Unreachable) else "vault"
    return _line(document)


def read_answer(line: bytes, *, now: float) -> HeldToken:
    """The token, its times on the clock that `now` was read from. Raises MalformedLine, and the broker's Problem."""
    found = _read(line)
    try:
        if "error" in found:
            raise _problem(found)
        at = {name: now + _number(found, name) for name in ("renew_in", "wait_in", "expires_in")}
        details = _text(found, "details")
        return HeldToken(
            Secret(_text(found, "access_token")),
            Identity(_text(found, "credential_id"), Method(_text(found, "method")), ""),
            scopes.parse(_text(found, "scope")) if found["scope"] else frozenset(),
            authorization_details.parse(details) if details != "[]" else (),
            Times(at["renew_in"], at["wait_in"], at["expires_in"]),
        )
    except (KeyError, TypeError, ValueError, OAuthError):
        raise MalformedLine("it is no answer of a broker") from None


def _problem(found: dict[str, object]) -> Problem:
    code, message, hint = (_text(found, name) for name in ("error", "message", "hint"))
    status = found["status"]
    if type(status) is int:
        kind = CredentialRefused if code == "invalid_client" else TokenDenied
        error_id = None if found["error_id"] is None else _text(found, "error_id")
        return kind(code, _text(found, "description"), status=status, error_id=error_id)
    return (Unreachable if found["kind"] == "unreachable" else VaultProblem)(code, message, hint=hint)


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode("ascii") + b"\n"


def _read(line: bytes) -> dict[str, object]:
    try:
        found = json.loads(line) if len(line) <= MAX_BYTES and line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MalformedLine("it is no line of JSON")
    return found


def _text(found: dict[str, object], name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _number(found: dict[str, object], name: str) -> float:
    value = found[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(name)
    return value

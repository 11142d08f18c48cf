"""What a client holds and what it used of that, asked of the issuer, whom the APIs tell. Sans-IO, pure otherwise.

No book is kept here of which tokens were asked for; a vault is one of several, and only the issuer sees them all.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.wire import Response
from keyfob.partner.errors import Unreachable
from keyfob.partner.proving import Proof, write_question
from keyfob.partner.steps import Request
from keyfob.problem import Problem

PATH = "/partner/v1/scopes"
_LAST_DATE = 253402300799  # the end of the year 9999
_MAX_SHOWN = 500


class Verdict(StrEnum):
    """Of the last 90 days. `UNKNOWN`: its API does not tell, or has not told for so long."""

    USED = "used"
    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GrantedScope:
    """One scope at one API. `why`: what makes it unknown, or ""; `last_used_at` in seconds since 1970."""

    resource: str
    scope: str
    verdict: Verdict
    why: str
    last_used_at: int | None

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "resource": self.resource,
            "scope": self.scope,
            "verdict": str(self.verdict),
            "why": self.why or None,
            "last_used_at": self.last_used_at,
        }


def write_request(information: ClientInformation, proof: Proof) -> Request:
    """The question, with `proof` of who asks it. Raises VaultProblem."""
    return write_question(PATH, information, proof)


def read_response(response: Response) -> tuple[GrantedScope, ...]:
    """What the issuer says. Raises Problem when it does not say it, Unreachable for what is no such answer."""
    if response.status == 404:
        raise Problem("not-told", "this issuer does not tell clients what they use", hint="ask the operator")
    if response.status in (401, 429):
        raise Problem(
            "credential-refused",
            "the issuer refuses the credential, so it does not tell what was used",
            hint="keyfob call or keyfob token says why; or ask the operator",
        )
    try:
        found = json.loads(response.body) if response.status == 200 else None
    except (ValueError, RecursionError):
        found = None
    scopes = found.get("scopes") if isinstance(found, dict) else None
    if not isinstance(scopes, list):
        raise Unreachable(
            "malformed-response",
            f"the issuer's answer (HTTP {response.status}) is none to this question",
            hint="try again later; if it stays so, tell the operator",
        )
    return tuple(_read(one) for one in scopes if isinstance(one, dict))


def _read(document: dict[str, object]) -> GrantedScope:
    said, last = document.get("verdict"), document.get("last_used_at")
    return GrantedScope(
        resource=_line(document.get("resource", "")),
        scope=_line(document.get("scope", "")),
        # What a later version says that this one does not know is no reason to warn.
        verdict=Verdict(said) if isinstance(said, str) and said in tuple(Verdict) else Verdict.UNKNOWN,
        why=_line(document.get("why") or ""),
        last_used_at=last if type(last) is int and 0 <= last <= _LAST_DATE else None,
    )


def _line(value: object) -> str:
    """Text of a server for a terminal: no control characters, no second line, not endless."""
    return "".join(character if character.isprintable() else " " for character in str(value)[:_MAX_SHOWN])

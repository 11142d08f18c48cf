"""Why the issuer refused: asked by the refusal's id, with the client's present credential. Sans-IO, pure otherwise.

A refusal says little on the wire. Its reason is read by whoever can prove to be the client: after a rotation with the
new secret, and with the same one when only the scope or the resource was wrong.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.wire import Response
from keyfob.partner.errors import Unreachable
from keyfob.partner.proving import Proof, write_question
from keyfob.partner.steps import Request
from keyfob.problem import Misuse, Problem

_ERROR_ID = re.compile(r"[0-9a-f]{32}")
_MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What the issuer says: `document` is its JSON, the rest of it as single lines for a terminal."""

    document: Mapping[str, object]
    reason: str
    explanation: str
    next_step: str
    facts: tuple[tuple[str, str], ...]


def check_error_id(text: str) -> str:
    """An id as it is asked for. Raises Misuse."""
    wanted = text.strip().lower()
    if not _ERROR_ID.fullmatch(wanted):
        raise Misuse("bad-error-id", "an error_id has 32 hexadecimal digits", hint="copy it whole from the refusal")
    return wanted


def write_request(error_id: str, information: ClientInformation, proof: Proof) -> Request:
    """The question, with `proof` of who asks it. Raises VaultProblem."""
    return write_question(f"/partner/v1/refusals/{error_id}", information, proof)


def read_response(error_id: str, response: Response) -> Told:
    """The reason. Raises Problem when it is not to be had, and Unreachable for what is no such answer."""
    if response.status == 404:
        raise Problem(
            "unknown-error-id",
            "the issuer has no refusal of this client with that error_id",
            hint="reasons are kept for 24 hours; is it another client's (--client), or the API's own error?",
        )
    if response.status in (401, 429):
        raise Problem(
            "credential-refused",
            "the present credential is not accepted either, so the reason cannot be read with it",
            hint=f"tell the operator the error_id {error_id}",
        )
    document = _document(response)
    facts = document.get("facts")
    return Told(
        document=document,
        reason=_line(document.get("reason")),
        explanation=_line(document.get("explanation")),
        next_step=_line(document.get("next_step")),
        facts=tuple((_line(name), _line(value)) for name, value in facts.items()) if isinstance(facts, dict) else (),
    )


def _document(response: Response) -> dict[str, object]:
    try:
        found = json.loads(response.body) if response.status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable(
            "malformed-response",
            f"the issuer's answer (HTTP {response.status}) is no explanation",
            hint="tell the operator the error_id",
        )
    return found


def _line(value: object) -> str:
    """Text of a server for a terminal: no control characters, no second line, not endless."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(character if character.isprintable() else " " for character in text[:_MAX_SHOWN])

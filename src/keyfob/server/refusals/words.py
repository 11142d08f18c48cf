"""What a refusal means, in words: what happened, and what to do next, for the operator and for the client."""

from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation, Fact
from keyfob.server.refusals.phrases import PHRASES

_SLOWED = (
    " The answer was 429: there were too many failures from this network or of this client before. "
    "A right secret is never slowed down."
)


def happened(explanation: Explanation) -> str:
    """One or two sentences for both sides."""
    said = PHRASES[explanation.cause].happened
    if explanation.error == "too_many_requests" and explanation.cause is not Cause.QUOTA:
        said += _SLOWED
    offset = explanation.facts.get("clock_offset")
    if isinstance(offset, int):
        said += f" Its clock is {abs(offset)} s {'ahead of' if offset > 0 else 'behind'} this server's."
    return said


def next_for_operator(explanation: Explanation) -> str:
    return PHRASES[explanation.cause].operator.replace("{client}", explanation.client_id or "CLIENT_ID")


def next_for_client(explanation: Explanation) -> str:
    return PHRASES[explanation.cause].client


def write_for_client(explanation: Explanation) -> dict[str, Fact | dict[str, Fact] | None]:
    """The JSON document of `/partner/v1/refusals/{error_id}`."""
    return {**_document(explanation), "next_step": next_for_client(explanation)}


def write_for_operator(explanation: Explanation) -> dict[str, Fact | dict[str, Fact] | None]:
    """The JSON document of `keyfob-server explain`."""
    return {**_document(explanation), "next_step": next_for_operator(explanation)}


def _document(explanation: Explanation) -> dict[str, Fact | dict[str, Fact] | None]:
    return {
        "error_id": explanation.error_id,
        "at": explanation.at,
        "client_id": explanation.client_id,
        "address": explanation.address,
        "error": explanation.error,
        "reason": explanation.cause.name.lower(),
        "explanation": happened(explanation),
        "facts": dict(explanation.facts),
    }

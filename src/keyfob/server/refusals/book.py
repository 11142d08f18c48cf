"""The refusals of a running server: seen on the failure path, explained and written behind it, twice a second."""

import logging
from collections.abc import Sequence

from keyfob.secret import Secret
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.diagnosis import diagnose
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.refusals.sighting import Sighting
from keyfob.server.storage.records import Resource, TokenRefused

_log = logging.getLogger("keyfob.server")


def explain(batch: Sequence[Sighting], resources: Sequence[Resource]) -> list[Explanation]:
    """Why each was refused. One that cannot be explained takes nothing from those beside it."""
    return [_explain(seen, resources) for seen in batch]


def _explain(seen: Sighting, resources: Sequence[Resource]) -> Explanation:
    try:
        return diagnose(seen, resources)
    except Exception:
        _log.exception("refusal_not_explained id=%s", seen.request_id)
        client_id = None if seen.view is None else seen.view.client.id
        return Explanation(seen.request_id, seen.at, seen.error, Cause.OTHER, client_id, seen.address, {})


def audited(seen: Sighting, explanation: Explanation) -> TokenRefused:
    """The same refusal as the audit counts it: its reason is one of a closed list, whatever was sent."""
    presented = seen.presented
    return TokenRefused(
        error=seen.error,
        reason=explanation.cause,
        client_id=explanation.client_id,
        unknown_client_id=None if presented is None or explanation.client_id else Secret(presented.client_id),
        address=seen.address,
        request_id=seen.request_id,
    )

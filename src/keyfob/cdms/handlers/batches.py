"""Receipts, again: what a client sent, and what it was answered."""

import json
from datetime import UTC, datetime

from keyfob.cdms.call import Answer, Call
from keyfob.cdms.problems import not_found
from keyfob.oauth import authorization_details
from keyfob.serving import json_response

WRITERS = frozenset({"clinical-data:write", "lab-data:write"})
"""Who may write may read what it wrote: the receipts of its own batches."""


def get_batch(call: Call) -> Answer:
    """One of the client's own batches, of a study that is granted to it. Another's is as absent as none."""
    with call.store.reading() as reading:
        batch = reading.find_batch(call.params["batch"])
    if batch is None or batch.client_id != call.granted.client_id or not _permits(call, batch.study):
        raise not_found()
    document = json.loads(batch.receipt) if batch.receipt is not None else {"batch": batch.id}
    at = datetime.fromtimestamp(batch.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json_response(
        200,
        {**document, "study": batch.study, "at": at, "file_oid": batch.file_oid, "sha256": batch.sha256},
    )


def _permits(call: Call, study: str) -> bool:
    held = call.granted.scope & (WRITERS | {call.scope or ""})
    details = call.granted.authorization_details
    return any(authorization_details.permits(details, study=study, scope=scope) for scope in held)

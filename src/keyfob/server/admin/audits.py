"""The operations on the audit trail, and on why requests were refused."""

import re
import time
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob import ledger
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Operation, Page
from keyfob.server.audit import chain, events
from keyfob.server.refusals import words

_ERROR_ID = re.compile(r"[0-9a-f]{32}")
_LOOKS, _PAUSE = 10, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`expect`: a head that was noted earlier. `since`: one up to which the trail was found whole: it is not walked."""

    expect: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None
    since: Annotated[str, Meta(min_length=1, max_length=8192)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    error_id: Annotated[str, Meta(min_length=1, max_length=64, description="Of 32 hexadecimal digits.")]


def _tail(desk: Desk, asked: Page) -> Document:
    """The newest first, page by page; what is written meanwhile is in none of them."""
    before = paging.read_cursor(asked.cursor, is_one=_is_place)
    entries, more = desk.installation.store.audit_page(asked.limit, before)  # type: ignore[arg-type]  # _is_place
    records: list[Document] = [
        {"writer": entry.writer, "sequence": entry.sequence, "at": entry.at, **_fields(entry)} for entry in entries
    ]
    return {"records": records, "next": None if more is None else paging.write_cursor(more)}


def _verify(desk: Desk, asked: Verdict) -> Document:
    if asked.expect is not None and asked.since is not None:
        raise Misuse("two-heads", "one head is enough: what `since` names must be there, too", hint="leave one out")
    expected = None if asked.expect is None else chain.Heads.parse(asked.expect)
    since = None if asked.since is None else chain.Heads.parse(asked.since)
    verdict = desk.installation.store.audit_verdict(expect=expected, since=since)
    if verdict.findings:
        raise Problem(
            "audit-not-whole",
            f"the audit trail is not whole: {'; '.join(verdict.findings)}",
            hint="keep a copy of the database as it is, and compare it with a backup",
        )
    return {
        "whole": True,
        "records": verdict.count,
        "head": str(verdict.heads),
        "expected": None if expected is None else str(expected),
        "since": None if since is None else str(since),
    }


def _explain(desk: Desk, asked: Refusal) -> Document:
    wanted = asked.error_id.strip().lower()
    if not _ERROR_ID.fullmatch(wanted):
        raise Misuse("bad-error-id", "an error_id has 32 hexadecimal digits", hint="copy it whole from the answer")
    now = desk.clock()
    # A reason is written behind the answer, within a second: one that is not there yet is waited for.
    for _ in range(_LOOKS):
        found = desk.installation.store.find_explanation(wanted, now=now)
        if found is not None:
            return {**words.write_for_operator(found)}
        time.sleep(_PAUSE)  # between two looks at what another process writes
    raise Problem(
        "unknown-error-id",
        "no refusal with this error_id is kept",
        hint="reasons are kept for 24 hours, and the newest of each network only; is it this issuer's?",
    )


def _is_place(value: object) -> bool:
    """How far each chain was read."""
    return isinstance(value, dict) and all(
        name in chain.WRITERS and isinstance(number, int) and 0 <= number < 2**62 for name, number in value.items()
    )


def _fields(entry: ledger.Entry) -> Document:
    """A record that cannot be read is shown as such: `verify` says what is wrong with it."""
    try:
        return events.read(entry.payload or b"")
    except ValueError:
        return {"kind": "unreadable"}


_SCOPE = "admin:audit"
TAIL = Operation(
    "audit.tail", "audit tail", "GET", "/admin/v1/audit", _SCOPE, Page, _tail, "The newest records", lists="records"
)
VERIFY = Operation(
    "audit.verify", "audit verify", "GET", "/admin/v1/audit/verdict", _SCOPE, Verdict, _verify,
    "Whether the trail is whole",
)  # fmt: skip
EXPLAIN = Operation(
    "explain", "explain", "GET", "/admin/v1/refusals/{error_id}", _SCOPE, Refusal, _explain,
    "Why a request was refused",
)  # fmt: skip
OPERATIONS = (TAIL, VERIFY, EXPLAIN)

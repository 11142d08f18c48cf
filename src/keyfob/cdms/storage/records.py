"""The API's records as values."""

from dataclasses import dataclass
from enum import StrEnum

from keyfob.cdms.odm.model import GroupData, ItemValue


class Status(StrEnum):
    """A subject's way through a study (FHIR ResearchSubject maps onto it)."""

    SCREENED = "screened"
    ENROLLED = "enrolled"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    SCREEN_FAILED = "screen-failed"


OPEN = frozenset({Status.SCREENED, Status.ENROLLED})
"""Data are taken for subjects of these."""


FOLLOWING = {
    Status.SCREENED: frozenset({Status.ENROLLED, Status.SCREEN_FAILED, Status.WITHDRAWN}),
    Status.ENROLLED: frozenset({Status.COMPLETED, Status.WITHDRAWN}),
    Status.COMPLETED: frozenset[Status](),
    Status.WITHDRAWN: frozenset[Status](),
    Status.SCREEN_FAILED: frozenset[Status](),
}
"""What may come after each (21 CFR 11.10(f)): the last three are ends."""


@dataclass(frozen=True, slots=True)
class Study:
    oid: str
    path_key: str
    name: str
    protocol: str
    live_version: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class Subject:
    """`id` is ours and opaque: it stands in URLs and logs. `key` is the site's and may identify a person."""

    id: str
    study: str
    key: str
    site: str | None
    status: Status
    version: int
    at_closed_site: bool = False

    @property
    def closed(self) -> str | None:
        """Why no data are taken for it, in words; None: they are."""
        if self.status not in OPEN:
            return f"the subject is {self.status}"
        return SITE_CLOSED if self.at_closed_site else None


SITE_CLOSED = "the site is closed"


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """An item group as it is stored; `row` is the database's own number of it."""

    row: int
    subject_id: str
    data: GroupData
    version: int
    removed: bool

    @property
    def values(self) -> dict[str, ItemValue]:
        return {item.oid: item for item in self.data.items}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a client by a token, or the operator at the command line."""

    client_id: str | None
    token_id: str | None
    operator: str | None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer that was given, to be given again; `fingerprint` tells whether the same was asked."""

    fingerprint: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What was sent at once, and by whom. `receipt` is JSON; None where it was stored before receipts were kept."""

    id: str
    study: str
    client_id: str
    file_oid: str
    sha256: str
    at: int
    receipt: str | None

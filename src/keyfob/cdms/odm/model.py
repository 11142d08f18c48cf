"""ODM as values: a study's design (1.3.2 section 3.1.3) and clinical data (section 3.1.4). Names are those of 1.3.2.

Both editions are read into these: what 2.0 calls an item group of an event is a form here, and the innermost item
group that holds items is the group. A repeat key of None is one that was not given. A value is the text that was sent,
never a number made of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Edition(StrEnum):
    """Of ODM-XML, by its ODMVersion."""

    V1 = "1.3.2"
    V2 = "2.0"


NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
NAMESPACES = {NAMESPACE: Edition.V1, "http://www.cdisc.org/ns/odm/v2.0": Edition.V2}
UNIT_SYSTEM = "urn:keyfob:measurement-unit"
"""ODM 2.0 has no measurement units: there a Coding of this system names one by its OID in 1.3.2."""
MARK_CONTEXT = "keyfob"
IDENTIFYING = "identifying"
"""`<Alias Context="keyfob" Name="identifying"/>` in an ItemDef: withheld without the scope identifiers:read."""
EXTERNAL = "external"
"""The same in an ItemGroupDef: its data come from outside, row by row, with the scope lab-data:write."""
SUBJECT = "subject"
VISIT = "visit"
"""In an ItemDef of such a group: it holds the subject's key, or says which event a row belongs to."""


@dataclass(frozen=True, slots=True)
class RangeCheck:
    """Hard refuses, Soft warns. `comparator` is one of LT LE GT GE EQ NE IN NOTIN. `unit` None: of values in any."""

    comparator: str
    hard: bool
    values: tuple[str, ...]
    unit: str | None = None


COLUMN_CONTEXT = "dataset-json:"
"""`<Alias Context="dataset-json:displayFormat" Name="DATE9."/>`: what Dataset-JSON says of a column, and ODM cannot."""


@dataclass(frozen=True, slots=True)
class ItemDef:
    """`column` has what the aliases of COLUMN_CONTEXT say, by attribute; `marks` those of MARK_CONTEXT."""

    oid: str
    name: str
    data_type: str
    length: int | None
    significant_digits: int | None
    code_list: str | None
    units: tuple[str, ...]
    range_checks: tuple[RangeCheck, ...]
    identifying: bool
    label: str = ""
    sas_name: str = ""
    column: Mapping[str, str] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()

    def unit_of(self, item: "ItemValue") -> str | None:
        """The unit of a value: one that is not said is the only one that there can be."""
        return item.unit or (self.units[0] if len(self.units) == 1 else None)


@dataclass(frozen=True, slots=True)
class Container:
    """An event, form or item group definition; `members` maps the OIDs below it to whether they are mandatory.

    Of item groups alone `label` and what follows: `keys` is the KeySequence of those members that have one.
    """

    oid: str
    name: str
    repeating: bool
    members: Mapping[str, bool]
    label: str = ""
    sas_name: str = ""
    keys: Mapping[str, int] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    oid: str
    name: str


@dataclass(frozen=True, slots=True)
class Design:
    """One metadata version of one study."""

    study_oid: str
    study_name: str
    protocol_name: str
    version_oid: str
    events: Mapping[str, Container]
    forms: Mapping[str, Container]
    groups: Mapping[str, Container]
    items: Mapping[str, ItemDef]
    code_lists: Mapping[str, tuple[str, ...]]  # coded values; none for one that is kept elsewhere
    units: frozenset[str]
    nesting: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """ODM 2.0: the item groups between a form and a group of it, by (form, group), where there are any."""


@dataclass(frozen=True, slots=True)
class ItemValue:
    """One item; `value` None is IsNull. `where` is a pointer into the document, `line` its line (0: none).

    `contradicts`: the document gave both a value and IsNull, or neither.
    """

    oid: str
    value: str | None
    unit: str | None = None
    contradicts: bool = field(default=False, compare=False)
    transaction: str | None = field(default=None, compare=False)  # its own; None: that of its group
    reason: str | None = field(default=None, compare=False)  # its own AuditRecord's; None: that of its group
    where: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class GroupData:
    """One item group with its whole place below the subject. `transaction` is a TransactionType or None."""

    event: str
    event_repeat: str | None
    form: str
    form_repeat: str | None
    group: str
    group_repeat: str | None
    transaction: str | None
    items: tuple[ItemValue, ...]
    reason: str | None = field(default=None, compare=False)  # AuditRecord's ReasonForChange, the nearest above
    within: tuple[str, ...] | None = field(default=None, compare=False)  # groups in between; None: the file cannot tell
    where: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def place(self) -> tuple[str, str | None, str, str | None, str, str | None]:
        return self.event, self.event_repeat, self.form, self.form_repeat, self.group, self.group_repeat


@dataclass(frozen=True, slots=True)
class SubjectData:
    key: str
    site: str | None
    transaction: str | None
    groups: tuple[GroupData, ...]
    found: tuple["Finding", ...] = field(default=(), compare=False)  # what is wrong with it whatever the design says
    where: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ClinicalData:
    study_oid: str
    version_oid: str
    subjects: tuple[SubjectData, ...]
    where: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong (or only odd), and where. `message` never holds a value of an item."""

    code: str
    message: str
    where: str
    line: int = 0
    oid: str | None = None


@dataclass(frozen=True, slots=True)
class OdmFile:
    """A whole document. `sites` are those of AdminData, by the study that they belong to (None: any)."""

    file_oid: str
    designs: tuple[Design, ...]
    clinical: tuple[ClinicalData, ...]
    sites: tuple[tuple[str | None, Site], ...]
    warnings: tuple[Finding, ...]
    errors: tuple[Finding, ...] = ()  # what the schema has against it, if that was asked


class OdmError(Exception):
    """A document that cannot be read at all; `status` is 400, 413 or 422. Quotes no value."""

    def __init__(self, code: str, message: str, *, where: str = "", line: int = 0, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.line = line
        self.status = status

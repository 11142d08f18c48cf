"""Where something was found, and what could not be looked into. For a person, and for `--json`; never the secret."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import IO

from keyfob import client_secret
from keyfob.partner.scan.definition import WORDS, Kind
from keyfob.partner.scan.matching import Match

MAX_FINDINGS = 10_000
_SECRET = re.compile(client_secret.PATTERN)


@dataclass(frozen=True, slots=True)
class Place:
    """A file, what lies in it where it is an archive (`members`, the outermost first), and the commit it is of."""

    path: str
    members: tuple[str, ...] = ()
    commit: str | None = None

    def inside(self, member: str) -> "Place":
        return replace(self, members=(*self.members, member))

    def __str__(self) -> str:
        before = "" if self.commit is None else f"{self.commit[:12]}:"
        return shown(before + "!".join((self.path, *self.members)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret that was found: `line` counts from 1, `column` is its byte in the line from 1; 0 in a file's name."""

    place: Place
    line: int
    column: int
    match: Match

    def expired(self, now: int) -> bool:
        """Whether it is a token that is of no use to anybody any more."""
        return self.match.expires_at is not None and self.match.expires_at <= now

    def document(self, now: int) -> dict[str, object]:
        """For `--json`."""
        match = self.match
        return {
            "kind": str(match.kind),
            "fingerprint": match.fingerprint,
            "credential_id": match.credential_id,
            "client_id": match.client_id,
            "path": _written(self.place.path),
            "members": [_written(member) for member in self.place.members],
            "commit": self.place.commit,
            "line": self.line,
            "column": self.column,
            "encoding": match.encoding,
            "expires_at": match.expires_at,
            "expired": self.expired(now),
        }

    def text(self, now: int) -> str:
        """One line."""
        match = self.match
        whose = f" of the credential {match.credential_id}" if match.credential_id else ""
        how = f", in {match.encoding}" if match.encoding else ""
        when = ""
        if match.kind is Kind.ACCESS_TOKEN and match.expires_at is not None:
            when = f", {'expired' if self.expired(now) else 'good until'} {_date(match.expires_at)}"
        return (
            f"{self.place}:{self.line}:{self.column}: {WORDS[match.kind]}{whose}{how}{when}"
            f" (fingerprint {match.fingerprint})"
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """What was not looked into, and why."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(slots=True)
class Report:
    """All that a scan has met so far: `more` was found beyond what is kept. The one thing here that changes."""

    findings: list[Finding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    files: int = 0
    size: int = 0
    more: int = 0
    passed: int = 0
    """Bytes of the files on the disk that are done, whatever was in them, or objects of a history."""
    reading: IO[bytes] | None = None
    """The file on the disk that is being read."""

    @property
    def reached(self) -> int:
        """`passed`, and how far the file is read that is being read. May be asked for from another thread."""
        try:
            return self.passed + (0 if self.reading is None else self.reading.tell())
        except (ValueError, OSError):  # it was closed in this moment
            return self.passed

    def add(self, finding: Finding) -> None:
        """A file of nothing but secrets must not fill the memory: from MAX_FINDINGS on they are only counted."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        else:
            self.more += 1

    def found(self, allowed: Iterable[str], now: int) -> tuple[list[Finding], list[Finding]]:
        """What must be acted on; and the rest: tokens that have expired. What is allowed is in neither."""
        known = frozenset(allowed)
        wanted = [one for one in self.findings if one.match.fingerprint not in known]
        return [one for one in wanted if not one.expired(now)], [one for one in wanted if one.expired(now)]


def shown(text: str) -> str:
    """A name from a disk or an archive, for a terminal: one line, nothing that a terminal would obey, no secret."""
    return "".join(character if character.isprintable() else "?" for character in _SECRET.sub("(a secret)", text))


def _written(name: str) -> str:
    """A name as JSON can say it, also one that is no UTF-8; without a secret that stands in it."""
    return _SECRET.sub("(a secret)", name.encode("utf-8", "backslashreplace").decode())


def _date(at: int) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "-"

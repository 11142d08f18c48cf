"""Archives and compressed files, looked into without unpacking anything onto a disk: zip (and what is one: jar, whl,
docx), tar, gzip, bzip2, xz; one inside another.

Whoever made an archive may wish us harm: what is unpacked is counted as it comes, whatever a header says; depth and
number are bounded; what is damaged, encrypted or too large is named and the rest is looked into.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

from keyfob.partner.scan.finding import Place, Report, Unread
from keyfob.partner.scan.reading import BLOCK, Readable, look_through

MAX_UNPACKED = 1024 * 1024 * 1024
"""Bytes that may come out of one archive, with all that is in it."""
_MAX_DEPTH = 5
_MAX_MEMBERS = 100_000
_MAX_HELD = 64 * 1024 * 1024  # a zip is read from its end: one inside another archive is held in memory

# NotImplementedError is zipfile's word for a compression that it does not know.
_BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, struct.error, OverflowError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
)


class _TooMuch(Exception):
    """More came out than was allowed."""


@dataclass(slots=True)
class _Budget:
    """What may still come out of an archive."""

    size: int
    members: int = _MAX_MEMBERS

    def take(self, size: int) -> None:
        self.size -= size
        if self.size < 0:
            raise _TooMuch("it unpacks to more than is allowed: the rest was not looked into")

    def take_member(self) -> None:
        self.members -= 1
        if self.members < 0:
            raise _TooMuch(f"it has more than {_MAX_MEMBERS} members: the rest was not looked into")


class _Counted:
    """What comes out of an archive, and counts."""

    def __init__(self, stream: Readable, budget: _Budget, first: bytes = b"") -> None:
        self._stream, self._budget, self._first, self._at = stream, budget, first, 0

    def read(self, size: int = BLOCK) -> bytes:
        if self._at < len(self._first):
            found = self._first[self._at : self._at + size]
            self._at += len(found)
        else:
            found = self._stream.read(size)
        self._budget.take(len(found))
        return found


def look_into(stream: IO[bytes], place: Place, report: Report, *, max_unpacked: int = MAX_UNPACKED) -> None:
    """Look through `stream`, a seekable file; where it is an archive, through what is in it.

    Raises OSError when the file itself cannot be read.
    """
    first = stream.read(BLOCK)
    if not _ARCHIVE.match(first):
        look_through(stream, place, report, first=first)
        return
    before = len(report.unread)
    stream.seek(0)
    look_into_pipe(stream, place, report, max_unpacked=max_unpacked, seekable=stream)
    if len(report.unread) > before:
        # What an archive does not give may lie in it as it is.
        stream.seek(0)
        look_through(stream, place, report)


def look_into_pipe(
    stream: Readable,
    place: Place,
    report: Report,
    *,
    max_unpacked: int = MAX_UNPACKED,
    seekable: IO[bytes] | None = None,
) -> None:
    """The same of what comes only once: a zip of more than 64 MiB is then not unpacked."""
    try:
        _open(stream, place, report, _Budget(max_unpacked), 0, seekable=seekable)
    except _TooMuch as stopped:
        report.unread.append(Unread(place, str(stopped)))


def _open(
    stream: Readable, place: Place, report: Report, budget: _Budget, depth: int, *, seekable: IO[bytes] | None = None
) -> None:
    """Look through `stream`, whatever it is. What is broken in it goes into `report.unread`. Raises _TooMuch."""
    try:
        first = stream.read(BLOCK)
        kind = next((known for known in _KINDS if known.fits(first)), None)
        if kind is None:
            look_through(stream, place, report, first=first)
        elif kind.open is None:
            report.unread.append(Unread(place, f"{kind.name} is not unpacked here"))
        elif depth >= _MAX_DEPTH:
            report.unread.append(Unread(place, f"an archive {_MAX_DEPTH} deep inside others is not unpacked"))
        else:
            inside = _Inside(place, report, budget, depth + 1, seekable)
            kind.open(_Counted(stream, budget, first), inside)
    except _TooMuch:
        raise
    except _BROKEN as broken:
        report.unread.append(Unread(place, f"it is damaged, or not what it says: {_reason(broken)}"))


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where the members of an archive go."""

    place: Place
    report: Report
    budget: _Budget
    depth: int
    seekable: IO[bytes] | None

    def look(self, stream: Readable, name: str | None = None) -> None:
        place = self.place if name is None else self.place.inside(name)
        self.budget.take_member()
        _open(stream, place, self.report, self.budget, self.depth)

    def leave(self, name: str, reason: str) -> None:
        self.report.unread.append(Unread(self.place.inside(name), reason))


def _zip(stream: _Counted, inside: _Inside) -> None:
    file = inside.seekable
    if file is None:
        held = io.BytesIO()
        while block := stream.read(BLOCK):
            held.write(block)
            if held.tell() > _MAX_HELD:
                inside.report.unread.append(
                    Unread(inside.place, "a zip of this size inside an archive is not unpacked")
                )
                return
        file = held
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                inside.leave(member.filename, "it is encrypted")
                continue
            try:
                with archive.open(member) as opened:
                    inside.look(_Counted(opened, inside.budget), member.filename)
            except _BROKEN as broken:
                inside.leave(member.filename, f"it is damaged: {_reason(broken)}")


def _tar(stream: _Counted, inside: _Inside) -> None:
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None:
                # What is read of a member is counted in the tar; the holes of a sparse one are nowhere in it.
                content = _Counted(opened, inside.budget) if member.issparse() else opened
                inside.look(content, member.name)


def _gzip(stream: _Counted, inside: _Inside) -> None:
    inside.look(_Counted(gzip.GzipFile(fileobj=cast("IO[bytes]", _File(stream))), inside.budget))


def _bzip2(stream: _Counted, inside: _Inside) -> None:
    inside.look(_Counted(bz2.BZ2File(cast("IO[bytes]", _File(stream))), inside.budget))


def _xz(stream: _Counted, inside: _Inside) -> None:
    inside.look(_Counted(lzma.LZMAFile(cast("IO[bytes]", _File(stream))), inside.budget))  # noqa: SIM115


class _File(io.RawIOBase):
    """What the decompressors take for a file."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(BLOCK if size < 0 else size)


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    magic: bytes
    at: int
    open: Callable[[_Counted, _Inside], None] | None

    def fits(self, first: bytes) -> bool:
        return first.startswith(self.magic, self.at)


_KINDS = (
    _Kind("zip", b"PK\x03\x04", 0, _zip),
    _Kind("gzip", b"\x1f\x8b\x08", 0, _gzip),
    _Kind("bzip2", b"BZh", 0, _bzip2),
    _Kind("xz", b"\xfd7zXZ\x00", 0, _xz),
    _Kind("tar", b"ustar", 257, _tar),
    _Kind("zstd", b"\x28\xb5\x2f\xfd", 0, None),
    _Kind("7z", b"7z\xbc\xaf\x27\x1c", 0, None),
    _Kind("rar", b"Rar!\x1a\x07", 0, None),
)


# All of them at once: most files are none of these, and there are thousands.
_ARCHIVE = re.compile(b"|".join(b"(?s:.{%d})%s" % (kind.at, re.escape(kind.magic)) for kind in _KINDS))


def _reason(broken: Exception) -> str:
    return (str(broken) or type(broken).__name__).partition("\n")[0][:200]

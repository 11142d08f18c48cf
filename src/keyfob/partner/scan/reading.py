"""A stream of any length, looked through block by block in bounded memory."""

from typing import Protocol

from keyfob.partner.scan import matching
from keyfob.partner.scan.finding import Finding, Place, Report

BLOCK = 1024 * 1024


class Readable(Protocol):
    """Bytes that come once. `read(n)` gives at most n, and none only at the end."""

    def read(self, size: int, /) -> bytes: ...


def look_through(stream: Readable, place: Place, report: Report, *, first: bytes = b"") -> None:
    """Everything that is found in `first` and then in `stream` goes into `report`. Raises what reading raises."""
    carried, before, line, line_start = b"", 0, 1, 0  # `before`: the offset at which `carried` begins
    report.files += 1
    block, last = first or stream.read(BLOCK), False
    while not last:
        following = stream.read(BLOCK)
        last = not following
        report.size += len(block)
        text = carried + block if carried else block
        # A secret that begins in the last bytes may go on in the next block: it is found there, whole.
        end = len(text) if last else max(0, len(text) - matching.OVERLAP)
        counted = 0
        for match in matching.find(text):
            if match.offset >= end:
                continue
            line, line_start = _advance(text, counted, match.offset, before, line, line_start)
            counted = match.offset
            column = before + match.offset - line_start + 1
            report.add(Finding(place, line, column, match))
        if not last:
            line, line_start = _advance(text, counted, end, before, line, line_start)
        carried, before, block = text[end:], before + end, following


def _advance(text: bytes, start: int, end: int, before: int, line: int, line_start: int) -> tuple[int, int]:
    """The number of the line in which `end` lies, and the offset at which it begins."""
    lines = text.count(b"\n", start, end)
    return (line + lines, before + text.rfind(b"\n", start, end) + 1) if lines else (line, line_start)

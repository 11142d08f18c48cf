"""Files and folders, as they lie on the disk. Links are not followed: what they lead to is looked into where it is."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from keyfob.partner.scan import matching
from keyfob.partner.scan.archives import look_into
from keyfob.partner.scan.finding import Finding, Place, Report, Unread

_BEGINNING = "kf"  # of each secret; looked for first, since every file has a name
_OBJECTS = "objects"  # below .git: compressed, and looked into by `--history`


def scan_paths(paths: tuple[Path, ...], report: Report, *, max_unpacked: int) -> None:
    """Everything at or below `paths`. What cannot be read is named in the report."""
    for path in paths:
        for file in files_below(path, report):
            scan_file(file, report, max_unpacked=max_unpacked)


def scan_file(path: Path, report: Report, *, max_unpacked: int) -> None:
    place = Place(str(path))
    if _BEGINNING in path.name:
        for match in matching.find(os.fsencode(path.name)):
            report.add(Finding(place, 0, 0, replace(match, encoding="its name")))
    try:
        # A named pipe in the place of a file would be waited for without end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                report.reading = file
                look_into(file, place, report, max_unpacked=max_unpacked)
                report.reading = None
                report.passed += found.st_size
    except OSError as failed:
        report.unread.append(Unread(place, f"it cannot be read: {failed.strerror or failed}"))


def size_below(path: Path) -> int:
    """Bytes of the files at or below `path`, as far as they can be seen."""
    size = 0
    for file in files_below(path, Report()):
        with contextlib.suppress(OSError):
            size += file.lstat().st_size
    return size


def files_below(path: Path, report: Report) -> Iterator[Path]:
    """`path` itself where it is a file, else the files below it, a folder's own in the order of their names."""
    if not path.is_dir():
        yield path
        return
    folders = [path]  # not by recursion: somebody may have made a thousand folders in each other
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as failed:
            report.unread.append(Unread(Place(str(folder)), f"it cannot be read: {failed.strerror}"))
            continue
        inner = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != _OBJECTS or folder.name != ".git":
                    inner.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
        folders += reversed(inner)

"""What a git repository holds: every object of its history, and what is staged for the next commit.

Only plumbing is run, which obeys no filter, hook, pager or differ of the repository's own configuration, fetches
nothing, and writes nothing: a repository that was made by somebody else can do us no harm.
"""

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from keyfob.partner.scan.archives import look_into
from keyfob.partner.scan.finding import Finding, Place, Report, Unread
from keyfob.partner.scan.reading import look_through
from keyfob.problem import Misuse, Problem

_OFF = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never", "log.showSignature=false")
_SAFE = (*(argument for setting in _OFF for argument in ("-c", setting)), "--no-pager")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1",
                "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}  # fmt: skip
_MAX_HELD = 64 * 1024 * 1024  # a larger object is looked through as it is, without unpacking it
_MAX_TRACED = 50  # objects with findings whose commit is looked up
_AT_ONCE = 1000
_SUBMODULE = "160000"
_OBJECT = "%(objectname) %(objecttype) %(objectsize)"


def scan_history(folder: Path, report: Report, *, max_unpacked: int) -> None:
    """Every object that the repository of `folder` has: files and messages, also those that no branch reaches."""
    top = repository(folder)
    first = len(report.findings)
    with _running(top, "cat-file", "--batch-all-objects", "--unordered", "--buffer", f"--batch={_OBJECT}") as output:
        for name, kind, content in _objects(output, report):
            if kind != "tree":
                _look(content, Place(f"{kind} {name}"), report, max_unpacked)
            content.drain()
            report.passed += 1
    report.findings[first:] = _traced(top, report.findings[first:])


def count_objects(folder: Path) -> int:
    """How many objects the repository of `folder` has. Raises Problem."""
    said = dict(line.split(": ", 1) for line in _run(repository(folder), "count-objects", "-v").splitlines())
    return int(said.get("count", 0)) + int(said.get("in-pack", 0))


def scan_staged(folder: Path, report: Report, *, max_unpacked: int) -> None:
    """Each file that the next commit of the repository of `folder` would change, as it would then be."""
    top = repository(folder)
    wanted = ("diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=ACMT")
    fields = _run(top, *wanted).split("\0")
    paths: dict[str, list[str]] = {}
    for described, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, name, _ = described.split()
        if mode != _SUBMODULE:
            paths.setdefault(name, []).append(path)
    names = list(paths)
    # So few at once that git can take all names before it has to be read from.
    for some in (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)):
        with _running(top, "cat-file", "--buffer", f"--batch={_OBJECT}", given="\n".join(some) + "\n") as output:
            for name, _, content in _objects(output, report):
                _look(content, Place(paths[name][0]), report, max_unpacked)
                content.drain()


def repository(folder: Path) -> Path:
    """The top folder of the repository that `folder` is in. Raises Misuse when it is in none, or git is not there."""
    if shutil.which("git") is None:
        raise Misuse("no-git", "git is not installed", hint="install git, or scan the files alone: keyfob scan PATH")
    try:
        found = _run(folder, "rev-parse", "--path-format=absolute", "--git-dir")
    except Problem as failed:
        raise Misuse("no-repository", f"{folder} is in no git repository", hint=f"git says: {failed.message}") from None
    return Path(found.rstrip("\n"))


class _Content:
    """The bytes of one object in the output of `git cat-file --batch`."""

    def __init__(self, output: IO[bytes], size: int) -> None:
        self._output, self.size, self._left = output, size, size

    def read(self, size: int) -> bytes:
        found = self._output.read(min(size, self._left))
        self._left -= len(found)
        if not found and self._left:
            raise EOFError("git ended in the middle of an object")
        return found

    def drain(self) -> None:
        while self.read(1024 * 1024):
            pass
        self._output.read(1)  # the line's end after it


def _look(content: _Content, place: Place, report: Report, max_unpacked: int) -> None:
    if content.size > _MAX_HELD:
        look_through(content, place, report)
    else:
        look_into(io.BytesIO(content.read(content.size)), place, report, max_unpacked=max_unpacked)


def _objects(output: IO[bytes], report: Report) -> Iterator[tuple[str, str, _Content]]:
    while line := output.readline():
        fields = line.decode().split()
        if len(fields) == 3 and fields[2].isdecimal():
            yield fields[0], fields[1], _Content(output, int(fields[2]))
        else:  # of a clone that has not all, or damaged
            report.unread.append(Unread(Place(f"object {fields[0]}"), "the repository does not have it"))


def _traced(top: Path, findings: Sequence[Finding]) -> list[Finding]:
    """The same, each with a path and with the first commit that has it, where there is one."""
    names = list(dict.fromkeys(one.place.path.split()[1] for one in findings))
    places = {name: _place(top, name) for name in names[:_MAX_TRACED]}
    traced = []
    for one in findings:
        kind, name = one.place.path.split()
        known = Place("(message)", commit=name) if kind == "commit" else places.get(name)
        place = one.place if known is None else Place(known.path, one.place.members, known.commit)
        traced.append(Finding(place, one.line, one.column, one.match))
    return traced


def _place(top: Path, name: str) -> Place | None:
    """Where the first commit that has the object keeps it."""
    commits = _run(top, "log", "--all", "-m", "--format=%H", "--no-ext-diff", "--no-textconv", f"--find-object={name}")
    for commit in commits.split()[-1:]:
        for line in _run(top, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
            described, _, path = line.partition("\t")
            if described.split()[2:3] == [name]:
                return Place(path, commit=commit)
    return None


def _command(folder: Path, arguments: Sequence[str]) -> list[str]:
    # The folder is named as git's own where it is one: a bare repository, or one whose work tree lies elsewhere.
    where = ["--git-dir", str(folder)] if (folder / "HEAD").is_file() else ["-C", str(folder)]
    return ["git", *_SAFE, *where, *arguments]


def _run(folder: Path, *arguments: str) -> str:
    """What git says. Raises Problem."""
    done = subprocess.run(  # noqa: S603  # a fixed program; the folder is no option
        _command(folder, arguments), capture_output=True, env={**os.environ, **_ENVIRONMENT}, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Problem("git-failed", said[-1][:300] if said else f"git {arguments[0]} failed", hint="git fsck")
    return done.stdout.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _running(folder: Path, *arguments: str, given: str = "") -> Iterator[IO[bytes]]:
    """What git writes, to be read in the block; git ends with it. Raises Problem when git fails."""
    process = subprocess.Popen(  # noqa: S603
        _command(folder, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as names:
            names.write(given.encode())
        yield process.stdout
    except BaseException:
        process.kill()
        raise
    finally:
        process.stdout.close()
        status = process.wait()
    if status:
        raise Problem("git-failed", f"git {arguments[0]} failed", hint="git fsck")

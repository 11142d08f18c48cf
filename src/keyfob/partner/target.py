"""Where the body of a response goes: stdout, or a file that is there only when it is whole."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from keyfob.problem import Misuse, Problem

Write = Callable[[bytes], None]


@contextlib.contextmanager
def opened(output: Path | None) -> Iterator[Write]:
    """What takes the body, chunk by chunk; `output` comes to be at the end of a block that does not raise.

    It is opened before anything is sent, so that a call that changes something never ends without a place for its
    answer. Raises Misuse when `output` cannot be written, Problem when the disk fills up.
    """
    if output is None:
        with _stdout() as write:
            yield write
        return
    draft = output.with_name(f".{output.name}.{os.getpid()}.unfinished")
    if output.exists() and not output.is_file():  # a folder, or a device that a rename would replace
        raise Misuse("output", f"{output} is there already, and is no file", hint="name a file: --output FILE")
    try:
        draft.unlink(missing_ok=True)
        file = draft.open("xb")  # through no link that somebody laid there
    except OSError as failed:
        raise Misuse(
            "output", f"{output} cannot be written: {failed.strerror}; nothing was sent", hint="name another --output"
        ) from None
    try:
        with file:
            yield lambda chunk: _into(file.write, chunk, output)
            _into(lambda _: file.flush(), b"", output)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _stdout() -> Iterator[Write]:
    last = b""

    def write(chunk: bytes) -> None:
        nonlocal last
        sys.stdout.buffer.write(chunk)
        last = chunk[-1:] or last

    try:
        yield write
    finally:
        # On a terminal the prompt would stand in the body's last line; a program gets the bytes as they are.
        if last not in (b"", b"\n") and sys.stdout.isatty():
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


def _into(write: Callable[[bytes], object], chunk: bytes, output: Path) -> None:
    try:
        write(chunk)
    except OSError as failed:
        raise Problem(
            "output", f"{output} cannot be written: {failed.strerror}", hint="the API has answered: call again"
        ) from None

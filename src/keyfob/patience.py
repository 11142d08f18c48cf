"""What a person sees while something takes long: a bar where its end is known, else how many seconds have passed.

On stderr, and only on a terminal, so that logs and pipes stay as they are. Nothing is drawn while somebody is asked
for something at the same terminal: whoever asks says so by `asking`.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

PATIENCE = 2.0
"""Seconds in which a person does not wonder yet."""
_WIDTH = 30
_WIPE = "\r\x1b[K"

_terminal = threading.RLock()
"""Whose turn it is to write on the terminal: who draws gives way to who asks."""
_drawn = threading.Event()


class Progress:
    """How far something is. `share` is asked for from another thread, and gives 0 to 1, or None: nobody knows.

    `hide` ends the telling before its time: what follows is written to the same terminal.
    """

    def __init__(self) -> None:
        self.share: Callable[[], float | None] = lambda: None
        self.hide: Callable[[], None] = lambda: None

    def reach(self, share: float) -> None:
        """So much is done."""
        self.share = lambda: share


@contextlib.contextmanager
def progress(what: str, *, after: float = PATIENCE, to: TextIO | None = None) -> Iterator[Progress]:
    """Says on a terminal that `what` goes on, once it takes longer than `after` seconds."""
    stream = sys.stderr if to is None else to
    shown = Progress()
    if not stream.isatty():
        yield shown
        return
    ended = threading.Event()

    def tell() -> None:
        passed, said = after, False
        while not ended.wait(after if not said else 1):
            passed, said = passed + said, True
            line = _line(what, passed, shown.share(), stream)
            if _terminal.acquire(blocking=False):
                try:
                    _write(stream, _WIPE + line)
                    _drawn.set()
                finally:
                    _terminal.release()
        if said:
            _write(stream, _WIPE)
            _drawn.clear()

    teller = threading.Thread(target=tell, daemon=True)

    def hide() -> None:
        ended.set()
        teller.join()

    shown.hide = hide
    teller.start()
    try:
        yield shown
    finally:
        hide()


@contextlib.contextmanager
def asking(to: TextIO | None = None) -> Iterator[None]:
    """While a person is asked for something, nothing is drawn over the question."""
    with _terminal:
        if _drawn.is_set():
            _write(sys.stderr if to is None else to, _WIPE)
        yield


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _line(what: str, seconds: float, share: float | None, stream: TextIO) -> str:
    if share is None:
        return f"{what} ... {seconds:.0f} s"
    share = min(max(share, 0.0), 1.0)
    is_unicode = "utf" in (getattr(stream, "encoding", None) or "").lower()
    full, empty = ("━", "─") if is_unicode else ("#", ".")
    done = int(share * _WIDTH)
    return f"{what} {full * done}{empty * (_WIDTH - done)} {share:4.0%} {seconds:.0f} s"

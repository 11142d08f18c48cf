"""What the programs share at the command line: here, how they tell that something goes on."""

import io
import threading

from keyfob import command


class Terminal(io.StringIO):
    """`.written` is set as soon as anything is."""

    def __init__(self, *, attended=True):
        super().__init__()
        self.written = threading.Event()
        self._attended = attended

    def isatty(self):
        return self._attended

    def write(self, text):
        self.written.set()
        return super().write(text)


def test_what_takes_long_is_told_on_a_terminal_and_wiped_away_at_its_end():
    terminal = Terminal()
    with command.progress("copying", after=0.001, to=terminal):
        assert terminal.written.wait(30)
    assert terminal.getvalue().startswith("\rcopying ... 0 s")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_what_is_done_soon_is_not_told():
    terminal = Terminal()
    with command.progress("copying", after=60, to=terminal):
        pass
    assert terminal.getvalue() == ""


def test_a_pipe_hears_nothing():
    pipe = Terminal(attended=False)
    before = threading.active_count()
    with command.progress("copying", after=0, to=pipe):
        assert threading.active_count() == before
    assert pipe.getvalue() == ""

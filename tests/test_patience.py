"""How the programs tell that something goes on, and what is never drawn over."""

import io
import threading

import pytest

from keyfob.patience import asking, progress


class Terminal(io.StringIO):
    """`.written` is set as soon as anything is; `.lines` are what stood on the line after each drawing."""

    def __init__(self, *, attended=True, encoding="utf-8"):
        super().__init__()
        self.written = threading.Event()
        self._attended, self._encoding = attended, encoding

    @property
    def encoding(self):
        return self._encoding

    @property
    def lines(self):
        return [line for line in self.getvalue().split("\r\x1b[K") if line]

    def isatty(self):
        return self._attended

    def write(self, text):
        length = super().write(text)
        self.written.set()
        return length


def test_what_takes_long_is_told_on_a_terminal_and_wiped_away_at_its_end():
    terminal = Terminal()
    with progress("copying", after=0.001, to=terminal):
        assert terminal.written.wait(30)
    assert terminal.lines[0] == "copying ... 0 s"
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("share", "encoding", "line"),
    [
        (0.5, "utf-8", "copying " + "━" * 15 + "─" * 15 + "  50% 0 s"),
        (0.5, "ascii", "copying " + "#" * 15 + "." * 15 + "  50% 0 s"),
        (7.0, "utf-8", "copying " + "━" * 30 + " 100% 0 s"),
        (-1.0, "utf-8", "copying " + "─" * 30 + "   0% 0 s"),
    ],
)
def test_where_the_end_is_known_there_is_a_bar(share, encoding, line):
    terminal = Terminal(encoding=encoding)
    with progress("copying", after=0.001, to=terminal) as shown:
        shown.reach(share)
        assert terminal.written.wait(30)
    assert terminal.lines[0] == line


def test_what_is_done_soon_is_not_told():
    terminal = Terminal()
    with progress("copying", after=60, to=terminal):
        pass
    assert terminal.getvalue() == ""


def test_a_pipe_hears_nothing():
    pipe = Terminal(attended=False)
    before = threading.active_count()
    with progress("copying", after=0, to=pipe) as shown:
        assert threading.active_count() == before
        shown.reach(0.5)
        shown.hide()
    assert pipe.getvalue() == ""


def test_a_question_is_never_drawn_over_and_begins_on_a_clean_line():
    terminal = Terminal()
    with progress("copying", after=0.001, to=terminal) as shown:
        assert terminal.written.wait(30)
        asked, asked_for = threading.Event(), threading.Event()
        with asking(to=terminal):
            shown.share = lambda: asked_for.set()
            assert terminal.getvalue().endswith("\r\x1b[K")
            before = terminal.getvalue()
            assert asked_for.wait(30), "the next drawing is due"
            asked.wait(0.05)
            assert terminal.getvalue() == before


def test_where_nothing_was_drawn_a_question_writes_nothing():
    terminal = Terminal()
    with asking(to=terminal):
        pass
    assert terminal.getvalue() == ""


def test_what_is_hidden_is_gone_before_something_else_is_written():
    terminal = Terminal()
    with progress("copying", after=0.001, to=terminal) as shown:
        assert terminal.written.wait(30)
        shown.hide()
        assert terminal.getvalue().endswith("\r\x1b[K")
        whole = terminal.getvalue()
    assert terminal.getvalue() == whole

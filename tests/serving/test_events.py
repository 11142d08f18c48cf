"""Events as the servers write them: in order, whole, and with no write for each."""

import asyncio
import io
import logging
import sys

import pytest

from keyfob.serving.events import write_logs


@pytest.fixture(autouse=True)
def logs():
    """The loggers are as before afterwards."""
    names = ("keyfob", "uvicorn.error", "asyncio")
    before = {name: (log.handlers[:], log.level, log.propagate) for name in names for log in [logging.getLogger(name)]}
    flags = (logging.logProcesses, logging.logThreads, logging.logMultiprocessing, logging._srcfile)
    write_logs()
    yield
    logging.logProcesses, logging.logThreads, logging.logMultiprocessing, logging._srcfile = flags
    for name, (handlers, level, propagate) in before.items():
        log = logging.getLogger(name)
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def listen(monkeypatch) -> list[str]:
    """What is written from now on, write by write."""
    writes: list[str] = []

    class Stderr(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Stderr())
    return writes


async def say(*texts: str) -> None:
    for text in texts:
        logging.getLogger("keyfob.test").info(text)


def test_events_of_one_turn_are_one_write_in_their_order(monkeypatch):
    written = listen(monkeypatch)

    async def play() -> None:
        await say("first", "second")
        assert [text for text in written if text] == []
        await asyncio.sleep(0)

    asyncio.run(play())
    (text,) = [text for text in written if text]
    assert [line.split(" ", 2)[2] for line in text.splitlines()] == ["first", "second"]
    assert text.splitlines()[0][10] == "T" and text.splitlines()[0][19:26] == "Z INFO "


def test_outside_a_loop_an_event_is_written_at_once(monkeypatch):
    written = listen(monkeypatch)
    logging.getLogger("keyfob.test").warning("now %d", 1)
    assert [text for text in written if text][-1].endswith("Z WARNING now 1\n")


def test_an_event_is_written_when_the_loop_ends_before_its_turn_is_over(monkeypatch):
    written = listen(monkeypatch)
    asyncio.run(say("last"))
    for handler in logging.getLogger("keyfob").handlers:
        handler.flush()
    assert "last" in "".join(written)


def test_nobody_who_reads_is_no_event(monkeypatch):
    listen(monkeypatch)

    def broken(_text: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(sys.stderr, "write", broken)
    logging.getLogger("keyfob.test").warning("unheard")

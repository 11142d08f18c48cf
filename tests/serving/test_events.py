"""Events as the servers write them."""

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


def test_an_event_is_one_line_and_written_at_once(monkeypatch):
    written = listen(monkeypatch)
    write_logs()
    logging.getLogger("keyfob.test").warning("now %d", 1)
    text = "".join(written)
    assert text.endswith("Z WARNING now 1\n") and text.count("\n") == 1
    assert (text[4], text[10], text[13], text[19]) == ("-", "T", ":", "Z")


def test_the_second_is_that_of_the_event(monkeypatch):
    written = listen(monkeypatch)
    write_logs()
    for second in (0, 0, 1_800_000_000, 59):
        record = logging.LogRecord("keyfob.test", logging.INFO, "", 0, "at", None, None)
        record.created = float(second)
        logging.getLogger("keyfob").handle(record)
    stamps = [line.partition("Z")[0] for line in "".join(written).splitlines()]
    epoch = "1970-01-01T00:00:00"
    assert stamps == [epoch, epoch, "2027-01-15T08:00:00", "1970-01-01T00:00:59"]

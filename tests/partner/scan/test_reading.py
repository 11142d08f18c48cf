"""A stream in blocks: nothing is lost between two of them, nothing counted twice, and the line is right."""

import io

import pytest

from keyfob.partner.scan import matching, reading
from keyfob.partner.scan.finding import Place, Report


@pytest.mark.parametrize("shift", [0, 1, 60, 130, matching.OVERLAP - 1, matching.OVERLAP, matching.OVERLAP + 1])
def test_a_secret_between_two_blocks_is_found_once_in_its_line(secret, shift):
    filler = b"line\n" * (reading.BLOCK // 5 + 1)
    before = filler[: reading.BLOCK - shift]
    report = Report()
    reading.look_through(io.BytesIO(before + secret.body + b"\n" + filler), Place("f"), report)
    (found,) = report.findings
    assert found.match.fingerprint == secret.fingerprint
    assert found.line == before.count(b"\n") + 1
    assert found.column == len(before) - before.rfind(b"\n")
    assert (report.files, report.size) == (1, len(before) + len(secret.body) + 1 + len(filler))


def test_a_token_between_two_blocks_is_found_once(new_token):
    token = new_token(60)
    for shift in (1, 80, 200, len(token.body) - 1):
        report = Report()
        stream = io.BytesIO(b" " * (reading.BLOCK - shift) + token.body + b" " * reading.BLOCK)
        reading.look_through(stream, Place("f"), report)
        assert [one.match.fingerprint for one in report.findings] == [token.fingerprint]


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end(secret):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7))

    report = Report()
    reading.look_through(Slow(b"\n\n" + secret.body + b"\n" + b"x" * 100), Place("f"), report)
    assert [(one.line, one.column) for one in report.findings] == [(3, 1)]

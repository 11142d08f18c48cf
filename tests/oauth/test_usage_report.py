"""keyfob.oauth.usage_report: what an API tells of its use, and nothing else."""

import json

import pytest

from keyfob.oauth import usage_report
from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.usage_report import MAX_USES, Report, Use

USE = Use("cl_1", "orders:read", "GET", "/orders/{order}", 3, 1_000_000)
REPORT = Report("a" * 32, 7, 999_000, 1_000_060, (USE,))


def test_what_is_written_is_read():
    assert usage_report.read(usage_report.write(REPORT)) == REPORT
    assert usage_report.read(usage_report.write(Report("b", 1, 0, 0, ()))).uses == ()


def test_the_longest_report_fits_into_a_request():
    longest = Use("c" * 128, "s" * 128, "M" * 16, "/" * 120, 2**53, 2**53)
    assert len(usage_report.write(Report("r", 1, 0, 0, (longest,) * MAX_USES))["report"]) < 95_000
    usual = Use("cl_" + "c" * 22, "clinical-data:write", "DELETE", "/v1/studies/{study}/" + "x" * 100, 10**9, 10**10)
    assert len(usage_report.write(Report("r", 1, 0, 0, (usual,) * MAX_USES))["report"]) < 60_000


@pytest.mark.parametrize(
    "changes",
    [
        {"reporter": ""}, {"reporter": 7}, {"reporter": "a b"}, {"sequence": -1}, {"sequence": True}, {"sequence": 1.5},
        {"sequence": 2**60}, {"began_at": 10, "until": 9}, {"uses": {}}, {"uses": [[]]}, {"uses": [["a"] * 6]},
        {"uses": [["cl", "s", "get", "/", 1, 1]]}, {"uses": [["cl", "s", "GET", "/a b", 1, 1]]},
        {"uses": [["cl", "s", "GET", "/é", 1, 1]]}, {"uses": [["cl", "s" * 129, "GET", "/", 1, 1]]},
        {"uses": [["cl", "s", "GET", "/", 1, 1]] * (MAX_USES + 1)},
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(changes):
    document = json.loads(usage_report.write(REPORT)["report"]) | changes
    with pytest.raises(InvalidRequest):
        usage_report.read({"report": json.dumps(document)})


def test_a_missing_or_broken_report_is_refused():
    for form in ({}, {"report": ""}, {"report": "[]"}, {"report": '{"uses": [], "uses": []}'}, {"report": "[" * 999}):
        with pytest.raises(InvalidRequest):
            usage_report.read(form)


def test_a_route_that_may_hold_anything_is_told_without_its_name():
    assert usage_report.tellable("/orders/{order}") == "/orders/{order}"
    for route in ("", "/a b", "/é", "/" * 121, "/a\n"):
        assert usage_report.tellable(route) == "-"

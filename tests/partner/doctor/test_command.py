"""`keyfob doctor` as it is typed, and what a build server reads of it."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from click.testing import CliRunner

from keyfob.partner.cli import cli
from keyfob.partner.doctor import examining, report
from keyfob.partner.doctor.check import Check, Outcome, Status, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.checks import CHECKS
from keyfob.partner.doctor.report import Told
from keyfob.problem import Misuse, Problem

TOLD = [
    Told(Check("one", "because 1", lambda _: passed("x")), passed("fine")),
    Told(Check("two", "because 2", lambda _: passed("x")), unknown("nobody knows", "look")),
    Told(Check("three", "because 3", lambda _: passed("x")), warned("hm", "do this", ("a",))),
    Told(Check("four", "because 4", lambda _: passed("x")), failed("bad <&> \x1b[2J", "do that", ("b", "c"))),
]


@pytest.fixture
def doctor(place, store, service, monkeypatch):
    """The command, at home in the scene's folders."""
    store()
    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.setenv("KEYFOB_VAULT", str(place.vault))
    monkeypatch.setenv("KEYFOB_CA_FILE", str(service.ca))
    monkeypatch.setattr("tempfile.tempdir", str(place.temporary))
    monkeypatch.chdir(place.folder)

    def run(*arguments):
        return CliRunner().invoke(cli, ["doctor", *arguments], catch_exceptions=False)

    return run


# What other programs of this machine do is not the test's.
OURS = [argument for name in ("environment", "processes") for argument in ("--skip", name)]


def test_every_check_is_told_and_a_warning_is_no_failure(doctor):
    done = doctor("--json", *OURS)
    document = json.loads(done.stdout)
    statuses = {one["name"]: one["status"] for one in document["checks"]}
    assert set(statuses) == {check.name for check in CHECKS} - {"environment", "processes"}
    assert "fail" not in statuses.values()
    assert document["counts"]["warn"] >= 1
    assert done.exit_code == 0
    assert all(one["why"] and one["said"] for one in document["checks"])


def test_a_check_that_fails_is_exit_1(doctor, place, secret, tmp_path):
    (place.home / ".bash_history").write_text(secret.text)
    done = doctor("--only", "shell-history", "--junit", str(tmp_path / "out.xml"))
    assert done.exit_code == 1
    assert "FAIL" not in done.stdout
    assert done.stdout.startswith("fail    shell-history  there is a secret")
    assert "why:  What was typed once" in done.stdout
    assert "mend: keyfob rotate" in done.stdout
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert secret.text not in done.stdout + (tmp_path / "out.xml").read_text()


def test_the_form_of_junit():
    suite = ElementTree.fromstring(report.junit(TOLD))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    children = {case.get("name"): [child.tag for child in case] for case in suite}
    assert children == {"one": [], "two": ["skipped"], "three": ["system-out"], "four": ["failure"]}
    assert suite[3][0].get("message") == "bad <&> ?[2J"
    assert suite[3][0].text == "bad <&> ?[2J\nb\nc\nwhy: because 4\nmend: do that"


def test_a_person_is_told_why_and_how_to_mend_only_where_it_is_needed():
    lines = report.text(TOLD)
    assert "because 1" not in lines
    assert "because 3" in lines
    assert "mend: do that" in lines
    assert lines.endswith("1 fail, 1 warn, 1 unknown, 1 pass")


def test_the_worst_of_several_counts_and_the_others_are_told():
    outcome = worst([passed("a"), failed("b", "m"), unknown("c")], otherwise=passed("-"))
    assert outcome == Outcome(Status.FAIL, "b", "m", ("unknown: c", "pass: a"))


def test_a_check_that_cannot_be_made_keeps_none_of_the_others_back(scene, monkeypatch):
    def stop(_):
        raise Problem("broken", "it broke", hint="mend it")

    monkeypatch.setattr(examining, "CHECKS", (Check("vault", "w", stop), Check("key", "w", lambda _: passed("x"))))
    told = examining.examine(scene())
    assert [one.outcome.status for one in told] == [Status.FAIL, Status.PASS]
    assert told[0].outcome.mend == "mend it"


def test_misuse_is_told(doctor):
    with pytest.raises(Misuse, match="no check nonsense"):
        doctor("--only", "nonsense")
    with pytest.raises(Misuse, match="cannot be written"):
        doctor("--only", "vault", "--junit", "/none/x.xml")


def test_each_check_is_named_once_and_says_why():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.why.endswith(".") for check in CHECKS)

"""A long plan is made while others write, and carried out only where what it depends on is as it was."""

import contextlib

import pytest

from cdms.conftest import EVERY_STUDY
from cdms.storage.conftest import NOW, SOMEBODY, STUDY, add_subject, put_diary, store  # noqa: F401  # a fixture
from keyfob.cdms.ahead import plan_ahead
from keyfob.cdms.call import Call, Surroundings
from keyfob.cdms.odm.model import Site
from keyfob.cdms.storage.records import StoredAnswer
from keyfob.oauth import authorization_details
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.scope import parse
from keyfob.problem import Problem


@pytest.fixture
def transfer(store):  # noqa: F811
    return Transfer(store)


class Transfer:
    """A plan of what there is of the subject `first`, carried out after others have written."""

    def __init__(self, opened):
        self.store = opened
        self.plans: list[int] = []
        details = authorization_details.read_claim(EVERY_STUDY)
        token = AccessToken("i", "cl_1", "cl_1", "a", NOW, NOW + 1, "j", parse("lab-data:write"), details)
        around = Surroundings(opened, None, None, b"", b"")
        self.call = Call(around, token, "lab-data:write", {"study": STUDY}, {}, (), b"", NOW)
        with opened.writing(actor=SOMEBODY, now=NOW) as writing:
            writing.take(STUDY)
            self.other = add_subject(writing, "other")
        with opened.reading() as reading:
            self.first = reading.find_subject(STUDY, key="first")

    def plan(self, _reading, study):
        self.plans.append(study.seq)
        return study.seq

    def run(self, meanwhile):
        held = plan_ahead(self.call, "key", self.plan, depends=lambda _plan, subject, _place: subject == self.first.id)
        meanwhile()
        with self.store.writing(actor=SOMEBODY, now=NOW) as writing:
            study = writing.take(STUDY)
            return held(writing, study) == study.seq

    def writes(self, change):
        def write():
            with self.store.writing(actor=SOMEBODY, now=NOW) as writing:
                writing.take(STUDY)
                change(writing)

        return write


def test_what_is_planned_ahead_is_carried_out_where_nothing_happened(transfer):
    assert transfer.run(lambda: None)
    assert len(transfer.plans) == 1


def test_what_happened_elsewhere_does_not_matter(transfer):
    transfer.run(transfer.writes(lambda writing: put_diary(writing, transfer.other, "1", "3")))
    assert len(transfer.plans) == 1


def test_what_the_plan_depends_on_has_it_made_anew_with_all_that_is_there(transfer):
    assert transfer.run(transfer.writes(lambda writing: put_diary(writing, transfer.first, "1", "3")))
    assert len(transfer.plans) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda writing: add_subject(writing, "new"),
        lambda writing: writing.put_site(STUDY, Site("900", "A new one")),
    ],
    ids=["subject", "site"],
)
def test_a_change_of_the_study_itself_has_it_made_anew(transfer, change):
    assert transfer.run(transfer.writes(change))
    assert len(transfer.plans) == 2


def test_a_study_in_which_very_much_happened_is_planned_for_anew(transfer, monkeypatch):
    monkeypatch.setattr("keyfob.cdms.ahead._MOST", 2)

    def much(writing):
        for repeat in ("1", "2", "3"):
            put_diary(writing, transfer.other, repeat, "3")

    assert transfer.run(transfer.writes(much))
    assert len(transfer.plans) == 2


def test_nothing_is_planned_ahead_for_an_answer_that_is_given_again(transfer):
    with transfer.store.writing(actor=SOMEBODY, now=NOW) as writing:
        writing.keep_answer("cl_1", "key", StoredAnswer("asked", 200, (), b"{}"))
    plan_ahead(transfer.call, "key", transfer.plan, depends=lambda *_: True)
    assert transfer.plans == []


def test_an_item_group_that_was_changed_behind_the_plan_is_not_written_over(transfer):
    """Also where no record tells of it, as of the removal of one that was empty."""
    transfer.writes(lambda writing: put_diary(writing, transfer.first, "1", "3"))()
    with transfer.store.reading() as reading:
        (seen,) = reading.groups([transfer.first.id])[transfer.first.id]
    transfer.writes(lambda writing: writing.remove_group(seen))()
    with contextlib.ExitStack() as block:
        writing = block.enter_context(transfer.store.writing(actor=SOMEBODY, now=NOW))
        with pytest.raises(Problem, match="changed meanwhile"):
            writing.put_groups([(transfer.first, seen.data, seen)], version="MDV.1")

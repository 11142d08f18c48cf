"""The outbox: what is written with an act, once; delivered by one process at a time; lost by no crash."""

import contextlib

import pytest

from keyfob.problem import Problem
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.audit.events import Kind
from keyfob.server.notices.notice import BOTH, Notice, NoticeKind, Role
from keyfob.server.notices.post import PATIENCE, Post
from keyfob.server.storage import journal
from keyfob.server.storage.outbox import NO_CHANNEL, DeliveryState

WAYS = {Role.PARTNER: ("mail",), Role.OPERATOR: ("mail", "webhook")}
NO_WAYS = {Role.PARTNER: (), Role.OPERATOR: ()}


def notices(made, subject="credential1", **changed):
    facts = {"client_id": "cl_1", "expires_at": None}
    return [
        Notice(NoticeKind.CREDENTIAL_EXPIRES, subject, role, made.now, 30, "ptr_1", facts, **changed) for role in BOTH
    ]


def shown(parcels):
    return {(one.notice.recipient.value, one.channel, one.state.value) for one in parcels}


def test_a_notice_is_written_with_the_act_or_not_at_all(made):
    outbox = made.store.outbox
    with contextlib.suppress(RuntimeError), made.store.change(now=made.now, actor="operator:test") as change:
        change.notify(*notices(made))
        raise RuntimeError("the act failed")
    assert outbox.unrouted() == 0
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.record(Kind.CLIENT_SUSPENDED, client_id="cl_1")
        change.notify(*notices(made))
    assert outbox.unrouted() == 2
    assert outbox.has_work(made.now)


def test_what_is_written_twice_is_told_once_and_stays_as_it_was_first(made):
    outbox = made.store.outbox
    outbox.add(notices(made, attachment="first"))
    outbox.route(WAYS, made.now)
    outbox.add(notices(made, attachment="second"))
    outbox.route(WAYS, made.now)
    found = outbox.due(made.now)
    assert shown(found) == {
        ("partner", "mail", "waiting"),
        ("operator", "mail", "waiting"),
        ("operator", "webhook", "waiting"),
    }
    assert len(found) == 3
    assert {one.notice.attachment for one in found} == {"first"}
    (mine,) = [one for one in found if one.notice.recipient is Role.PARTNER]
    assert (mine.partner, mine.email, mine.notice) == ("Acme", "a@acme.example", notices(made, attachment="first")[0])


def test_a_failure_waits_and_a_delivery_is_over(made):
    outbox = made.store.outbox
    outbox.add(notices(made)[:1])
    outbox.route(WAYS, made.now)
    (one,) = outbox.due(made.now)
    outbox.failed(one, "away", next_at=made.now + 5, now=made.now)
    assert outbox.due(made.now + 4) == () and not outbox.has_work(made.now + 4)
    (again,) = outbox.due(made.now + 5)
    assert (again.attempts, again.reason) == (1, "away")
    outbox.delivered(again, made.now + 5)
    assert not outbox.has_work(made.now + 9999) and outbox.unsettled() == ()
    assert outbox.newest(5)[0].state is DeliveryState.DELIVERED


def test_what_was_given_up_or_had_no_way_is_kept_and_can_be_tried_again(made):
    outbox = made.store.outbox
    outbox.add(notices(made))
    outbox.route(NO_WAYS, made.now)
    assert shown(outbox.unsettled()) == {("partner", NO_CHANNEL, "unsent"), ("operator", NO_CHANNEL, "unsent")}
    assert not outbox.has_work(made.now)
    assert outbox.retry(None, made.now, dry_run=True) == 2
    assert outbox.retry(None, made.now) == 2
    outbox.route(WAYS, made.now)
    one, *others = outbox.due(made.now)
    outbox.failed(one, "never", next_at=None, now=made.now)
    assert [other.channel for other in outbox.due(made.now)] == [other.channel for other in others]
    assert outbox.retry(["ntc_unknown"], made.now) == 0
    assert outbox.retry([one.notice.id], made.now) == 1
    assert len(outbox.due(made.now)) == 3
    assert outbox.retry(None, made.now) == 0


class Nothing:
    """A calendar without an entry."""

    def is_due(self, now):
        return False

    def keep(self, now): ...


class Ways:
    """`outcomes`, by recipient: what is raised on each attempt."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.got = []

    def names(self):
        return {Role.PARTNER: ("mail",), Role.OPERATOR: ("mail",)}

    def deliver(self, notice, channel, *, email):
        self.got.append(notice.recipient.value)
        if (failure := self.outcomes.get(notice.recipient.value)) is not None:
            raise failure


def post(made, ways, now):
    made.lead = getattr(made, "lead", None) or made.store.lead()
    return Post(made.store.outbox, Nothing(), ways, clock=lambda: now, lead=made.lead)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (NotDelivered("away", again=True), "away"),
        (Problem("mail-password-open", "it is open", hint="x"), "it is open"),
        (KeyError("kfs_x"), "the server failed over it (KeyError): see its log"),
    ],
)
def test_what_fails_stands_in_nobodys_way_and_is_given_up_after_three_days(made, failure, reason):
    made.store.outbox.add(notices(made))
    ways = Ways(partner=failure)
    post(made, ways, made.now).round()
    assert sorted(ways.got) == ["operator", "partner"]
    (left,) = made.store.outbox.unsettled()
    assert (left.state, left.reason, left.attempts) == (DeliveryState.WAITING, reason, 1)
    post(made, ways, made.now + 4).round()
    post(made, ways, made.now + 5).round()
    assert ways.got.count("partner") == 2
    post(made, ways, made.now + PATIENCE).round()
    (left,) = made.store.outbox.unsettled()
    assert left.state is DeliveryState.DEAD


def test_while_another_leads_nothing_is_sent(made):
    made.store.outbox.add(notices(made))
    with contextlib.closing(made.open(made.path)) as other:
        lead = other.lead()
        assert lead.is_mine()
        ways = Ways()
        mine = post(made, ways, made.now)
        mine.round()
        assert ways.got == []
        lead.close()
        mine.round()
        assert sorted(ways.got) == ["operator", "partner"]


def test_what_is_very_old_is_forgotten(made):
    outbox = made.store.outbox
    outbox.add(notices(made))
    outbox.route(NO_WAYS, made.now)
    later = Notice(NoticeKind.TEST, "x", Role.OPERATOR, made.now + 401 * 24 * 3600)
    outbox.add([later])
    assert outbox.unsettled() == ()
    assert outbox.known([one.id for one in (*notices(made), later)]) == {later.id}


def test_a_glance_sees_only_the_newest_records_and_what_is_wrong_with_them(made):
    made.store.record_grants([made.grant(number) for number in range(20)], made.now)
    key = made.chain_key
    with made.store._database.read() as connection:
        seen = journal.glance(connection, key, 5)
        assert (seen.count, seen.findings) == (5, ())
        assert journal.glance(connection, key, 1000).count == journal.verify(connection, key, None).count
    with made.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE audit_record SET at = at + 1 WHERE sequence = 3")
    with made.store._database.read() as connection:
        assert journal.glance(connection, key, 5).findings == ()
        assert journal.glance(connection, key, 1000).findings
    with made.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE audit_record SET at = at + 1 WHERE sequence = 22")
    with made.store._database.read() as connection:
        assert journal.glance(connection, key, 5).findings

"""Kept messages, links and what is observed of a hand-off, on both databases."""

import json
import threading

from keyfob.server.audit.events import Kind
from keyfob.server.storage.records import HandoffLink

ARMORED = b"-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n"
LINK = "a" * 64


def offer(made, *, fetches=5, until=100):
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.keep_message("credential1", ARMORED, until=made.now + until)
        change.add_link(HandoffLink(LINK, "credential1", made.now + until, fetches))
        change.record(Kind.HANDOFF_LINK_MADE, credential_id="credential1")


def use(made, store, now):
    with store.change(now=now, actor="stranger") as change:
        return change.use_link(LINK)


def test_what_is_kept_comes_back_until_its_time_is_over(made):
    offer(made)
    with made.store.reading() as reading:
        assert reading.find_kept("credential1", now=made.now + 99) == ARMORED
        assert reading.find_kept("credential1", now=made.now + 100) is None
        assert reading.find_kept("credential2", now=made.now) is None
        assert reading.find_link(LINK) == HandoffLink(LINK, "credential1", made.now + 100, 5)
        assert reading.find_link("b" * 64) is None
        assert reading.client_id_of("credential1") == "cl_1"


def test_a_link_counts_down_and_is_dead_on_time(made):
    offer(made, fetches=2)
    assert not use(made, made.store, made.now + 100)
    assert [use(made, made.store, made.now + 99) for _ in range(3)] == [True, True, False]


def test_of_many_that_want_the_last_fetches_so_many_have_them(made):
    offer(made, fetches=3)
    stores = [made.open(made.path) for _ in range(4)]
    found = []
    threads = [
        threading.Thread(target=lambda store=store: found.extend(use(made, store, made.now) for _ in range(5)))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert found.count(True) == 3
    assert len(found) == 20


def test_an_observation_changes_no_right_and_the_first_receipt_stays(made):
    revision = made.store.revision()
    for number in (1, 2):
        with made.store.change(now=made.now + number, actor="stranger") as change:
            change.observe_delivery("credential1", address=f"192.0.2.{number}")
            assert change.observe_acknowledgement("credential1", address=f"192.0.2.{number}") is (number == 1)
    assert made.store.revision() == revision
    seen = made.store.find_client("cl_1").credential("credential1")
    assert (seen.delivered_at, seen.delivered_from) == (made.now + 2, "192.0.2.2")
    assert (seen.acknowledged_at, seen.acknowledged_from) == (made.now + 1, "192.0.2.1")
    made.store.record_grants([made.grant(1)], made.now + 3)
    with made.store.change(now=made.now + 4, actor="stranger") as change:
        change.observe_delivery("credential1", address="192.0.2.9")
    assert made.store.find_client("cl_1").credential("credential1").delivered_from == "192.0.2.2", "it is used already"


def test_a_first_use_from_another_place_is_told_once_and_is_in_the_audit(made):
    with made.store.change(now=made.now, actor="stranger") as change:
        change.observe_delivery("credential1", address="198.51.100.1")
    doubtful = []
    for number in (1, 2):
        made.store.record_grants([made.grant(number)], made.now + number, doubtful=doubtful)
    (one,) = doubtful
    assert (one.client_id, one.credential_id, one.address) == ("cl_1", "credential1", "192.0.2.7")
    assert "fetched from 198.51.100.1" in one.doubt
    records = [json.loads(record.payload) for record in made.store.audit_tail(10)]
    assert [record.get("unexpected") for record in records if record["kind"] == "credential_first_used"] == [one.doubt]

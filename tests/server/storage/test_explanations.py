"""Explanations are kept for a day within budgets: a flood neither fills the disk nor pushes others out."""

import pytest

from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import KEPT_FOR, Explanation
from keyfob.server.storage import explanations

NETWORKS = [f"10.{number}.0.1" for number in range(200)]


class Book:
    def __init__(self, made):
        self._made = made
        self.number = 0

    def one(self, address="192.0.2.7", *, cause=Cause.WRONG_SECRET, client="cl_1", at=None, **facts):
        self.number += 1
        at = self._made.now if at is None else at
        return Explanation(f"{self.number:032x}", at, "invalid_client", cause, client, address, facts)

    def keep(self, *batch, now=None):
        self._made.store.record_refusals([], self._made.now if now is None else now, explained=batch)

    def has(self, one, *, now=None, client_id=None):
        now = self._made.now if now is None else now
        return self._made.store.find_explanation(one.error_id, now=now, client_id=client_id) == one


@pytest.fixture
def book(made):
    return Book(made)


def test_what_is_kept_is_found_whole_and_by_its_own_client_only(book):
    one = book.one(clock_offset=7, live_credentials=["a"])
    stranger = book.one(client=None)
    book.keep(one, stranger)
    assert book.has(one)
    assert book.has(one, client_id="cl_1")
    assert not book.has(one, client_id="cl_2")
    assert book.has(stranger)
    assert not book.has(stranger, client_id="cl_1")


def test_it_is_gone_with_the_last_second_of_its_day(book, made):
    one = book.one()
    book.keep(one)
    assert book.has(one, now=made.now + KEPT_FOR - 1)
    assert not book.has(one, now=made.now + KEPT_FOR)
    book.keep(book.one(at=made.now + KEPT_FOR), now=made.now + KEPT_FOR)
    assert not book.has(one)  # also from the disk


def test_a_guesser_loses_his_own_oldest_and_nobody_elses(book, made):
    mine = book.one("198.51.100.9", at=made.now - 60)
    neighbour = book.one("192.0.2.7", client="cl_2", at=made.now - 60)
    first = book.one("192.0.2.7", at=made.now - 60)
    book.keep(mine, neighbour, first)
    for _ in range(3):
        book.keep(*(book.one("192.0.2.7") for _ in range(explanations.PER_HOLDER)))
    assert book.has(mine)
    assert book.has(neighbour)
    assert not book.has(first)


def test_what_a_holder_of_the_secret_caused_is_out_of_reach_of_all_others(book, made):
    proven = book.one("192.0.2.7", cause=Cause.CREDENTIAL_RETIRED, at=made.now - 60)
    book.keep(proven)
    for _ in range(3):
        book.keep(*(book.one("192.0.2.7") for _ in range(explanations.PER_HOLDER)))
    assert book.has(proven)


def test_one_write_is_short_and_a_flood_in_it_keeps_no_single_one_out(book):
    flood = [book.one(f"2001:db8:{number:x}::1", client=None) for number in range(1000)]
    single = book.one("198.51.100.9")
    book.keep(single, *flood)
    assert book.has(single)
    assert sum(book.has(one) for one in flood) == explanations.PER_WRITE - 1


def test_a_flood_from_many_networks_fills_no_more_than_there_is_room_and_keeps_the_few(book, made, monkeypatch):
    monkeypatch.setattr(explanations, "MAX_KEPT", 300)
    few = [book.one(address, at=made.now - 60) for address in NETWORKS[:20]]
    book.keep(*few)
    flood = []
    for round_ in range(10):
        at = made.now + round_
        flood += [book.one(f"2001:db8:{round_:x}:{number:x}::1", client=None, at=at) for number in range(100)]
        book.keep(*flood[-100:])
    assert all(book.has(one) for one in few)
    assert sum(book.has(one) for one in flood) <= 300 - 20
    assert any(book.has(one) for one in flood[-100:])


@pytest.mark.parametrize(
    ("sizes", "room", "height"), [([1, 1, 98], 50, 48), ([10, 10], 10, 5), ([1] * 20, 10, 1), ([3, 4], 100, 4)]
)
def test_the_large_are_cut_to_one_height(sizes, room, height):
    assert explanations._height(sizes, room) == height


def test_facts_that_are_too_long_are_left_out_and_the_reason_stays(book, made):
    one = book.one(granted=["x" * 200] * 50)
    book.keep(one)
    found = made.store.find_explanation(one.error_id, now=made.now)
    assert (found.cause, found.facts) == (one.cause, {})

"""What two writers do at the same instant, where they are not one after the other by nature."""

import re
import threading

import pytest

from cdms.storage.conftest import NOW, SOMEBODY, STUDY, add_subject, open_store
from keyfob.cdms.storage.records import StoredAnswer
from keyfob.problem import Problem


def at_once(*acts):
    failed = []

    def run(act):
        try:
            act()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


def test_an_idempotency_key_that_comes_twice_at_once_is_answered_once(store):
    """Also when it comes to two studies, whose writers do not wait for each other."""
    both, acted = threading.Barrier(2), []

    def act():
        with store.writing(actor=SOMEBODY, now=NOW) as writing:
            if writing.claim_key("cl_1", "key") and writing.reading.find_answer("cl_1", "key") is None:
                acted.append(1)
                writing.keep_answer("cl_1", "key", StoredAnswer("asked", 200, (), b""))

    assert at_once(*[lambda: (both.wait(60), act())] * 2) == []
    assert acted == [1]


def test_old_answers_are_forgotten_by_one_of_two_who_come_at_once(store):
    for number in range(20):
        with store.writing(actor=SOMEBODY, now=NOW) as writing:
            writing.keep_answer("cl_1", f"old{number}", StoredAnswer("asked", 200, (), b""))

    def keep(name):
        with store.writing(actor=SOMEBODY, now=NOW + 40 * 24 * 3600) as writing:
            writing.keep_answer("cl_2", name, StoredAnswer("asked", 200, (), b""))

    assert at_once(*[lambda name=f"k{number}": keep(name) for number in range(4)]) == []
    with store.reading() as reading:
        assert reading.find_answer("cl_1", "old0") is None
        assert reading.find_answer("cl_2", "k3") is not None


def test_a_proof_is_used_up_once_and_forgotten_after_its_end(store):
    """RFC 9449 §11.1."""
    a, b = (b"a" * 32, NOW + 60), (b"b" * 32, NOW + 60)
    use = store.use_proofs
    assert use([a, b, a], forget_before=NOW, patience=9) == {2}
    assert use([b], forget_before=NOW + 60, patience=9) == {0}
    assert use([b], forget_before=NOW + 61, patience=9) == frozenset()


def test_of_many_who_use_the_same_proofs_at_once_each_has_one_winner(store):
    proofs = [(bytes([number]) * 32, NOW + 60) for number in range(10)]
    stores = [store, *(open_store(store.place) for _ in range(3))]
    won = []

    def use(one, order):
        used = one.use_proofs(order, forget_before=NOW, patience=60)
        won.extend(proof for place, proof in enumerate(order) if place not in used)

    orders = [proofs, proofs[::-1], proofs[5:] + proofs[:5], proofs[::2] + proofs[1::2]]
    assert (
        at_once(*[lambda one=one, order=order: use(one, order) for one, order in zip(stores, orders, strict=True)])
        == []
    )
    assert sorted(won) == sorted(proofs)
    for one in stores[1:]:
        one.close()


KEYS = ("B", "a", "_", "É", "10", "9", "Z-1", "z 1")


def listed(store):
    with store.writing(actor=SOMEBODY, now=NOW) as writing:
        writing.take(STUDY)
        for key in KEYS:
            add_subject(writing, key)
    with store.reading() as reading:
        found = [subject.key for subject in reading.subjects(STUDY)]
        pages, after = [], None
        while page := reading.subjects(STUDY, after=after, limit=2):
            pages += [subject.key for subject in page]
            after = page[-1].id
    assert pages == found
    return found


def test_subjects_are_listed_in_the_order_of_their_bytes(store):
    assert listed(store) == sorted([*KEYS, "first"], key=str.encode)


@pytest.mark.on("postgresql")
def test_in_a_database_of_another_language_too(store, postgresql):
    name = "in_english"
    postgresql.sql(
        f"CREATE DATABASE {name} OWNER keyfob TEMPLATE template0 ENCODING 'UTF8' "
        "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    )
    was = re.search(r"/(\w+)\?", store.place)[1]
    dump = postgresql.dump(was)
    postgresql.sql(f"SET ROLE keyfob;\n{dump}", name)
    other = open_store(postgresql.url(name))
    assert listed(other) == sorted([*KEYS, "first"], key=str.encode)
    other.close()


def test_the_times_of_a_trail_never_run_backwards(store):
    """ICH E6(R3) 4.2.2(d): a clock that is a little behind is passed over, another writes nothing."""
    for now in (NOW + 100, NOW + 50):
        with store.writing(actor=SOMEBODY, now=now) as writing:
            writing.take(STUDY)
            add_subject(writing, f"at {now}")
    with (
        pytest.raises(Problem, match="the clock is 61 s behind"),
        store.writing(actor=SOMEBODY, now=NOW + 39) as writing,
    ):
        writing.take(STUDY)
    with pytest.raises(Problem, match="behind the audit trail"):
        store.check_clock(NOW)
    store.check_clock(NOW + 40)
    with store.reading() as reading:
        assert [entry.at for entry in reading.audit(STUDY, after=3)] == [NOW + 100] * 2
    assert store.audit_verdict(STUDY).findings == ()

"""PostgreSQL, where writers run side by side: each has a chain of its own, and no change of rights is lost."""

import threading
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from keyfob.server.audit import events
from keyfob.server.audit.chain import Heads
from keyfob.server.audit.events import Kind
from keyfob.server.storage.records import State
from keyfob.server.storage.schema import audit_record as table

pytestmark = pytest.mark.on("postgresql")


@pytest.fixture
def two_chains(made):
    """main and writer-2, some records each, in turns."""
    other = made.open(made.path)
    for number in range(4):
        made.store.record_grants([made.grant(number)], made.now + number)
        with made.store._database.write() as connection:
            made.store._journal.seat.take(connection)
            other.record_grants([made.grant(f"other{number}")], made.now + number)
    other.close()
    return made


def writers(made):
    return {record.writer for record in made.store.audit_tail(1000)}


def write(made, *statements):
    with made.store._database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def chain_of(name):
    return table.c.writer == name


def test_who_finds_a_chain_taken_begins_one_that_names_the_others_heads(two_chains):
    assert writers(two_chains) == {"main", "writer-2"}
    first = next(record for record in two_chains.store.audit_tail(1000) if record.writer == "writer-2")
    said = events.read(first.payload)
    assert (first.sequence, said["kind"]) == (1, "chain_started")
    (named,) = said["heads"]
    assert named.startswith("main@")
    verdict = two_chains.store.audit_verdict()
    assert verdict.findings == ()
    assert verdict.count == len(two_chains.store.audit_tail(1000))
    assert two_chains.store.audit_verdict(expect=Heads.parse(str(verdict.heads))).findings == ()


@pytest.mark.parametrize("name", ["main", "writer-2"])
@pytest.mark.parametrize(
    "statement",
    [
        lambda here: sa.update(table).where(here, table.c.sequence == 3).values(payload=b"{}"),
        lambda here: sa.delete(table).where(here, table.c.sequence == 3),
        lambda here: sa.update(table).where(here, table.c.sequence == 3).values(at=table.c.at - 60),
        lambda here: sa.delete(table).where(here, table.c.sequence == 1),
    ],
    ids=["altered", "deleted", "dated back", "the first deleted"],
)
def test_tampering_with_any_chain_is_found(two_chains, name, statement):
    write(two_chains, statement(chain_of(name)))
    findings = two_chains.store.audit_verdict().findings
    assert findings
    assert all(
        finding.startswith("writer-2: ") is (name == "writer-2") or "main was cut" in finding for finding in findings
    )


def test_a_record_moved_to_another_chain_is_found(two_chains):
    newest = two_chains.store.audit_head().of["writer-2"].sequence
    last = chain_of("main") & (table.c.sequence > newest)
    write(two_chains, sa.update(table).where(last).values(writer="writer-2"))
    assert two_chains.store.audit_verdict().findings


def test_a_chain_cut_below_what_another_saw_is_found_without_an_expected_head(two_chains):
    write(two_chains, sa.delete(table).where(chain_of("main"), table.c.sequence > 2))
    assert [finding for finding in two_chains.store.audit_verdict().findings if "main was cut" in finding]
    write(two_chains, sa.delete(table).where(chain_of("main")))
    assert two_chains.store.audit_verdict().findings


@pytest.mark.parametrize("cut", [chain_of("writer-2") & (table.c.sequence > 2), chain_of("writer-2")])
def test_a_cut_or_missing_chain_is_found_against_the_heads_that_were_noted(two_chains, cut):
    heads = Heads.parse(str(two_chains.store.audit_head()))
    write(two_chains, sa.delete(table).where(cut))
    assert two_chains.store.audit_verdict().findings == (), "that end was seen by nobody"
    assert two_chains.store.audit_verdict(expect=heads).findings


def add_successor(made):
    successor = replace(made.credential, id="credential2", replaces="credential1", created_at=made.now + 1)
    with made.store.change(now=made.now + 1, actor="operator:test") as change:
        change.add_credential(successor, made.message_for(successor))
        change.record(Kind.CREDENTIAL_SEALED, credential_id="credential2")


def waits_for_a_lock(made):
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(str(made.store._database.scalar(waiting))) > 0


def test_a_first_use_never_gives_back_what_is_being_revoked(made):
    """The successor's first use retires the old credential, and would overwrite a revocation that it has not seen."""
    add_successor(made)
    other = made.open(made.path)
    using = threading.Thread(
        target=other.record_grants, args=([made.grant(1, credential_id="credential2")], made.now + 5)
    )
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.set_credential_state("credential1", State.REVOKED)
        change.record(Kind.CREDENTIAL_REVOKED, credential_id="credential1")
        using.start()
        deadline = time.monotonic() + 30
        while not waits_for_a_lock(made):
            assert time.monotonic() < deadline
    using.join()
    other.close()
    assert made.store.find_client("cl_1").credential("credential1").state is State.REVOKED
    assert made.store.find_client("cl_1").credential("credential2").first_used_at == made.now + 5


def test_revisions_and_what_they_stand_for_come_in_the_order_of_commits(made):
    """Two changes at once: the second waits, and gets the later number."""
    revision = made.store.revision()
    threads = [threading.Thread(target=suspend_or_resume, args=(made, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.store.revision() == revision + 8
    assert made.store.audit_verdict().findings == ()


def suspend_or_resume(made, number):
    state = (State.SUSPENDED, State.ACTIVE)[number % 2]
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.set_client_state("cl_1", state)
        change.record(Kind.CLIENT_SUSPENDED, client_id="cl_1")


def test_batches_that_name_the_same_credentials_in_another_order_never_wait_in_a_circle(made):
    add_successor(made)
    made.store.record_grants([made.grant(1), made.grant(2, credential_id="credential2")], made.now)
    other = made.open(made.path)

    def work(store, names):
        for number in range(60):
            batch = [made.grant(f"{names[0]}{number}{name}", credential_id=name) for name in names]
            store.record_grants(batch, made.now + number)

    names = ["credential1", "credential2"]
    failed = []
    hook, threading.excepthook = threading.excepthook, failed.append
    threads = [threading.Thread(target=work, args=pair) for pair in ((made.store, names), (other, names[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threading.excepthook = hook
    other.close()
    assert failed == []
    verdict = made.store.audit_verdict()
    assert verdict.findings == ()
    kinds = [events.read(record.payload)["kind"] for record in made.store.audit_tail(10_000)]
    assert kinds.count("token_issued") == 2 + 2 * 60 * 2

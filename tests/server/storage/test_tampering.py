"""Who can write the database cannot rewrite the audit trail unseen: each kind of tampering is found."""

import pytest
import sqlalchemy as sa

from keyfob import ledger
from keyfob.secret import Secret
from keyfob.server.audit import chain
from keyfob.server.storage.schema import audit_record as table


@pytest.fixture
def trail(made):
    """Some grants on record, and the head that was noted of them."""
    for number in range(6):
        made.store.record_grants([made.grant(number)], made.now + number)
    assert made.store.audit_verdict().findings == ()
    return made


def write(trail, *statements):
    with trail.store._database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def rows(trail):
    with trail.store._database.read() as connection:
        return [row._asdict() for row in connection.execute(sa.select(table).order_by("sequence"))]


def at(sequence):
    return table.c.sequence == sequence


def altered(trail):
    payload = rows(trail)[4]["payload"].replace(b"test", b"root")
    write(trail, sa.update(table).where(at(5)).values(payload=payload))


def altered_with_its_commitment(trail):
    """The forger fits the commitment to the new payload, but has no key for the link."""
    row = rows(trail)[4]
    payload = row["payload"].replace(b"test", b"root")
    values = {"payload": payload, "commitment": ledger.commit(row["salt"], payload)}
    write(trail, sa.update(table).where(at(5)).values(values))


def dated_back(trail):
    write(trail, sa.update(table).where(at(5)).values(at=table.c.at - 3600))


def deleted(trail):
    write(trail, sa.delete(table).where(at(5)))


def first_deleted(trail):
    write(trail, sa.delete(table).where(at(1)))


def deleted_and_closed_up(trail):
    moves = [sa.update(table).where(at(n)).values(sequence=n - 1) for n in range(6, len(rows(trail)) + 1)]
    write(trail, sa.delete(table).where(at(5)), *moves)


def inserted(trail):
    every = rows(trail)
    moves = [sa.update(table).where(at(n)).values(sequence=n + 1) for n in range(len(every), 4, -1)]
    write(trail, *moves, sa.insert(table).values({**every[3], "sequence": 5}))


def swapped(trail):
    write(
        trail,
        sa.update(table).where(at(4)).values(sequence=-1),
        sa.update(table).where(at(5)).values(sequence=4),
        sa.update(table).where(at(-1)).values(sequence=5),
    )


def swapped_in_content(trail):
    every = rows(trail)
    content = [{name: row[name] for name in ("at", "salt", "payload", "commitment")} for row in every]
    write(
        trail,
        sa.update(table).where(at(4)).values(content[4]),
        sa.update(table).where(at(5)).values(content[3]),
    )


def chained_anew(trail):
    """Everything after the change computed afresh, as the program would, under a guessed key."""
    every = rows(trail)
    payloads = [row["payload"].replace(b"test", b"root") for row in every]
    key = chain.writer_key(Secret(b"guess" * 8), chain.MAIN)
    anew = chain.extend(None, payloads, key=key, salts=[row["salt"] for row in every], now=every[0]["at"])
    for entry in anew:
        values = {"at": entry.at, "payload": entry.payload, "commitment": entry.commitment, "link": entry.link}
        write(trail, sa.update(table).where(at(entry.sequence)).values(values))


def of_another_type(trail):
    """SQLite takes it; reading must not stumble over it."""
    write(trail, sa.text("UPDATE audit_record SET payload = 'text', at = 'soon', link = 7 WHERE sequence = 5"))


def numbered_with_a_word(trail):
    write(trail, sa.text("UPDATE audit_record SET sequence = 'five' WHERE sequence = 5"))


def half_blanked(trail):
    write(trail, sa.update(table).where(at(5)).values(payload=None))


def blanked(trail):
    write(trail, sa.update(table).where(at(5)).values(payload=None, salt=None))


def all_blanked(trail):
    write(trail, sa.update(table).values(payload=None, salt=None))


def moved_to_another_writer(trail):
    write(trail, sa.update(table).where(table.c.sequence > 4).values(writer="other"))


TAMPERINGS = [
    altered,
    altered_with_its_commitment,
    dated_back,
    deleted,
    first_deleted,
    deleted_and_closed_up,
    inserted,
    swapped,
    swapped_in_content,
    chained_anew,
    half_blanked,
    blanked,
    all_blanked,
    moved_to_another_writer,
]


@pytest.mark.on("sqlite")
@pytest.mark.parametrize("tamper", [of_another_type, numbered_with_a_word])
def test_rows_that_hold_another_type_are_found(trail, tamper):
    """Only SQLite lets a forger put them in."""
    tamper(trail)
    assert trail.store.audit_verdict().findings


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_tampering_with_the_rows_is_found_without_an_expected_head(trail, tamper):
    tamper(trail)
    assert trail.store.audit_verdict().findings


def test_a_cut_tail_is_found_against_the_head_that_was_noted(trail):
    head = trail.store.audit_head()
    write(trail, sa.delete(table).where(table.c.sequence > 5))
    assert trail.store.audit_verdict().findings == (), "a chain alone cannot show this"
    (finding,) = trail.store.audit_verdict(expect=head).findings
    assert "cut" in finding


def test_a_tail_that_was_cut_and_grew_again_is_found_against_the_head(trail):
    head = trail.store.audit_head()
    write(trail, sa.delete(table).where(table.c.sequence > 5))
    trail.store.record_grants([trail.grant(n) for n in range(20, 40)], trail.now + 50)
    assert trail.store.audit_verdict().findings == ()
    assert trail.store.audit_verdict(expect=head).findings


def test_an_emptied_trail_is_found_against_the_head(trail):
    head = trail.store.audit_head()
    write(trail, sa.delete(table))
    assert trail.store.audit_verdict(expect=head).findings
    assert str(trail.store.audit_head()) == str(ledger.Head(0, ledger.GENESIS))


def test_what_was_found_whole_before_is_not_walked_again_but_must_be_there(trail):
    seen = trail.store.audit_verdict().heads
    trail.store.record_grants([trail.grant(n) for n in range(20, 25)], trail.now + 50)
    verdict = trail.store.audit_verdict(since=seen)
    assert (verdict.count, verdict.findings) == (5, ())
    assert str(verdict.heads) == str(trail.store.audit_head())
    assert trail.store.audit_verdict(since=verdict.heads).count == 0
    write(trail, sa.update(table).where(table.c.sequence == seen.of["main"].sequence + 2).values(payload=b"{}"))
    (finding,) = trail.store.audit_verdict(since=seen).findings
    assert "altered" in finding


@pytest.mark.parametrize("cut", [sa.delete(table), sa.delete(table).where(table.c.sequence > 5)])
def test_a_trail_that_lost_what_was_found_whole_is_found_out(trail, cut):
    seen = trail.store.audit_verdict().heads
    write(trail, cut)
    assert "not there as it was seen" in trail.store.audit_verdict(since=seen).findings[0]
    trail.store.record_grants([trail.grant(n) for n in range(20, 60)], trail.now + 50)
    assert trail.store.audit_verdict(since=seen).findings, "also when it has grown again"

"""keyfob.ledger: every kind of tampering is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import ledger
from keyfob.ledger import Entry, Head
from keyfob.problem import Misuse
from keyfob.secret import Secret

KEY = Secret(b"k" * 32)


def write(payloads: list[bytes], key: Secret = KEY) -> list[Entry]:
    entries: list[Entry] = []
    previous = ledger.GENESIS
    for sequence, payload in enumerate(payloads, start=1):
        salt = sequence.to_bytes(16, "big")
        commitment = ledger.commit(salt, payload)
        previous = ledger.link(key, previous, sequence=sequence, at=1000 + sequence, commitment=commitment)
        entries.append(Entry(sequence, 1000 + sequence, salt, payload, commitment, previous))
    return entries


FIVE = [b"one", b"two", b"three", b"four", b"five"]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_what_was_written_in_order_is_whole(payloads: list[bytes]):
    entries = write(payloads)
    verdict = ledger.verify(entries, KEY)
    assert verdict.findings == ()
    assert verdict.count == verdict.head.sequence == len(payloads)
    assert ledger.verify(entries, KEY, expect=verdict.head).findings == ()
    assert Head.parse(str(verdict.head)) == verdict.head


def altered(entries):
    entries[2] = replace(entries[2], payload=b"THREE")


def altered_time(entries):
    entries[2] = replace(entries[2], at=entries[2].at - 3600)


def deleted(entries):
    del entries[2]


def first_deleted(entries):
    del entries[0]


def inserted(entries):
    entries.insert(2, entries[2])


def swapped(entries):
    a, b = entries[1], entries[3]
    entries[1] = replace(b, sequence=a.sequence)
    entries[3] = replace(a, sequence=b.sequence)


def chained_anew_without_the_key(entries):
    entries[:] = write([b"one", b"two", b"THREE", b"four", b"five"], key=Secret(b"guess" * 8))


def half_blanked(entries):
    entries[2] = replace(entries[2], payload=None)


def blanked(entries):
    entries[2] = replace(entries[2], payload=None, salt=None)


def all_blanked(entries):
    entries[:] = [replace(entry, payload=None, salt=None) for entry in entries]


@pytest.mark.parametrize(
    "tamper",
    [
        altered,
        altered_time,
        deleted,
        first_deleted,
        inserted,
        swapped,
        chained_anew_without_the_key,
        half_blanked,
        blanked,
        all_blanked,
    ],
)
def test_tampering_is_found(tamper):
    entries = write(FIVE)
    tamper(entries)
    assert ledger.verify(entries, KEY).findings


def test_a_cut_tail_is_found_against_the_expected_head_only():
    entries = write(FIVE)
    head = ledger.verify(entries, KEY).head
    assert ledger.verify(entries[:3], KEY).findings == ()
    assert "ends at 3" in ledger.verify(entries[:3], KEY, expect=head).findings[0]
    assert ledger.verify(entries[:0], KEY, expect=head).findings


def test_a_tail_cut_and_grown_again_is_found_against_the_expected_head():
    head = ledger.verify(write(FIVE), KEY).head
    assert ledger.verify(write([*FIVE[:4], b"other", b"more"]), KEY, expect=head).findings


def test_a_longer_log_still_holds_an_earlier_head():
    head = ledger.verify(write(FIVE[:3]), KEY).head
    assert ledger.verify(write(FIVE), KEY, expect=head).findings == ()


@given(st.text(max_size=90))
def test_a_head_is_parsed_or_refused_as_misuse(text: str):
    try:
        head = Head.parse(text)
    except Misuse:
        return
    assert str(head).partition(":")[2] == text.strip().partition(":")[2]


def test_many_findings_are_cut_and_counted():
    entries = [replace(entry, link=bytes(32)) for entry in write([b"x"] * 50)]
    findings = ledger.verify(entries, KEY).findings
    assert len(findings) == 21
    assert "more" in findings[-1]

"""Chains: each writer's own key, entries that follow the head, and pseudonyms that say nothing."""

from keyfob import ledger
from keyfob.secret import Secret
from keyfob.server.audit import chain

KEY = Secret(b"k" * 32)
SALTS = [bytes([n]) * 16 for n in range(4)]


def test_entries_follow_the_head():
    first = chain.extend(None, [b"a", b"b"], key=KEY, salts=SALTS[:2], now=10)
    head = ledger.Head(first[-1].sequence, first[-1].link)
    second = chain.extend(head, [b"c"], key=KEY, salts=SALTS[2:3], now=11)
    assert ledger.verify([*first, *second], KEY).findings == ()
    assert [entry.sequence for entry in (*first, *second)] == [1, 2, 3]


def test_a_record_does_not_fit_into_another_writers_chain():
    one, other = chain.writer_key(KEY, "one"), chain.writer_key(KEY, "other")
    assert one != other
    entries = chain.extend(None, [b"a"], key=one, salts=SALTS[:1], now=10)
    assert ledger.verify(entries, other).findings


def test_a_pseudonym_is_stable_keyed_and_not_the_text():
    presented = Secret("presented")
    assert chain.pseudonym(KEY, presented) == chain.pseudonym(KEY, Secret("presented"))
    assert chain.pseudonym(KEY, presented) != chain.pseudonym(Secret(b"z" * 32), presented)
    assert chain.pseudonym(KEY, presented) != chain.pseudonym(KEY, Secret("presented2"))
    assert "presented" not in chain.pseudonym(KEY, presented)

"""keyfob.server.lifecycle.registration_tokens: which tokens of a chain are good, and which are a sign of misuse."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret
from keyfob.server.lifecycle import registration_tokens as chain
from keyfob.server.lifecycle.registration_tokens import LIFETIME, Replayed
from keyfob.server.refusals.causes import Cause
from keyfob.server.secret_hash import Pepper
from keyfob.server.storage.records import Registration

NOW = 1_800_000_000
PEPPER = Pepper("1", Secret(b"p" * 32))
REGISTRATION = Registration("cl_1", "allowance1", {})


class Chain:
    """What the database does with it, in memory; tokens are called by their generation."""

    def __init__(self) -> None:
        self.count = 0
        self.records = {}
        self._add(chain.first("cl_1", PEPPER, now=NOW, entropy=self.entropy)[0])

    def entropy(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")

    def _add(self, record) -> int:
        self.records[record.generation] = record
        return record.generation

    @property
    def newest(self):
        return self.records[max(self.records)]

    def check(self, generation: int, *, now: int = NOW, registration=REGISTRATION) -> None:
        chain.check(self.records[generation], self.newest, registration, now=now)

    def use(self, generation: int) -> int:
        """The token that is given for it."""
        self.check(generation)
        parent = self.records[generation] = replace(self.records[generation], used_at=NOW)
        return self._add(chain.after(self.newest, parent, PEPPER, now=NOW, entropy=self.entropy)[0])

    def good(self) -> set[int]:
        found = set()
        for generation in self.records:
            try:
                self.check(generation)
            except InvalidToken:
                continue
            found.add(generation)
        return found


def test_the_story_in_the_modules_first_lines_is_true():
    tokens = Chain()
    assert tokens.use(1) == 2
    assert tokens.good() == {1, 2}
    assert tokens.use(1) == 3  # the answer with 2 got lost
    assert tokens.good() == {1, 3}
    assert tokens.use(3) == 4
    assert tokens.good() == {3, 4}
    for out in (1, 2):
        with pytest.raises(Replayed):
            tokens.use(out)


@given(st.lists(st.booleans(), max_size=30))
def test_nobody_is_ever_locked_out_by_an_answer_that_got_lost(lost):
    """RFC 7592 §5: the client holds what it last received, whatever of the answers came through."""
    tokens, held = Chain(), 1
    for is_lost in lost:
        given = tokens.use(held)
        held = held if is_lost else given
        assert held in tokens.good()


@given(st.lists(st.sampled_from(["client", "thief"]), max_size=20))
def test_two_who_hold_one_token_are_found_out_at_the_latest_when_the_first_comes_back(turns):
    """RFC 7592 §5: one, then the other, then the first again: one of the two has shown a token that is out."""
    tokens, held = Chain(), {"client": 1, "thief": 1}
    changes = sum(one != other for one, other in pairwise(turns))
    found_out = False
    for who in turns:
        try:
            held[who] = tokens.use(held[who])
        except Replayed:
            found_out = True
            break
    assert found_out or changes < 2
    assert not (found_out and changes == 0)


def test_a_token_is_good_until_the_second_in_which_it_expires():
    tokens = Chain()
    tokens.check(1, now=NOW + LIFETIME - 1)
    with pytest.raises(InvalidToken) as refused:
        tokens.check(1, now=NOW + LIFETIME)
    assert refused.value.detail is Cause.REGISTRATION_TOKEN_EXPIRED
    assert not isinstance(refused.value, Replayed)


def test_after_the_end_of_the_chain_none_is_good_and_none_is_a_replay():
    tokens = Chain()
    for _ in range(3):
        tokens.use(max(tokens.records))
    for generation in tokens.records:
        with pytest.raises(InvalidToken) as refused:
            tokens.check(generation, registration=replace(REGISTRATION, ended_at=NOW))
        assert refused.value.detail is Cause.REGISTRATION_ENDED


def test_what_the_operator_gives_replaces_all_others():
    tokens = Chain()
    tokens.use(1)
    tokens._add(chain.after(tokens.newest, None, PEPPER, now=NOW, entropy=tokens.entropy)[0])
    assert tokens.good() == {3}


def test_a_token_has_a_form_of_its_own_and_is_kept_as_a_hash():
    record, secret = chain.first("cl_1", PEPPER, now=NOW, entropy=bytes)
    assert client_secret.credential_id(secret, prefix=Prefix.REGISTRATION_ACCESS_TOKEN) == record.id
    assert client_secret.credential_id(secret) is None
    assert client_secret.credential_id(secret, prefix=Prefix.INITIAL_ACCESS_TOKEN) is None
    assert secret.reveal() not in repr(record)
    assert secret.reveal().split("_")[2] not in record.token_hash

"""Which credential a rotation concerns: a successor takes nothing away before its first use."""

from dataclasses import replace

import pytest

from keyfob.server.lifecycle import rotation
from keyfob.server.storage.records import Credential, State

FIRST = Credential(
    id="first",
    client_id="cl_1",
    state=State.ACTIVE,
    secret_hash="",
    not_before=0,
    expires_at=100_000,
    created_at=0,
    replaces=None,
    overlap=700,
    first_use_by=None,
    overlap_ends_at=None,
    sealed_at=0,
    delivered_at=None,
    acknowledged_at=None,
    first_used_at=None,
    first_used_from=None,
    last_used_at=None,
    last_used_from=None,
)
SECOND = replace(FIRST, id="second", replaces="first", overlap=500, first_use_by=1000, created_at=1)
THIRD = replace(SECOND, id="third", replaces="second", created_at=2)


def test_the_first_use_of_a_successor_starts_its_own_overlap_for_what_it_replaces():
    found = rotation.on_first_use((FIRST, SECOND), "second", 60)
    assert found == rotation.Retirement("first", State.RETIRING, 560)


@pytest.mark.parametrize("credential_id", ["first", "unknown"])
def test_the_first_use_of_anything_else_ends_nothing(credential_id):
    assert rotation.on_first_use((FIRST, SECOND), credential_id, 60) is None


@pytest.mark.parametrize("state", [State.RETIRING, State.RETIRED, State.REVOKED, State.EXPIRED])
def test_an_old_credential_that_ends_already_is_left_as_it_is(state):
    assert rotation.on_first_use((replace(FIRST, state=state), SECOND), "second", 60) is None


def test_an_old_credential_that_has_expired_by_the_clock_is_left_as_it_is():
    assert rotation.on_first_use((replace(FIRST, expires_at=60), SECOND), "second", 60) is None


@pytest.mark.parametrize("state", [State.RETIRED, State.REVOKED])
def test_a_use_that_is_recorded_after_its_successor_was_withdrawn_ends_nothing(state):
    """Its request had begun before: else the old secret would die for one that does not work."""
    assert rotation.on_first_use((FIRST, replace(SECOND, state=state, first_used_at=60)), "second", 60) is None


def test_what_is_replaced_is_the_newest_active_credential_that_is_no_unopened_successor():
    assert rotation.current((FIRST,), 5) is FIRST
    assert rotation.current((FIRST, SECOND), 5) is FIRST
    used = replace(SECOND, first_used_at=4)
    assert rotation.current((replace(FIRST, state=State.RETIRING, overlap_ends_at=90), used, THIRD), 5) is used
    assert rotation.current((replace(FIRST, state=State.REVOKED),), 5) is None
    assert rotation.current((FIRST,), FIRST.expires_at) is None
    assert rotation.current((), 5) is None


def test_an_unopened_successor_is_one_until_it_is_used_or_too_late():
    assert rotation.unopened_successors((FIRST, SECOND), 999) == (SECOND,)
    assert rotation.unopened_successors((FIRST, SECOND), 1000) == ()
    assert rotation.unopened_successors((FIRST, replace(SECOND, first_used_at=3)), 5) == ()


def test_an_overlap_runs_until_its_end():
    old = replace(FIRST, state=State.RETIRING, overlap_ends_at=90)
    assert rotation.retiring((old, SECOND), 89) == (old,)
    assert rotation.retiring((old, SECOND), 90) == ()

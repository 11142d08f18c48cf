"""The table of transitions, and who may authenticate at which second."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.problem import Problem
from keyfob.server.lifecycle import states
from keyfob.server.lifecycle.states import Event, after, effective, is_usable
from keyfob.server.storage.records import Credential, State

CREDENTIAL = Credential(
    id="c1",
    client_id="cl_1",
    state=State.ACTIVE,
    secret_hash="",
    not_before=100,
    expires_at=1000,
    created_at=100,
    replaces=None,
    overlap=50,
    first_use_by=None,
    overlap_ends_at=None,
    sealed_at=None,
    delivered_at=None,
    acknowledged_at=None,
    first_used_at=None,
    first_used_from=None,
    last_used_at=None,
    last_used_from=None,
)
CLIENT = SimpleNamespace(id="cl_1", state=State.ACTIVE)


def usable(credential=CREDENTIAL, client=CLIENT, partner=State.ACTIVE, now=500):
    return is_usable(credential, client, partner, now)


def test_nothing_leaves_revoked_but_for_good():
    left = {event: end for (state, event), end in states.TRANSITIONS.items() if state is State.REVOKED}
    assert left == {Event.DELETE: State.DELETED}
    assert not [event for state, event in states.TRANSITIONS if state is State.DELETED]


def test_the_two_halves_of_the_table_share_nothing_but_revoke():
    both = {event for _, event in states.OF_CREDENTIALS} & {event for _, event in states.OF_CLIENTS_AND_PARTNERS}
    assert both == {Event.REVOKE}
    assert set(states.MEANING) == set(Event) == {event for _, event in states.TRANSITIONS}


def test_nothing_but_resume_leads_back_to_active():
    back = {event for (state, event), end in states.TRANSITIONS.items() if end is State.ACTIVE}
    assert back == {Event.RESUME}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_what_the_table_does_not_name_is_refused(state, event):
    if (state, event) in states.TRANSITIONS:
        assert after(state, event) is states.TRANSITIONS[state, event]
    else:
        with pytest.raises(Problem) as refused:
            after(state, event)
        assert refused.value.code == "wrong-state"


@pytest.mark.parametrize(("now", "wanted"), [(99, False), (100, True), (999, True), (1000, False)])
def test_a_credential_works_from_its_first_second_to_before_its_expiry(now, wanted):
    assert usable(now=now) is wanted


@pytest.mark.parametrize("state", State)
def test_only_active_and_retiring_credentials_work(state):
    assert usable(replace(CREDENTIAL, state=state)) is (state in (State.ACTIVE, State.RETIRING))


@pytest.mark.parametrize("state", State)
def test_only_an_active_client_of_an_active_partner_may_authenticate(state):
    wanted = state is State.ACTIVE
    assert usable(client=SimpleNamespace(id="cl_1", state=state)) is wanted
    assert usable(partner=state) is wanted


def test_a_credential_of_another_client_does_not_work():
    assert not usable(replace(CREDENTIAL, client_id="cl_2"))


@pytest.mark.parametrize(("now", "state"), [(599, State.RETIRING), (600, State.RETIRED), (1000, State.EXPIRED)])
def test_the_overlap_ends_by_the_clock(now, state):
    assert effective(replace(CREDENTIAL, state=State.RETIRING, overlap_ends_at=600), now) is state


@pytest.mark.parametrize(("now", "state"), [(599, State.ACTIVE), (600, State.EXPIRED)])
def test_a_successor_that_nobody_opened_expires_by_the_clock(now, state):
    assert effective(replace(CREDENTIAL, first_use_by=600), now) is state


def test_a_successor_that_was_used_in_time_lives_on():
    assert effective(replace(CREDENTIAL, first_use_by=600, first_used_at=599), 700) is State.ACTIVE


@given(
    st.sampled_from(State),
    st.none() | st.integers(0, 1200),
    st.none() | st.integers(0, 1200),
    st.integers(0, 1200),
    st.integers(0, 1200),
)
def test_time_only_takes_rights_away(state, overlap_ends_at, first_use_by, now, later):
    """Once the dates have ended a credential, no later second brings it back."""
    credential = replace(CREDENTIAL, state=state, overlap_ends_at=overlap_ends_at, first_use_by=first_use_by)
    if now >= credential.not_before and later >= now and not usable(credential, now=now):
        assert not usable(credential, now=later)

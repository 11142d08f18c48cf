"""What the calendar asks for: each threshold once, the nearest after a pause, and the certificate before a rotation."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth.client_authentication import Method
from keyfob.server.notices import due as dates
from keyfob.server.notices.due import CREDENTIAL_DAYS, Certified
from keyfob.server.notices.notice import NoticeKind, Role
from keyfob.server.storage.records import Credential, State
from keyfob.server.storage.standing import Standing

DAY = 24 * 3600
NOW = 1_800_000_000
END = NOW + 365 * DAY
CREDENTIAL = Credential(
    id="first",
    client_id="cl_1",
    state=State.ACTIVE,
    secret_hash="",
    not_before=NOW,
    expires_at=END,
    created_at=NOW,
    replaces=None,
    overlap=7 * DAY,
    first_use_by=None,
    overlap_ends_at=None,
    sealed_at=NOW,
    delivered_at=None,
    acknowledged_at=None,
    first_used_at=NOW,
    first_used_from=None,
    last_used_at=None,
    last_used_from=None,
)


def standing(**changed):
    return Standing(dataclasses.replace(CREDENTIAL, **changed), "sync", Method.CLIENT_SECRET_BASIC, "ptr_1", "Acme")


def asked(now, *standings, certified=(), ahead=0):
    return dates.due(standings or (standing(),), certified, now, ahead=ahead)


def told(found):
    return {(one.kind, one.threshold) for one in found.notices}


def test_each_threshold_of_a_year_is_told_once_to_both_sides_from_its_second_on():
    seen, now = [], NOW
    while now < END:
        found = asked(now)
        seen += [notice for notice in found.notices if notice.id not in {one.id for one in seen}]
        now = END if found.next_at is None else found.next_at
    assert [(one.threshold, one.recipient, one.at) for one in seen] == [
        (days, role, END - days * DAY) for days in CREDENTIAL_DAYS for role in (Role.PARTNER, Role.OPERATOR)
    ]
    assert asked(END - 90 * DAY - 1).notices == ()


def test_a_server_that_was_off_tells_only_the_nearest():
    assert told(asked(END - 6 * DAY)) == {(NoticeKind.CREDENTIAL_EXPIRES, 7)}
    assert told(asked(END - 1)) == {(NoticeKind.CREDENTIAL_EXPIRES, 1)}


def test_what_has_ended_or_is_followed_is_not_told():
    soon = END - 3 * DAY
    assert asked(END).notices == ()
    assert asked(soon, standing(state=State.RETIRING, overlap_ends_at=END)).notices == ()
    assert asked(soon, standing(first_used_at=None, first_use_by=soon)).notices == ()
    assert asked(soon, standing(expires_at=253402300799, sealed_at=None)) == dates.Due((), None)


def test_a_short_lived_credential_is_not_told_at_its_birth():
    brief = {"expires_at": NOW + 30 * DAY}
    assert asked(NOW, standing(**brief)).notices == ()
    assert told(asked(NOW + 15 * DAY, standing(**brief))) == {(NoticeKind.CREDENTIAL_EXPIRES, 15)}


def of(end):
    return (Certified("ptr_1", "Acme", "F" * 40, end),)


@pytest.mark.parametrize(
    ("left", "kind", "threshold"),
    [
        (10 * DAY, NoticeKind.CERTIFICATE_EXPIRES, 10),
        (3 * DAY, NoticeKind.CERTIFICATE_EXPIRES, 5),
        (1, NoticeKind.CERTIFICATE_EXPIRES, 1),
        (0, NoticeKind.CERTIFICATE_EXPIRED, 0),
        (-9 * DAY, NoticeKind.CERTIFICATE_EXPIRED, 0),
    ],
)
def test_a_certificate_is_told_from_ten_days_before_its_end(left, kind, threshold):
    assert told(asked(NOW, certified=of(NOW + left))) == {(kind, threshold)}
    assert asked(NOW, certified=of(NOW + 10 * DAY + 1)).notices == ()
    assert asked(NOW, certified=of(NOW + 10 * DAY + 1)).next_at == NOW + 1


def test_a_renewed_certificate_begins_anew():
    first = asked(NOW, certified=of(NOW + DAY)).notices
    again = asked(NOW + 30 * DAY, certified=of(NOW + 31 * DAY)).notices
    assert not {one.id for one in first} & {one.id for one in again}


def test_what_is_for_an_emergency_is_replaced_by_no_schedule():
    late = CREDENTIAL.expires_at - 1
    assert dates.rotations_due((standing(),), late, ahead=30 * DAY) == (standing(),)
    assert dates.rotations_due((standing(emergency=True),), late, ahead=30 * DAY) == ()


def test_a_certificate_that_ends_while_a_rotation_is_under_way_is_told_ten_days_before_the_rotation():
    rotation = END - 30 * DAY
    ending = {"certified": of(rotation + 12 * DAY), "ahead": 30 * DAY}
    warned = rotation - 10 * DAY
    assert (NoticeKind.CERTIFICATE_ENDS_IN_ROTATION, 0) not in told(asked(warned - 1, **ending))
    assert asked(warned - 1, **ending).next_at == warned
    assert (NoticeKind.CERTIFICATE_ENDS_IN_ROTATION, 0) in told(asked(warned, **ending))
    lasting = {"certified": of(rotation + 14 * DAY), "ahead": 30 * DAY}
    assert NoticeKind.CERTIFICATE_ENDS_IN_ROTATION not in {kind for kind, _ in told(asked(warned, **lasting))}


def test_a_certificate_to_which_nothing_will_be_sealed_is_not_told():
    key = standing(sealed_at=None, expires_at=253402300799)
    assert asked(NOW, key, certified=of(NOW + DAY)) == dates.Due((), None)
    assert dates.due((), of(NOW + DAY), NOW, ahead=0).notices == ()


def test_the_schedule_replaces_the_current_credential_and_waits_for_an_unopened_successor():
    ahead = 30 * DAY
    begin = END - ahead
    first = standing()
    assert dates.rotations_due((first,), begin - 1, ahead=ahead) == ()
    assert dates.rotations_due((first,), begin, ahead=ahead) == (first,)
    assert dates.rotations_due((first,), begin, ahead=0) == ()
    waiting = standing(
        id="second", replaces="first", first_used_at=None, first_use_by=begin + 14 * DAY, expires_at=END + 300 * DAY
    )
    assert dates.rotations_due((first, waiting), begin + 1, ahead=ahead) == ()
    assert dates.rotations_due((first, waiting), begin + 14 * DAY, ahead=ahead) == (first,)
    opened = standing(id="second", replaces="first", first_use_by=begin + 14 * DAY, expires_at=END + 300 * DAY)
    old = standing(state=State.RETIRING, overlap_ends_at=begin + 20 * DAY)
    assert dates.rotations_due((old, opened), begin + 15 * DAY, ahead=ahead) == ()
    assert asked(NOW, ahead=ahead).next_at == END - 90 * DAY
    key = standing(sealed_at=None, expires_at=253402300799)
    assert dates.rotations_due((key,), 253402300799 - 1, ahead=ahead) == ()


@given(after=st.integers(1, 800 * DAY), ahead=st.sampled_from([0, 10 * DAY, 200 * DAY]), days=st.integers(11, 1000))
def test_what_ends_beyond_the_horizon_asks_for_nothing(after, ahead, days):
    """So the calendar need not even read it."""
    one = standing(expires_at=dates.horizon(NOW, ahead=ahead) + after)
    certified = Certified("ptr_1", "Acme", "A" * 40, NOW + days * DAY)
    assert dates.due((one,), (certified,), NOW, ahead=ahead).notices == ()
    assert dates.rotations_due((one,), NOW, ahead=ahead) == ()

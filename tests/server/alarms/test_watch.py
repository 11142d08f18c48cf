"""What counts as attempted misuse, and that nobody can flood the operator with it."""

import pytest

from keyfob.server.alarms.alarm import SEVERITY, Alarm, AlarmKind, write
from keyfob.server.alarms.watch import PER_KIND_AND_HOUR, Event, Watch
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.throttle import MAX_IN_A_ROW

NOW = 1_800_000_000


def refusal(cause=Cause.WRONG_SECRET, *, client="cl_1", address="192.0.2.7", at=NOW, error="invalid_client"):
    return Explanation("0" * 32, at, error, cause, client, address, {})


def watch(network_failures=1_000_000, repeat_after=900):
    return Watch(network_failures=network_failures, repeat_after=repeat_after)


def kinds(events):
    return [event.kind for event in events]


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause.CREDENTIAL_REVOKED, AlarmKind.REVOKED_CREDENTIAL_USED),
        (Cause.CLIENT_REVOKED, AlarmKind.REVOKED_CREDENTIAL_USED),
        (Cause.CREDENTIAL_RETIRED, AlarmKind.RETIRED_CREDENTIAL_USED),
        (Cause.ADDRESS_NOT_ALLOWED, AlarmKind.ADDRESS_NOT_ALLOWED),
        (Cause.SECRET_IN_URL, AlarmKind.SECRET_EXPOSED),
        (Cause.SWAPPED, AlarmKind.SECRET_EXPOSED),
        (Cause.REGISTRATION_TOKEN_REPLAYED, AlarmKind.REGISTRATION_TOKEN_MISUSED),
        (Cause.REGISTRATION_OF_ANOTHER, AlarmKind.REGISTRATION_TOKEN_MISUSED),
        (Cause.REGISTRATION_WITHDRAWN, AlarmKind.REGISTRATION_TOKEN_MISUSED),
        (Cause.REGISTRATION_USED_UP, AlarmKind.REGISTRATION_TOKEN_MISUSED),
    ],
)
def test_each_of_these_is_told_the_first_time(cause, kind):
    (event,) = watch().refused([refusal(cause)])
    assert (event.kind, event.subject, event.address, event.error_id) == (kind, "client cl_1", "192.0.2.7", "0" * 32)
    (stranger,) = watch().refused([refusal(cause, client=None)])
    assert stranger.subject == "network 192.0.2.7"


def test_an_honest_mistake_is_no_alarm():
    quiet = [cause for cause in Cause if not watch().refused([refusal(cause)])]
    assert {Cause.WRONG_SECRET, Cause.UNKNOWN_CLIENT, Cause.SCOPE_NOT_GRANTED, Cause.JSON_BODY} <= set(quiet)


def test_the_same_of_the_same_is_told_again_only_after_a_while_and_then_with_its_count():
    one = watch(repeat_after=900)
    assert len(one.refused([refusal(Cause.CREDENTIAL_REVOKED)] * 5)) == 1
    assert one.refused([refusal(Cause.CREDENTIAL_REVOKED, at=NOW + 899)]) == []
    assert len(one.refused([refusal(Cause.CREDENTIAL_REVOKED, client="cl_2", at=NOW + 899)])) == 1
    (again,) = one.refused([refusal(Cause.CREDENTIAL_REVOKED, at=NOW + 1800)])
    assert again.held_back == 5


def test_a_flood_of_one_kind_silences_no_other():
    one = watch()
    many = [refusal(Cause.SECRET_IN_URL, client=None, address=f"10.0.{n % 256}.{n // 256}") for n in range(1000)]
    assert len(one.refused(many)) == PER_KIND_AND_HOUR
    assert kinds(one.refused([refusal(Cause.CREDENTIAL_REVOKED)])) == [AlarmKind.REVOKED_CREDENTIAL_USED]
    assert one.admit(Event(AlarmKind.AUDIT_FAILED, "audit"), NOW) is not None
    assert one.admit(Event(AlarmKind.AUDIT_FAILED, "audit"), NOW) is None


def test_who_was_held_back_by_the_flood_is_told_when_there_is_room():
    one = watch()
    one.refused([refusal(Cause.SECRET_IN_URL, client=None, address=f"10.0.0.{n}") for n in range(PER_KIND_AND_HOUR)])
    late = refusal(Cause.SECRET_IN_URL)
    assert one.refused([late]) == []
    (told,) = one.refused([refusal(Cause.SECRET_IN_URL, at=NOW + 3600)])
    assert (told.subject, told.held_back) == ("client cl_1", 1)


def test_many_failures_of_one_network_are_told_from_the_first_beyond_the_limit():
    one = watch(network_failures=10)
    spray = [refusal(Cause.UNKNOWN_CLIENT, client=None) for _ in range(10)]
    assert one.refused(spray) == []
    (event,) = one.refused([refusal(Cause.UNKNOWN_CLIENT, client=None, error="too_many_requests")])
    assert (event.kind, event.subject) == (AlarmKind.NETWORK_FAILED_OFTEN, "network 192.0.2.7")
    assert one.refused([refusal(Cause.UNKNOWN_CLIENT, client=None, address="192.0.2.8")]) == []


def test_what_is_no_failure_to_authenticate_is_not_counted_as_one():
    one = watch(network_failures=1)
    quota = [refusal(Cause.QUOTA, error="too_many_requests")] * 200
    scope = [refusal(Cause.SCOPE_NOT_GRANTED, error="invalid_scope")] * 200
    assert one.refused(quota + scope) == []


def test_the_hundredth_failure_in_a_row_of_one_client_is_told_from_wherever_they_came():
    one = watch()
    for number in range(MAX_IN_A_ROW - 1):
        assert one.refused([refusal(address=f"10.0.{number}.1")]) == []
    assert kinds(one.refused([refusal()])) == [AlarmKind.CLIENT_FAILED_IN_A_ROW]


def test_a_success_ends_the_row():
    one = watch()
    assert one.refused([refusal()] * (MAX_IN_A_ROW - 1)) == []
    one.succeeded("cl_1")
    assert one.refused([refusal()] * (MAX_IN_A_ROW - 1)) == []
    assert one.refused([refusal(client="cl_2")]) == []
    assert kinds(one.refused([refusal()])) == [AlarmKind.CLIENT_FAILED_IN_A_ROW]


def test_every_kind_has_a_severity_and_words():
    for kind in AlarmKind:
        alarm = Alarm("alarm_1", kind, NOW, "https://id.example", "test")
        assert alarm.summary and 1 <= SEVERITY[kind] <= 5
        assert write(alarm).isascii()

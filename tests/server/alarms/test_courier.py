"""Alarms travel in the background: in order, with patience, and never at a request's cost."""

import threading

from keyfob.server.alarms import courier
from keyfob.server.alarms.alarm import Alarm, AlarmKind
from keyfob.server.alarms.courier import Courier, NotDelivered


class Door:
    """A sink that opens when it is told to; `outcomes` are raised in order."""

    name = "door"

    def __init__(self, *outcomes, is_open=True):
        self.opened = threading.Event()
        if is_open:
            self.opened.set()
        self.outcomes = list(outcomes)
        self.got = []
        self.done = threading.Semaphore(0)

    def deliver(self, alarm):
        assert self.opened.wait(30)
        self.got.append(alarm.id)
        self.done.release()
        if self.outcomes and (outcome := self.outcomes.pop(0)) is not None:
            raise outcome

    def wait(self, count):
        for _ in range(count):
            assert self.done.acquire(timeout=30)


def alarm(number):
    return Alarm(f"alarm_{number}", AlarmKind.TEST, 0, "https://id.example", "test")


def test_alarms_arrive_in_order():
    door = Door()
    one = Courier(door)
    for number in range(5):
        one.post(alarm(number))
    door.wait(5)
    one.close()
    assert door.got == [f"alarm_{number}" for number in range(5)]


def test_what_failed_is_tried_again_and_what_follows_waits_for_it():
    door = Door(NotDelivered("x", again=True), NotDelivered("x", again=True), None)
    one = Courier(door, pauses=(0.0, 0.0, 0.0))
    one.post(alarm(1))
    one.post(alarm(2))
    door.wait(4)
    one.close()
    assert door.got == ["alarm_1", "alarm_1", "alarm_1", "alarm_2"]


def test_it_gives_up_after_the_last_pause_and_at_once_where_nothing_can_mend_it(caplog):
    door = Door(*[NotDelivered("x", again=True)] * 3, NotDelivered("it answered 404", again=False))
    one = Courier(door, pauses=(0.0, 0.0))
    for number in (1, 2, 3):
        one.post(alarm(number))
    door.wait(5)
    one.close()
    assert door.got == ["alarm_1", "alarm_1", "alarm_1", "alarm_2", "alarm_3"]
    assert "id=alarm_1 reason=x" in caplog.text
    assert "id=alarm_2 reason=it answered 404" in caplog.text
    assert "alarm_3" not in caplog.text


def test_a_sink_that_breaks_takes_nobody_with_it():
    door = Door(RuntimeError("a bug"))
    one = Courier(door)
    one.post(alarm(1))
    one.post(alarm(2))
    door.wait(2)
    one.close()
    assert door.got == ["alarm_1", "alarm_2"]


def test_a_closed_door_holds_nobody_up_and_what_is_too_much_is_dropped_aloud(monkeypatch, caplog):
    monkeypatch.setattr(courier, "MAX_WAITING", 10)
    door = Door(is_open=False)
    one = Courier(door)
    for number in range(50):
        one.post(alarm(number))
    assert "alarm_dropped to=door" in caplog.text
    door.opened.set()
    door.wait(10)
    one.close()
    assert 10 <= len(door.got) <= 11


def test_closing_does_not_wait_out_the_pauses():
    door = Door(*[NotDelivered("x", again=True)] * 10)
    one = Courier(door, pauses=(3600.0,))
    one.post(alarm(1))
    door.wait(1)
    one.close()
    assert not one._thread.is_alive()

"""What one process lets through is heard by the others, once each; on both databases, as `move-store` moves either."""

import contextlib

from keyfob.server.storage.spending import Exchange


def test_what_one_tells_each_other_hears_once(made):
    with contextlib.closing(made.open(made.path)) as other:
        one, two = Exchange(made.store._database, "one"), Exchange(other._database, "two")
        assert one.tell({"tokens cl_1": 5}, made.now) == []
        assert two.tell({}, made.now) == []  # it has just begun
        assert one.tell({"tokens cl_1": 7}, made.now + 1) == []
        assert one.tell({"tokens cl_2": 1}, made.now + 2) == []
        assert two.tell({"tokens cl_1": 2}, made.now + 2) == [{"tokens cl_1": 7}, {"tokens cl_2": 1}]
        assert two.tell({}, made.now + 3) == []
        assert one.tell({}, made.now + 3) == [{"tokens cl_1": 2}]
        three = Exchange(other._database, "three")
        assert three.tell({"tokens cl_1": 3}, made.now + 4) == []  # who comes later counts only what comes then
        assert one.tell({}, made.now + 4) == [{"tokens cl_1": 3}]  # from its first word on


def test_what_is_old_is_forgotten(made):
    one, two = Exchange(made.store._database, "one"), Exchange(made.store._database, "two")
    two.tell({}, made.now)
    one.tell({"tokens cl_1": 5}, made.now)
    one.tell({"tokens cl_1": 6}, made.now + 200)
    assert two.tell({}, made.now + 200) == [{"tokens cl_1": 6}]

"""keyfob.database: connections and turns, on a real file."""

import contextlib

import pytest

from keyfob import database
from keyfob.problem import Problem


def test_who_finds_every_connection_taken_is_told_so(tmp_path):
    opened = database.open_sqlite(tmp_path / "some.db")
    with contextlib.ExitStack() as taken:

        def take_all() -> None:
            for _ in range(1000):
                taken.enter_context(opened.read())

        with pytest.raises(Problem) as busy:
            take_all()
        assert busy.value.code == "database-busy"
    with opened.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    opened.close()

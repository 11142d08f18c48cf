"""A process that dies in the middle of a change: really, by SIGKILL, or by a fault that nothing in it survives."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from keyfob.server.installation import Installation


class Crashed(BaseException):
    """Nothing after this runs, as if the power had gone."""


@contextlib.contextmanager
def dying(installation: Installation, moment: str, die: Callable[[], None]) -> Iterator[None]:
    """`die` at the moment: `commit` (before it), `after` (it is durable, and nobody was told), or at a statement."""
    engine = installation.store._database.engine
    real = engine.dialect.do_commit
    count = 0

    def commit(connection: object) -> None:
        if moment == "commit":
            die()
        real(connection)
        if moment == "after":
            die()

    def statement(*_: object) -> None:
        nonlocal count
        count += 1
        if moment.isdigit() and count == int(moment):
            die()

    engine.dialect.do_commit = commit
    sa.event.listen(engine, "before_cursor_execute", statement)
    try:
        yield
    finally:
        engine.dialect.do_commit = real
        sa.event.remove(engine, "before_cursor_execute", statement)


def fault() -> None:
    raise Crashed


def in_a_process_that_is_killed(act: Callable[[], None]) -> bool:
    """`act` in a child, which kills itself; whether it did. No database may be open here: SQLite forbids the fork."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

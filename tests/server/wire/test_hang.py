"""Another program hangs while it has the writer's turn: nothing is granted, load balancers are told, and it passes."""

import contextlib
import os

import pytest

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="flock"), pytest.mark.on("sqlite")]


@contextlib.contextmanager
def hanging(operator):
    import fcntl

    with (operator.home / "keyfob.db.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_server_that_cannot_write_is_not_ready_and_is_again_by_itself(new_operator):
    operator = new_operator()
    info = operator.client("waits")
    operator.serve()
    with hanging(operator):
        assert operator.request("GET", "/readyz").status == 200, "nothing was tried yet"
        for _ in range(2):
            assert operator.token(info, scope="studies:read").status == 503
            assert operator.request("GET", "/readyz").status == 503
        assert operator.request("GET", "/healthz").status == 200
    assert operator.request("GET", "/readyz").status == 200, "no token has to be asked for first"
    assert operator.token(info, scope="studies:read").status == 200


def test_a_server_that_cannot_write_still_ends_when_it_is_told_to(new_operator):
    operator = new_operator()
    info = operator.client("ends")
    process = operator.serve()
    with hanging(operator):
        assert operator.token(info, scope="studies:read").status == 503
        process.terminate()
        assert process.wait(timeout=30) == 0
    operator.stop()
    assert operator.run("audit", "verify")["whole"] is True

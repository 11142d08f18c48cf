"""Several workers on one port: one ready line, one end, and a lost one is nobody's trouble. Real processes."""

import http.client
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork")


def ask(running, path="/who", context=None):
    connection = (
        http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        if context is None
        else http.client.HTTPSConnection("localhost", running.port, timeout=30, context=context)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"


def workers_of(running):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(running.process.pid)], capture_output=True, text=True)
    return {int(pid) for pid in listed.stdout.split()}


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return state.strip() in ("", "Z")


def test_all_workers_answer_after_one_ready_line_and_all_end_together(start, port):
    running = start(port, workers=3)
    workers = workers_of(running)
    assert len(workers) == 3
    seen = set()
    until(lambda: seen.add(ask(running)) or len(seen) > 1)
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    assert all(is_gone(pid) for pid in workers)
    assert running.process.stdout.read().split("\n") == ["shut down", "shut down", "shut down", ""]


def test_a_request_that_runs_is_answered_before_the_end_which_comes_within_ten_seconds(start, port):
    running = start(port, workers=2)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(running, "/slow")))
    asking.start()
    assert running.line() == "slow began"
    began = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0
    assert time.monotonic() - began < 10
    asking.join()
    assert b"/slow" in answers[0]


def test_a_lost_worker_is_replaced_and_brings_nobody_down(start, port):
    running = start(port, workers=2)
    before = workers_of(running)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: is_gone(victim) or ask(running))
    until(lambda: ask(running) and len(workers_of(running) - {victim}) == 2)
    assert len(workers_of(running) & before) == 1, "the other one was left alone"
    log = running.log.read_text()
    assert f"worker_lost pid={victim} status=-9" in log
    assert "worker_started pid=" in log


def test_workers_whose_parent_was_killed_end_by_themselves(start, port):
    running = start(port, workers=2)
    workers = workers_of(running)
    running.process.kill()
    running.process.wait()
    until(lambda: all(is_gone(pid) for pid in workers))


def test_a_renewed_certificate_is_taken_up_by_every_worker(start, port, make_tls, tmp_path):
    first, second = make_tls(tmp_path / "one"), make_tls(tmp_path / "two")
    running = start(port, first.certificate, first.private_key, workers=2)
    for source, target in ((second.certificate, first.certificate), (second.private_key, first.private_key)):
        shutil.copy(source, target)
    seen = set()

    def all_have_it():
        try:
            seen.add(ask(running, context=second.client_context()))
        except ssl.SSLError:
            seen.clear()
        return len(seen) == 2

    until(all_have_it)


def test_a_tls_session_of_one_worker_is_resumed_by_any(start, port, tls_files):
    start(port, tls_files.certificate, tls_files.private_key, workers=2)
    context = tls_files.client_context()
    seen, session = set(), None
    for _ in range(200):
        connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=context)
        raw = connection._create_connection(("localhost", port), 30)
        connection.sock = context.wrap_socket(raw, server_hostname="localhost", session=session)
        connection.request("GET", "/who")
        seen.add(connection.getresponse().read())
        assert connection.sock.session_reused is (session is not None)
        session = connection.sock.session
        connection.close()
        if len(seen) == 2:
            return
    pytest.fail("one worker accepted every connection")


FAILING = """
import contextlib, sys
from keyfob.serving import listener
from keyfob.problem import Problem

@contextlib.contextmanager
def broken():
    raise Problem("no", "the cellar is flooded")
    yield

try:
    listener.serve_workers(broken, workers=2, host="127.0.0.1", port=int(sys.argv[1]), certificate=None,
                           private_key=None, ready="never")
except Problem as problem:
    sys.exit(problem.code)
"""


def test_workers_that_cannot_start_end_it_all_with_the_reason(port):
    done = subprocess.run([sys.executable, "-c", FAILING, str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "worker_not_started reason=the cellar is flooded" in done.stderr
    assert done.stderr.endswith("not-started\n")

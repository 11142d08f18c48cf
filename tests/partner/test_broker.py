"""One process with the vault, and others that ask it: over a real socket, with real processes."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crashing import core_limit_raised, crash
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.partner import CredentialRefused, Session, VaultProblem, open_authorizer
from keyfob.partner.broker import peer, wire
from keyfob.partner.broker.wire import MalformedLine, Question
from keyfob.partner.held import Wish
from keyfob.problem import Problem

ENTRY = "from keyfob.partner.cli import main; main()"
SCOPE = frozenset({"studies:read"})
PROGRAM = """
import sys
from keyfob.partner import Session
with Session.open() as session:
    print(session.get("/v1/studies").status_code)
"""


def started(handoff, service, path):
    environ = os.environ | {"KEYFOB_VAULT": str(handoff.vault), "KEYFOB_CA_FILE": str(service.ca)}
    command = [sys.executable, "-c", ENTRY, "broker", "--socket", str(path)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=environ, cwd=handoff.folder, **streams)
    assert process.stdout.readline() == f"ready {path}\n"
    return process


@pytest.fixture
def broker(handoff, service, tmp_path, monkeypatch):
    """A partner's machine with a broker, which alone has the key of the vault."""
    handoff.receive(handoff.message(), key_file=tmp_path / "vault-key")
    path = tmp_path / "run" / "broker.sock"
    process = started(handoff, service, path)
    for name, value in (("KEYFOB_VAULT", handoff.vault), ("KEYFOB_CA_FILE", service.ca), ("KEYFOB_BROKER", path)):
        monkeypatch.setenv(name, str(value))
    yield path
    process.terminate()
    assert process.wait(30) == 0, process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert not path.exists()


def test_many_processes_have_one_token_and_none_of_them_opens_the_vault(broker, service, handoff, tmp_path):
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == ["200\n"] * 3
    assert len(service.asked) == 1
    assert service.calls == ["Bearer token-1"] * 3
    (tmp_path / "vault-key").rename(tmp_path / "gone")
    with Session.open() as session:
        assert session.get("/v1/studies").status_code == 200
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"token-1" not in files, "never a token file"
    # A refused token is replaced for all of them once, whoever says so first and however often.
    source = open_authorizer().source
    first = source.token(SCOPE, resource=handoff.info.resource[0])
    (tmp_path / "gone").rename(tmp_path / "vault-key")
    second = source.token(SCOPE, resource=handoff.info.resource[0], refused=first)
    other = open_authorizer().source.token(SCOPE, resource=handoff.info.resource[0])
    assert first.access_token.reveal() == "token-1"
    assert second.access_token == other.access_token
    assert second.access_token.reveal() == "token-2"
    service.good, again = "another", open_authorizer().source
    with pytest.raises(CredentialRefused) as refused:
        again.token(SCOPE, resource=handoff.info.resource[0], refused=second)
    assert refused.value.error_id == "e1"


def test_the_broker_gives_no_more_than_was_registered_and_nothing_to_another_user(broker, handoff, monkeypatch):
    source = open_authorizer().source
    for scope, resource in ((frozenset({"audit:read"}), handoff.info.resource[0]), (SCOPE, "https://evil.example")):
        with pytest.raises(Problem):
            source.token(scope, resource=resource)
    assert stat.S_IMODE(broker.stat().st_mode) == 0o600
    assert stat.S_IMODE(broker.parent.stat().st_mode) == 0o700
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    # As wide as they can be: the kernel still says who it is.
    broker.parent.chmod(0o777)
    broker.chmod(0o666)
    ours, theirs = socket.socketpair()
    question = wire.write_question(Question("cl_1", Wish(SCOPE, handoff.info.resource[0], ""), None))
    if (child := os.fork()) == 0:
        try:
            os.chdir(broker.parent)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(broker.name)
                with contextlib.suppress(BrokenPipeError):  # it has answered, and listens to nothing
                    connection.sendall(question)
                theirs.sendall(connection.recv(4096))
        except BaseException as failed:
            theirs.sendall(repr(failed).encode())
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        answer = ours.recv(4096)
    assert os.waitpid(child, 0)[1] == 0
    assert b'"another-user"' in answer
    assert b"access_token" not in answer


def test_a_broker_that_crashes_leaves_its_socket_and_nothing_of_its_memory(handoff, service, tmp_path, monkeypatch):
    """And the next one takes its place."""
    handoff.receive(handoff.message())
    path = tmp_path / "run" / "broker.sock"
    monkeypatch.setenv("KEYFOB_BROKER", str(path))
    for _ in range(2):
        with core_limit_raised():
            process = started(handoff, service, path)
        source = open_authorizer(vault=handoff.vault, ca=service.ca).source
        token = source.token(SCOPE, resource=handoff.info.resource[0]).access_token
        assert not crash(process)
        assert process.communicate() == ("", "")
    left = {found.name: found.read_bytes() for found in tmp_path.rglob("*") if found.is_file()}
    assert [name for name in left if name.startswith("core")] == []
    for secret in (handoff.info.client_secret, token):
        assert [name for name, content in left.items() if secret.reveal_bytes() in content] == []


def test_without_a_broker_nobody_asks_in_its_place(handoff, service, tmp_path, monkeypatch):
    handoff.receive(handoff.message())
    monkeypatch.setenv("KEYFOB_BROKER", str(tmp_path / "none.sock"))
    with pytest.raises(VaultProblem) as refused:
        open_authorizer(vault=handoff.vault, ca=service.ca).source.token(SCOPE, resource=handoff.info.resource[0])
    assert refused.value.code == "no-broker"
    assert service.asked == []


def test_a_socket_of_this_user_passes_and_the_end_of_another_does_not(monkeypatch):
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        peer.check(one)
        monkeypatch.setattr(os, "getuid", lambda: 4242)
        with pytest.raises(Problem) as refused:
            peer.check(one)
    assert refused.value.code == "another-user"


@given(st.binary(max_size=80) | st.dictionaries(st.text(max_size=12), st.none() | st.integers() | st.text()).map(
    lambda found: json.dumps(found).encode() + b"\n"
))  # fmt: skip
def test_any_line_is_a_question_or_malformed(line: bytes):
    for read in (wire.read_question, lambda one: wire.read_answer(one, now=0)):
        with pytest.raises(MalformedLine):
            read(line)


def test_a_question_comes_back_as_it_was_written():
    for wish in (Wish(None, "https://a", ""), Wish.of(SCOPE, "https://a", (CdmsStudy("S.1"),))):
        assert wire.read_question(wire.write_question(Question("cl_1", wish, "ab"))) == Question("cl_1", wish, "ab")

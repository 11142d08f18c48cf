"""nginx as in deploy/, in front of two nodes that are started as their unit starts them."""

import contextlib
import ctypes
import re
import subprocess
import sys

import pytest

import nginx
from deploy.conftest import DEPLOY
from server.wire.conftest import until

PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1


def confine() -> None:
    """What the unit says of privileges and of memory that is written and then run, for the process that comes now."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


@contextlib.contextmanager
def node(operator, port: int):
    unit = (DEPLOY / "systemd" / "keyfob-server.service").read_text()
    assert "\nNoNewPrivileges=yes\n" in unit and "\nMemoryDenyWriteExecute=yes\n" in unit
    program, *arguments = re.search(r"^ExecStart=(.+)$", unit, re.M).group(1).split()
    assert program == "/opt/keyfob/bin/keyfob-server"
    places = {"/var/lib/keyfob-server": str(operator.home), "0.0.0.0": "127.0.0.1"}
    command = [sys.executable, "-c", "from keyfob.server.cli import main; main()"]
    command += [places.get(word, word) for word in arguments] + ["--port", str(port)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=confine)
    try:
        assert started.stdout.readline() == f"ready {operator.issuer}\n"
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl, which sets what the unit forbids, is Linux's")
def test_tokens_come_through_nginx_also_when_a_node_is_killed(operator, free_port_of, tmp_path, monkeypatch):
    info = operator.client("balanced")
    monkeypatch.setenv("KEYFOB_HTTP_TRUSTED_PROXY", "127.0.0.1")
    ports = (free_port_of(), free_port_of())
    text = (DEPLOY / "nginx" / "keyfob.conf").read_text()
    for usual, here in (
        ("/etc/keyfob/tls/fullchain.pem", str(operator.home / "tls" / "server.pem")),
        ("/etc/keyfob/tls/private.pem", str(operator.home / "tls" / "server.key")),
        ("127.0.0.1:8451", f"127.0.0.1:{ports[0]}"),
        ("127.0.0.1:8452", f"127.0.0.1:{ports[1]}"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{operator.port} ssl"),
        ("listen [::]:8443 ssl", f"listen [::1]:{operator.port} ssl"),
        ("id.example", "localhost"),
    ):
        assert usual in text
        text = text.replace(usual, here)
    with node(operator, ports[0]) as first, node(operator, ports[1]) as second, nginx.running(tmp_path / "nginx", text):
        until(lambda: is_there(operator))
        assert operator.metadata()["issuer"] == operator.issuer
        asked = {"x-forwarded-for": "192.0.2.9", "forwarded": "for=192.0.2.9", "client-cert": ":AAAA:"}
        answer = operator.post(
            "/oauth2/token", {"grant_type": "client_credentials", "scope": "studies:read"}, client=info, extra=asked
        )
        assert answer.status == 200
        first.kill()
        first.wait()
        answers = [operator.token(info, scope="studies:read").status for _ in range(10)]
        assert answers == [200] * 10
        assert second.poll() is None
        with contextlib.closing(operator.connect()) as connection:
            connection.connect()
            assert connection.sock.version() == "TLSv1.3"
    issued = [record for record in operator.audit() if record["kind"] == "token_issued"]
    assert len(issued) == 11
    assert {record["address"] for record in issued} == {"127.0.0.1"}, "what the client itself says of its address"


def is_there(operator) -> bool:
    connection = operator.connect()
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.connect()
        return True
    return False

"""Syslog on real sockets: the local one, UDP, TCP and TLS, each with its own framing."""

import json
import re
import shutil
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import pytest

from keyfob import tls
from keyfob.server.alarms.alarm import Alarm, AlarmKind
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.alarms.syslog import Address, Syslog, parse_address, write

ALARM = Alarm("alarm_1", AlarmKind.AUDIT_FAILED, 1_800_000_000, "https://id.example", "audit é")
RFC5424 = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([\x21-\x7e]{1,255}) keyfob-server (\d+) ([a-z_]{1,32}) - (.*)"
)


def checked(message):
    """RFC 5424 §6: the fields of a message, its body read as JSON."""
    found = RFC5424.fullmatch(message)
    assert found, message
    document = json.loads(found[6])
    assert document["kind"].encode() == found[5]
    return int(found[1]), found[2].decode(), document


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="kf-"))  # short: a socket's path has 107 bytes at most
    yield made
    shutil.rmtree(made)


def sink(text, ca=None):
    return Syslog(parse_address(text), lambda: tls.client_context(ca, environ={}))


def test_a_message_is_as_the_rfc_says():
    """RFC 5424 §6.2.1: the priority is the facility (10, authpriv) times eight and the severity."""
    priority, at, document = checked(write(ALARM, hostname="höst name", process_id=7))
    assert (priority, at) == (81, "2027-01-15T08:00:00Z")
    assert (document["id"], document["subject"]) == ("alarm_1", "audit é")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_the_local_socket_takes_it_in_either_kind(folder, kind):
    with socket.socket(socket.AF_UNIX, kind) as daemon:
        daemon.bind(str(folder / "log"))
        daemon.settimeout(20)
        if kind == socket.SOCK_STREAM:
            daemon.listen()
        sink(f"unix:{folder}/log").deliver(ALARM)
        if kind == socket.SOCK_DGRAM:
            message = daemon.recv(65_536)
        else:
            connection, _ = daemon.accept()
            with connection:
                message = connection.recv(65_536).removesuffix(b"\0")
    assert checked(message)[2]["kind"] == "audit_failed"


def test_a_datagram_holds_one_message_without_a_frame():
    """RFC 5426 §3.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(20)
        sink(f"udp://127.0.0.1:{daemon.getsockname()[1]}").deliver(ALARM)
        checked(daemon.recv(65_536))


def take_one(listener, taken, context=None):
    connection, _ = listener.accept()
    try:
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            while chunk := connection.recv(65_536):
                taken.append(chunk)
    except ssl.SSLError as refused:
        taken.append(refused)


def deliver_to(scheme, context, ca):
    """(what a stream daemon took, the failure of the sender)."""
    taken, failed = [], None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=take_one, args=(listener, taken, context))
        thread.start()
        try:
            sink(f"{scheme}://localhost:{listener.getsockname()[1]}", ca).deliver(ALARM)
        except NotDelivered as refused:
            failed = refused
        thread.join(20)
    return taken, failed


def server_context(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.private_key)
    return context


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_stream_is_framed_by_counting_octets(scheme, tls_files):
    """RFC 6587 §3.4.1, RFC 5425 §4.3."""
    context = server_context(tls_files) if scheme == "tls" else None
    taken, failed = deliver_to(scheme, context, tls_files.ca)
    assert failed is None
    count, _, message = b"".join(taken).partition(b" ")
    assert int(count) == len(message)
    checked(message)


def test_a_daemon_that_cannot_prove_its_name_gets_nothing(tls_files, make_tls, tmp_path):
    """RFC 5425 §4.2.1."""
    strangers = make_tls(tmp_path / "strangers")
    taken, failed = deliver_to("tls", server_context(tls_files), strangers.ca)
    assert "not trusted" in str(failed)
    assert not any(isinstance(chunk, bytes) for chunk in taken)


def test_a_daemon_that_is_away_is_tried_again(folder, port):
    for text in (f"unix:{folder}/nothing", f"tcp://127.0.0.1:{port}"):
        with pytest.raises(NotDelivered) as refused:
            sink(text).deliver(ALARM)
        assert refused.value.again


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/dev/log", Address("unix", "/dev/log", 0)),
        ("udp://127.0.0.1:514", Address("udp", "127.0.0.1", 514)),
        ("tls://[::1]:6514", Address("tls", "::1", 6514)),
    ],
)
def test_an_address_is_read(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["unix:", "unix:dev/log", "udp://x", "udp://:514", "http://x:1", "tcp://x:1/p", "tcp://u@x:1", "tcp://x:99999"],
)
def test_any_other_address_is_refused(text):
    with pytest.raises(ValueError, match="is none of"):
        parse_address(text)

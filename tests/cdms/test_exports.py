"""Exports hold what others need: a client has few at once, and who leaves gives back what it held."""

import contextlib
import fcntl
import http.client
import socket
import ssl
import threading
import time

import pytest

from keyfob.cdms.exports import Exports
from keyfob.cdms.problems import ApiProblem

STUDY = "/v1/studies/KF.DEMO"
EXPORT = f"{STUDY}/clinical-data"


def test_a_client_has_its_share_and_all_have_theirs():
    exports = Exports(per_client=2, in_all=3)

    def refused(client_id: str) -> int:
        with pytest.raises(ApiProblem) as problem, exports.running(client_id):
            pass
        assert problem.value.headers == {"retry-after": "10"}
        return problem.value.status

    with exports.running("a"):
        with exports.running("a"), exports.running("b"):
            assert refused("a") == 429
            assert refused("b") == 503
        with exports.running("a"), exports.running("b"):
            pass


@pytest.fixture
def with_much(api, demo_study, tmp_path):
    """A study of 15 megabytes: no socket's buffers hold its export."""
    path = tmp_path / "odm.xml"
    path.write_bytes(demo_study("design").replace(b"MDV.1", b"MDV.2").replace(b'"200"', b'"100000"'))
    api.run("load", path)
    path.write_text(
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="F" ODMVersion="1.3.2" '
        'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.2">'
        + "".join(
            f'<SubjectData SubjectKey="{number}"><StudyEventData StudyEventOID="SE.AE"><FormData FormOID="F.AE">'
            f'<ItemGroupData ItemGroupOID="IG.AE"><ItemData ItemOID="I.AETERM" Value="{"x" * 100_000}"/>'
            '<ItemData ItemOID="I.AESEV" Value="1"/><ItemData ItemOID="I.AESER" Value="N"/></ItemGroupData>'
            "</FormData></StudyEventData></SubjectData>"
            for number in range(150)
        )
        + "</ClinicalData></ODM>"
    )
    api.run("load", path)
    return api


def begin_export(api, token: str) -> tuple[ssl.SSLSocket, bytes]:
    """A connection that reads no more of its export than the status line."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(30)
    raw.connect(("127.0.0.1", api.port))
    connection = api.issuer.client_context().wrap_socket(raw, server_hostname="localhost")
    request = f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(request.encode())
    return connection, connection.recv(12)


def test_exports_that_nobody_reads_harm_neither_others_nor_the_client_when_it_left(with_much):
    api, token = with_much, with_much.token()
    with contextlib.ExitStack() as unread:
        statuses = []
        for _ in range(140):
            connection, status = begin_export(api, token)
            unread.enter_context(connection)
            statuses.append(status)
        assert statuses == [b"HTTP/1.1 200"] * 4 + [b"HTTP/1.1 429"] * 136
        refused = api.get(EXPORT, token=token)
        assert (refused.status, refused.document["code"]) == (429, "too-many-exports")
        assert refused.headers["retry-after"] == "10"
        assert api.get("/healthz", anonymous=True).status == 200
        assert api.get(f"{STUDY}/subjects", token=token).status == 200
        assert len(api.get(EXPORT, token=api.token(client_id="cl_2")).body) > 15_000_000
    ended = f"GET route={EXPORT} status=499".replace("KF.DEMO", "{study}")
    until(lambda: api.log.count(ended) == 4)
    assert api.get(EXPORT, token=token).status == 200


def until(holds, *, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two looks at the condition; the deadline is what fails


@pytest.mark.on("postgresql")
def test_exports_of_many_clients_leave_connections_for_the_rest(with_much):
    """A connection to PostgreSQL is dear: half of them are for exports."""
    api = with_much
    with contextlib.ExitStack() as unread:
        statuses = []
        for number in range(14):
            connection, status = begin_export(api, api.token(client_id=f"cl_{number // 4}"))
            unread.enter_context(connection)
            statuses.append(status)
        assert statuses == [b"HTTP/1.1 200"] * 11 + [b"HTTP/1.1 503"] * 3
        token, read = api.token(), []
        readers = [
            threading.Thread(target=lambda: read.append(api.get(f"{STUDY}/subjects", token=token).status))
            for _ in range(30)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert read == [200] * 30
        assert api.register("KF.DEMO", "new", token=token).status == 201


@pytest.mark.on("sqlite")
def test_health_is_told_while_every_writer_waits(api):
    token, answers = api.token(), []
    writers = [
        threading.Thread(target=lambda key=str(n): answers.append(api.register("KF.DEMO", key, token=token).status))
        for n in range(40)
    ]
    with (api.home / "cdms.db.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another writer's process does
        for writer in writers:
            writer.start()
        for path in ("/healthz", "/openapi.json"):
            connection = http.client.HTTPSConnection(
                "localhost", api.port, timeout=10, context=api.issuer.client_context()
            )
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        assert answers == []
    for writer in writers:
        writer.join()
    assert answers == [201] * 40

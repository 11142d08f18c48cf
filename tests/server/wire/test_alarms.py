"""A real server with a real HTTPS receiver and a real syslog socket: misuse is told at once, and no request waits."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import shutil
import socket
import tempfile
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from keyfob import client_secret
from keyfob.oauth.client_authentication import write_basic

FORM = {"content-type": "application/x-www-form-urlencoded"}


def configure(operator, **values):
    lines = [f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in values.items()]
    settings = operator.home / "keyfob.toml"
    settings.write_text(settings.read_text() + "\n[alarms]\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def daemon():
    """A syslog daemon's local socket. Its path is short: 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="kf-"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "log"))
        listening.settimeout(20)
        yield folder / "log", listening
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def alarmed(new_operator, new_receiver, tls_files, daemon):
    """A server that tells both; what was said by syslog is compared with what the webhook said."""
    operator = new_operator()
    with new_receiver() as receiver:
        out = operator.home.parent / "webhook.secret"
        operator.run("alarm", "secret", "--out", out)
        path, listening = daemon
        configure(
            operator,
            webhook=receiver.url,
            webhook_ca=str(tls_files.ca),
            syslog=f"unix:{path}",
            network_failures=25,
        )
        operator.serve()
        yield operator, receiver, listening, out.read_text().strip()
        operator.stop()


def told(receiver, listening):
    """The next alarm, by both ways."""
    _, document = receiver.next()
    assert json.loads(listening.recv(65_536).partition(b" - ")[2]) == document
    return document


def wrong(info, number=0):
    return dataclasses.replace(info, client_secret=client_secret.make(info.credential_id, number.to_bytes(32, "big")))


def test_misuse_is_told_at_once_by_webhook_and_syslog(alarmed):
    operator, receiver, listening, secret = alarmed
    revoked = operator.client("revoked")
    operator.run("client", "revoke", revoked.client_id)
    answer = operator.token(revoked, scope="studies:read")
    headers, body = receiver.got.get(timeout=20)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    document = json.loads(body)
    assert json.loads(listening.recv(65_536).partition(b" - ")[2]) == document
    assert document["kind"] == "revoked_credential_used"
    assert document["subject"] == f"client {revoked.client_id}"
    assert document["error_id"] == answer.document["error_id"]
    assert (document["address"], document["issuer"]) == ("127.0.0.1", operator.issuer)
    assert operator.run("explain", document["error_id"])["reason"] == "client_revoked"
    assert f"alarm kind=revoked_credential_used subject=client {revoked.client_id}" in operator.log


def test_each_kind_of_misuse_has_its_alarm(alarmed):
    operator, receiver, listening, _ = alarmed
    old = operator.client("old")
    out = operator.home.parent / "new.asc"
    operator.run("client", "rotate", old.client_id, "--out", out)
    new = operator.open(out)
    assert operator.token(new, scope="studies:read").status == 200
    operator.run("client", "rotate", "--finish", old.client_id)
    operator.token(old, scope="studies:read")
    assert told(receiver, listening)["kind"] == "retired_credential_used"
    elsewhere = operator.client("abroad", "--allow-network", "192.0.2.0/24")
    operator.token(elsewhere, scope="studies:read")
    assert told(receiver, listening)["kind"] == "address_not_allowed"
    operator.request("GET", f"/nothing?client_secret={wrong(new).client_secret.reveal()}")
    document = told(receiver, listening)
    assert (document["kind"], document["subject"]) == ("secret_exposed", "network 127.0.0.1")
    assert wrong(new).client_secret.reveal() not in json.dumps(document) + operator.log
    for number in range(30):
        operator.token(wrong(new, number))
    document = told(receiver, listening)
    assert (document["kind"], document["subject"]) == ("network_failed_often", "network 127.0.0.1")
    # The same again is held back.
    operator.token(old, scope="studies:read")
    operator.token(elsewhere, scope="studies:read")
    assert operator.token(new, scope="studies:read").status == 200
    for number in range(100):
        operator.token(wrong(new, number))
    document = told(receiver, listening)
    assert (document["kind"], document["client_id"]) == ("client_failed_in_a_row", new.client_id)
    assert receiver.got.empty()


@pytest.mark.on("sqlite")
def test_an_audit_that_cannot_be_written_is_told(alarmed):
    import sqlite3

    operator, receiver, listening, _ = alarmed
    info = operator.client("unrecorded")
    with contextlib.closing(sqlite3.connect(operator.home / "keyfob.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # as a program that holds the database and does not let go
        answer = operator.token(info, scope="studies:read")
        assert (answer.status, answer.document["error"]) == (503, "temporarily_unavailable")
        assert told(receiver, listening)["kind"] == "audit_failed"
        other.execute("ROLLBACK")
    assert operator.token(info, scope="studies:read").status == 200


def test_a_receiver_that_hangs_or_is_away_costs_no_request_anything(new_operator, new_receiver, tls_files):
    operator = new_operator()
    info = operator.client("served")
    revoked = operator.client("revoked")
    operator.run("client", "revoke", revoked.client_id)
    with new_receiver() as receiver:
        receiver.gate.clear()
        operator.run("alarm", "secret", "--out", operator.home.parent / "webhook.secret")
        configure(operator, webhook=receiver.url, webhook_ca=str(tls_files.ca), syslog="unix:/nonexistent/log")
        operator.serve()
        assert operator.token(revoked, scope="studies:read").status == 401
        receiver.got.get(timeout=20)  # it has the alarm, and does not answer
        for _ in range(20):
            assert operator.token(info, scope="studies:read").status == 200
        assert operator.request("GET", "/readyz").status == 200
        operator.stop()  # and it stops, although the receiver still hangs
        receiver.gate.set()
    assert "Traceback" not in operator.log


def test_a_server_with_a_webhook_and_no_secret_does_not_start(new_operator):
    operator = new_operator()
    configure(operator, webhook="https://alarms.example/in")
    refused = operator.run("alarm", "test", status=2)
    assert refused["error"] == "webhook-secret-missing"
    assert "alarm secret" in refused["hint"]


def test_access_in_an_emergency_ends_by_itself_and_each_use_rings(alarmed):
    operator, receiver, listening, _ = alarmed
    info = operator.client("unblinding", "--emergency", "4")
    assert operator.token(info, scope="studies:read").status == 200
    alarm = told(receiver, listening)
    assert (alarm["kind"], alarm["severity"]) == ("emergency_access_used", 2)
    assert (alarm["subject"], alarm["address"]) == (f"client {info.client_id}", "127.0.0.1")
    assert operator.token(info, scope="studies:read").status == 200, "it is told, and refuses nothing"
    assert receiver.got.empty(), "the same is told again only after a while"
    (credential,) = operator.run("client", "show", info.client_id)["credentials"]
    assert credential["emergency"] is True
    assert credential["expires_at"] - credential["sealed_at"] == 4 * 3600
    assert info.client_secret_expires_at == credential["expires_at"], "the partner is told"


def test_a_first_use_from_another_place_than_the_message_was_fetched_from_is_told(alarmed):
    """A network is one IPv4 /24: 127.0.0.1 and 127.0.0.9 are one place, 127.9.0.1 is another."""
    operator, receiver, listening, _ = alarmed
    expected, elsewhere = (linked(operator, name) for name in ("expected", "elsewhere"))
    assert used_from(operator, expected[0], "127.0.0.9") == 200
    assert used_from(operator, elsewhere[0], "127.9.0.1") == 200
    alarm = told(receiver, listening)
    assert (alarm["kind"], alarm["subject"]) == ("first_use_unexpected", f"credential {elsewhere[0].credential_id}")
    assert (alarm["client_id"], alarm["address"]) == (elsewhere[0].client_id, "127.9.0.1")
    assert used_from(operator, elsewhere[0], "127.9.0.1") == 200, "it is told, and refuses nothing"
    shown = {
        name: operator.run("client", "show", info.client_id)["credentials"][0] for info, name in (expected, elsewhere)
    }
    assert shown["expected"]["first_use_doubt"] is None
    assert "fetched from 127.0.0.1" in shown["elsewhere"]["first_use_doubt"]
    assert "IPv4 /24" in shown["elsewhere"]["first_use_doubt"]


def test_a_client_with_networks_of_its_own_is_expected_where_it_is_admitted(alarmed):
    operator, receiver, _, _ = alarmed
    info, _ = linked(operator, "networks", "--allow-network", "127.8.0.0/16")
    assert used_from(operator, info, "127.8.0.1") == 200
    assert operator.run("client", "show", info.client_id)["credentials"][0]["first_use_doubt"] is None
    assert receiver.got.empty()


def linked(operator, name, *options):
    """A client whose message was fetched by its link, from 127.0.0.1."""
    out = operator.home.parent / f"{name}.asc"
    arguments = ("--partner", "Acme", "--name", name, "--scope", "studies:read", "--resource", "https://api.example")
    made = operator.run("client", "create", *arguments, "--out", out, "--link", *options)
    assert operator.request("POST", urlsplit(made["link"]).path).status == 200
    return operator.open(out), name


def used_from(operator, info, address):
    """The status of a token request from `address`, which is on loopback."""
    connection = operator.connect()
    connection.source_address = (address, 0)
    try:
        body = urlencode({"grant_type": "client_credentials", "scope": "studies:read"})
        headers = FORM | {"authorization": write_basic(info.client_id, info.client_secret).reveal()}
        connection.request("POST", "/oauth2/token", body.encode(), headers)
        return connection.getresponse().status
    finally:
        connection.close()

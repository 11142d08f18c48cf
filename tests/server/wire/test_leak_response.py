"""A leak from end to end: a real server, a real API with the guard in another process, real mail and a real webhook."""

import base64
import contextlib
import functools
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.jose import keys
from mail_server import taking_mail
from server.wire.conftest import RESOURCE

BOUND = 5.0
"""Seconds, as promised, within which what was withdrawn is refused at every guarded API."""
PARTNER, OPERATOR = "data@acme.example", "ops@operator.example"
KEYS = "/meta/public_keys/secret_scanning"
KEYFOB = "from keyfob.partner.cli import main; main()"
API = """
import sys, uvicorn
from keyfob.guard import Guard, protect
from keyfob.secret import Secret

issuer, audience, files, port = sys.argv[1:]
guard = Guard.discover(issuer, audience=audience, ca_file=f"{files}/ca.pem", resource_key=Secret(sys.stdin.read()))

async def studies(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("ready", flush=True)

Server(uvicorn.Config(protect(studies, guard, "studies:read"), port=int(port), lifespan="off", log_level="warning",
    ssl_certfile=f"{files}/server.pem", ssl_keyfile=f"{files}/server.key")).run()
"""


@pytest.fixture(scope="module")
def scanner():
    """Its key, and how it signs."""
    private = ec.generate_private_key(ec.SECP256R1())
    how = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(*how).decode()
    document = json.dumps({"public_keys": [{"key_identifier": "k1", "key": public, "is_current": True}]}).encode()

    def sign(body):
        return base64.b64encode(private.sign(body, ec.ECDSA(hashes.SHA256()))).decode()

    return SimpleNamespace(document=document, sign=sign)


@pytest.fixture(scope="module")
def site(new_operator, new_receiver, tls_files, session_issuer, scanner, free_port_of):
    operator = new_operator()
    session_issuer.answers[KEYS] = (200, {}, scanner.document)
    with taking_mail(tls_files) as mailbox, new_receiver() as receiver:
        operator.run("alarm", "secret", "--out", operator.home.parent / "webhook.secret")
        settings = operator.home / "keyfob.toml"
        lines = f"""
[alarms]
webhook = "{receiver.url}"
webhook_ca = "{tls_files.ca}"

[mail]
host = "localhost"
port = {mailbox.port}
ca = "{tls_files.ca}"
from = "id@operator.example"
operator = "{OPERATOR}"

[keys]
jwks_uri_networks = "127.0.0.0/8 ::1/128"

[leaks]
scanner_keys = "{session_issuer.url}{KEYS}"
scanner_keys_ca = "{tls_files.ca}"

[security]
contact = "mailto:security@operator.example https://operator.example/security"
expires = "2999-12-31"
"""
        settings.write_text(settings.read_text() + lines)
        operator.serve()
        port = free_port_of()
        arguments = (operator.issuer, RESOURCE, operator.home / "tls", port)
        with subprocess.Popen(
            [sys.executable, "-c", API, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as api:
            api.stdin.write(operator.resource_key.to_secret().reveal())
            api.stdin.close()
            assert api.stdout.readline() == "ready\n"
            context = operator.connect()._context
            yield SimpleNamespace(
                operator=operator, mailbox=mailbox, receiver=receiver, call=functools.partial(call, port, context)
            )
            api.terminate()
        operator.stop()


def call(port: int, context: ssl.SSLContext, token: str) -> int:
    """The status of a call to the API."""
    with contextlib.closing(http.client.HTTPSConnection("localhost", port, timeout=30, context=context)) as connection:
        connection.request("GET", "/", headers={"authorization": f"Bearer {token}"})
        return connection.getresponse().status


def keyfob(operator, *arguments, given, status=0):
    """The partner's program, as a finder has it: no vault, no account."""
    environ = os.environ | {"KEYFOB_VAULT": str(operator.home.parent / "none")}
    done = subprocess.run(
        [sys.executable, "-c", KEYFOB, "report-leak", *map(str, arguments), "--json"],
        input=given, env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def post(operator, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    sent = {"content-type": "application/json"} | {name.replace("_", "-"): said for name, said in headers.items()}
    return operator.request("POST", "/leaks", body, sent)


def letters(mailbox, count):
    """By whom they are for and how their subject begins after the product's name."""
    got = [mailbox.next() for _ in range(count)]
    return {(one["x-rcpt"], one["subject"].removeprefix("[Keyfob] ")): one for one in got}


def text(letter):
    return letter.get_body(("plain",)).get_content().replace("\r", "")


def test_a_leaked_secret_is_ended_everywhere_and_both_sides_are_told(site, until):
    """Its finder has a log and the issuer's URL; what happens is seen from outside alone."""
    operator, mailbox, receiver = site.operator, site.mailbox, site.receiver
    info = operator.client("sync", scope="studies:read")
    secret = info.client_secret.reveal()
    token = operator.token(info, scope="studies:read").document["access_token"]
    assert site.call(token) == 200
    log = f"INFO start\nDEBUG auth={secret} retry\nDEBUG auth={secret} retry\nINFO end\n"
    ca = operator.home / "tls" / "ca.pem"
    where = "https://git.example/acme/sync/build.log"
    said = keyfob(operator, "--issuer", operator.issuer, "--ca", ca, "--found-at", where, given=log)
    assert said == {"endpoint": f"{operator.issuer}/leaks", "presented": 1}
    assert operator.token(info, scope="studies:read").status == 401
    until(lambda: site.call(token) == 401, BOUND)

    got = letters(mailbox, 4)
    told = got[PARTNER, "a secret of sync was found by somebody, and is withdrawn"]
    assert "git.example/acme/sync/build.log" in text(told) and "none: it gets no more tokens" in text(told)
    offered = got[PARTNER, "a replacement for the leaked secret of sync: confirm first that its key did not leak, too"]
    assert "CONFIRM THAT ITS KEY WAS NOT ON THE LEAKING HOST" in text(offered)
    (attached,) = offered.iter_attachments()
    sealed = operator.home.parent / "replacement.asc"
    sealed.write_text(attached.get_content())
    assert operator.token(operator.open(sealed), scope="studies:read").status == 200
    assert {address for address, _ in got} == {PARTNER, OPERATOR}
    for_us = [letter for (address, _), letter in got.items() if address == OPERATOR]
    assert not any(list(one.iter_attachments()) for one in for_us)

    alarms = {}
    while len(alarms) < 4:
        _, document = receiver.next()
        alarms[document["kind"]] = document
    ours = {"revoked_credential_used"}  # when we looked whether it still works
    assert set(alarms) == {"last_secret_reported", "secret_leaked", "replacement_sealed"} | ours
    assert alarms["last_secret_reported"]["severity"] == 1, "somebody is to be woken"
    assert alarms["last_secret_reported"]["client_id"] == info.client_id
    everything = operator.log + json.dumps(alarms) + "".join(text(one) for one in got.values())
    assert secret not in everything
    assert receiver.got.empty() and mailbox.got.empty()


def test_a_guesser_gets_the_very_same_bytes_for_everything(site):
    """A wrong secret of a living credential, of none, rubbish, and a wrong one of each kind: and what really ended."""
    operator = site.operator
    info, hit = operator.client("guessed"), operator.client("hit")
    named = client_secret.credential_id(info.client_secret)
    token = operator.token(info, scope="studies:read").document["access_token"]
    shown = [
        hit.client_secret.reveal(),
        hit.client_secret.reveal(),  # it has ended now
        client_secret.make(named, b"g" * 32).reveal(),
        client_secret.make("unknown0", b"g" * 32).reveal(),
        client_secret.make("unknown0", b"g" * 32, prefix=Prefix.INITIAL_ACCESS_TOKEN).reveal(),
        client_secret.make("unknown0", b"g" * 32, prefix=Prefix.REGISTRATION_ACCESS_TOKEN).reveal(),
        token[:-6] + "AAAAAA",
        keys.generate().to_secret().reveal(),
        f"{operator.issuer}/handoff/{'x' * 43}",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ.eyJ.x",
        "x",
    ]
    seen = set()
    for one in shown:
        answer = post(operator, {"secret": one})
        assert answer.headers.pop("keyfob-request-id") and answer.headers.pop("date")
        seen.add((answer.status, answer.body, tuple(sorted(answer.headers.items()))))
    assert len(seen) == 1, seen
    assert operator.token(info, scope="studies:read").status == 200
    assert operator.introspect(token)["active"] is True


def test_a_scanner_that_signs_is_told_what_was_ours_and_is_never_slowed_down(site, scanner):
    """GitHub's form, its two headers in either spelling, and its answer; whoever only writes them is a stranger."""
    operator = site.operator
    info, other = operator.client("pushed"), operator.client("pushed-too")
    miss = client_secret.make("unknown0", b"m" * 32).reveal()
    place = "https://github.com/octocat/Hello-World/blob/1234/foo/bar.txt"
    reports = [
        {"token": one, "type": "keyfob_client_secret", "url": place, "source": "content"}
        for one in (info.client_secret.reveal(), *[miss] * 120)
    ]
    body = json.dumps(reports).encode()
    signed = {"Github_Public_Key_Identifier": "k1", "Github_Public_Key_Signature": scanner.sign(body)}
    answer = post(operator, body, **signed)
    assert answer.status == 200
    assert answer.document[:2] == [
        {
            "token_hash": hashlib.sha256(shown.encode()).hexdigest(),
            "token_type": "keyfob_client_secret",
            "label": label,
        }
        for shown, label in ((info.client_secret.reveal(), "true_positive"), (miss, "false_positive"))
    ]
    assert operator.token(info, scope="studies:read").status == 401
    (record,) = [one for one in operator.audit() if one.get("client_id") == info.client_id and "where" in one]
    assert (record["actor"], record["where"]) == ("scanner", place.removeprefix("https://"))

    two = json.dumps([{"token": miss}, {"token": info.client_secret.reveal()}]).encode()
    upper = {"GITHUB_PUBLIC_KEY_IDENTIFIER": "k1", "GITHUB_PUBLIC_KEY_SIGNATURE": scanner.sign(two)}
    labels = [one["label"] for one in post(operator, two, **upper).document]
    assert labels == ["false_positive", "true_positive"], "it was ours, and has ended"
    for forged in (
        upper | {"GITHUB_PUBLIC_KEY_SIGNATURE": scanner.sign(body)},
        upper | {"GITHUB_PUBLIC_KEY_IDENTIFIER": "k2"},
        {"GITHUB_PUBLIC_KEY_SIGNATURE": scanner.sign(two)},
    ):
        answer = post(operator, two, **forged)
        assert (answer.status, answer.document) == (202, {"status": "received"})
    assert post(operator, body).status == 400, "so many a stranger may not send at once"

    guesses = [{"secret": miss}] * 50
    assert 429 in [post(operator, guesses).status for _ in range(2)]
    assert post(operator, two, **upper).status == 200
    found = post(operator, {"secret": other.client_secret.reveal()})
    assert (found.status, found.document) == (202, {"status": "received"}), "what works is always taken"
    assert operator.run("client", "show", other.client_id)["credentials"][0]["state"] == "revoked"
    ca, many = operator.home / "tls" / "ca.pem", (client_secret.make("unknown0", bytes([n]) * 32) for n in range(70))
    log = "\n".join(one.reveal() for one in many)
    refused = keyfob(operator, "--issuer", operator.issuer, "--ca", ca, given=log, status=1)
    assert refused["error"] == "too-many-misses"


def test_security_txt_says_whom_to_tell_and_how_to_end_a_secret(site):
    """RFC 9116 §2.5.2, §2.5.3, §2.5.5, §3: a document that its own grammar reads."""
    answer = site.operator.request("GET", "/.well-known/security.txt")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    fields = [re.fullmatch(r"([A-Za-z-]+): (\S.*)", line).groups() for line in lines]
    issuer = site.operator.issuer
    assert fields == [
        ("Contact", "mailto:security@operator.example"),
        ("Contact", "https://operator.example/security"),
        ("Expires", "2999-12-31T23:59:59Z"),
        ("Policy", f"{issuer}/documentation"),
        ("Canonical", f"{issuer}/.well-known/security.txt"),
        ("Preferred-Languages", "en"),
    ]
    assert f"POST {issuer}/leaks" in site.operator.request("GET", "/documentation").body.decode()
    assert site.operator.metadata()["keyfob_leaks_endpoint"] == f"{issuer}/leaks"

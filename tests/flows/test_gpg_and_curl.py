"""The hand-off from seal to first use with the real gpg and curl, by keys as partners have them; then with keyfob."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from flows.conftest import RESOURCE, Vault
from keyfob.ambient import system_clock

pytestmark = pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("curl")), reason="gpg or curl is missing")

KINDS = {"rsa3072": "rsa3072", "rsa4096": "rsa4096", "ed25519": "cv25519"}


class Person:
    """A partner with a keyring and curl, and nothing of ours."""

    def __init__(self, home, operator, algorithm):
        self.home, self.operator = home, operator
        name = f"{algorithm} <{algorithm}@partner.example>"
        self.gpg("--quick-generate-key", name, algorithm, "sign", "1m")
        listed = self.gpg("--with-colons", "--list-keys").decode().splitlines()
        self.fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        self.gpg("--quick-add-key", self.fingerprint, KINDS[algorithm], "encr", "1m")

    def gpg(self, *options, content=b""):
        command = ["gpg", "--batch", "--homedir", str(self.home), "--pinentry-mode", "loopback", "--passphrase", ""]
        done = subprocess.run([*command, *options], input=content, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def curl(self, url, *options, content=b"", status=200):
        ca = self.operator.home / "tls" / "ca.pem"
        command = ["curl", "--silent", "--show-error", "--cacert", str(ca), "--write-out", "\n%{http_code}"]
        done = subprocess.run([*command, *options, url], input=content, capture_output=True, timeout=30)
        body, _, code = done.stdout.rpartition(b"\n")
        assert int(code) == status, done
        return body


@pytest.fixture(params=KINDS, scope="module")
def person(request, stage):
    home = Path(tempfile.mkdtemp(prefix="kf-", dir="/tmp"))  # short: the path of a socket has 107 characters
    try:
        made = Person(home, stage.operator, request.param)
        file = home / "certificate.asc"
        file.write_bytes(made.gpg("--armor", "--export", made.fingerprint))
        arguments = ("--certificate", file, "--email", "p@partner.example")
        stage.operator.run("partner", "add", request.param, *arguments, "--confirm-fingerprint", made.fingerprint)
        made.name = request.param
        yield made
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def test_a_hand_off_is_followed_from_the_seal_to_the_first_use(person, stage):
    operator, message = stage.operator, person.home / "message.asc"
    made = operator.run(
        *("client", "create", "--partner", person.name, "--name", "sync", "--scope", "studies:read"),
        *("--resource", RESOURCE, "--out", person.home / "unsent.asc", "--link"),
    )

    def seen():
        return stage.credentials(made["client_id"])[-1]

    assert seen()["delivered_at"] is None
    person.curl(made["link"])  # what a mail scanner does
    assert seen()["delivered_at"] is None
    message.write_bytes(person.curl(made["link"], "--request", "POST"))
    assert seen()["delivered_from"] == "127.0.0.1"

    person.gpg("--import", content=person.curl(f"{operator.issuer}/.well-known/keyfob/operator.asc"))
    information = json.loads(person.gpg("--decrypt", str(message)))
    assert information["recipient_fingerprint"] == person.fingerprint
    receipt = {
        "purpose": "keyfob-acknowledgement",
        **{name: information[name] for name in ("issuer", "client_id", "credential_id", "message_id")},
        "digest": hashlib.sha256(message.read_bytes()).hexdigest(),
        "acknowledged_at": system_clock(),
    }
    signed = person.gpg("--clearsign", content=json.dumps(receipt).encode())
    assert seen()["acknowledged_at"] is None
    address = f"{operator.issuer}/partner/v1/acknowledgements"
    person.curl(address, "--data-binary", "@-", content=signed)
    assert seen()["acknowledged_at"] is not None
    assert seen()["first_used_at"] is None

    user = f'user = "{information["client_id"]}:{information["client_secret"]}"\n'.encode()
    token = ("--data", f"grant_type=client_credentials&scope=studies:read&resource={RESOURCE}", "--config", "-")
    person.curl(information["token_endpoint"], *token, content=user)
    assert seen()["first_used_from"] == "127.0.0.1"

    successor = f"{operator.issuer}/partner/v1/credentials/next"
    sealed = person.curl(successor, "--request", "POST", "--config", "-", content=user, status=201)
    new = json.loads(person.gpg("--decrypt", content=sealed))
    assert new["client_secret"] != information["client_secret"]
    again = f'user = "{new["client_id"]}:{new["client_secret"]}"\n'.encode()
    person.curl(new["token_endpoint"], *token, content=again)
    finish = f"{operator.issuer}/partner/v1/credentials/finish"
    person.curl(finish, "--request", "POST", "--config", "-", content=user, status=409)
    person.curl(finish, "--request", "POST", "--config", "-", content=again)
    person.curl(new["token_endpoint"], *token, content=user, status=401)


def test_keyfob_does_the_same_with_the_keyring(person, stage):
    made = stage.operator.run(
        *("client", "create", "--partner", person.name, "--name", "keyfob", "--scope", "studies:read"),
        *("--resource", RESOURCE, "--out", person.home / "unsent-either.asc", "--link"),
    )

    class Keyring(Vault):
        @property
        def environ(self):
            return super().environ | {"GNUPGHOME": str(person.home)}

    vault = Keyring(stage.operator, person.home / "vault", person.home / "none")
    received = vault.run("receive", made["link"], "--key", "message", "--operator-fingerprint", stage.fingerprint)
    assert received["acknowledged"] is True
    shown = stage.credentials(made["client_id"])[-1]
    assert shown["delivered_at"] is not None
    assert shown["acknowledged_from"] == "127.0.0.1"
    assert vault.works()
    rotated = vault.run("rotate")
    old, new = stage.credentials(made["client_id"])
    assert (old["credential_id"], new["credential_id"]) == (rotated["replaced"], rotated["credential_id"])
    assert (old["state"], new["state"]) == ("retiring", "active")
    assert new["acknowledged_at"] is not None
    assert vault.run("rotate", "--finish") == {"retired": [old["credential_id"]]}
    assert vault.works()
    for _ in range(4):
        vault.run("receive", made["link"], "--key", "message", status=1)
    dead = vault.run("receive", made["link"], "--key", "message", status=1)
    assert dead["error"] == "dead-link"
    assert made["link"].rpartition("/")[2] not in json.dumps(dead)

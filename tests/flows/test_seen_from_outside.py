"""A secret's whole life as its two sides see it: gpg, curl, letters and webhooks, and the clock of a real server."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from flows.conftest import RESOURCE
from flows.test_gpg_and_curl import Person
from mail_server import taking_mail
from server.conftest import receiving
from server.wire.test_notices import OPERATOR, configure, text

pytestmark = pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("curl")), reason="gpg or curl is missing")

DAY = 24 * 3600
OVERLAP = 6


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="kf-", dir="/tmp"))  # short: the path of a socket has 107 characters
    yield folder
    subprocess.run(["gpgconf", "--homedir", str(folder), "--kill", "all"], check=False, timeout=30)
    shutil.rmtree(folder, ignore_errors=True)


def test_opened_acknowledged_used_replaced_and_dead(home, new_operator, tls_files):
    operator = new_operator()
    with taking_mail(tls_files) as mailbox, receiving(tls_files) as receiver:
        operator.run("alarm", "secret", "--out", operator.home.parent / "webhook.secret")
        more = f'[alarms]\nwebhook = "{receiver.url}"\nwebhook_ca = "{tls_files.ca}"\n'
        # Some seconds after it was made, the secret is within two days of its end: the schedule replaces it.
        more += f"[credentials]\nlifetime = {2 * DAY + 15}\nrotate_days_before = 2\noverlap = {OVERLAP}"
        configure(operator, tls_files, mailbox, more=more)
        operator.serve()
        person = Person(home, operator, "ed25519")
        certificate = home / "certificate.asc"
        certificate.write_bytes(person.gpg("--armor", "--export", person.fingerprint))
        contact = ("--email", "p@partner.example", "--confirm-fingerprint", person.fingerprint)
        operator.run("partner", "add", "Partner", "--certificate", certificate, *contact)
        made = operator.run(
            *("client", "create", "--partner", "Partner", "--name", "sync", "--scope", "studies:read"),
            *("--resource", RESOURCE, "--out", home / "unsent.asc", "--link"),
        )
        sealed = person.curl(made["link"], "--request", "POST")
        person.gpg("--import", content=person.curl(f"{operator.issuer}/.well-known/keyfob/operator.asc"))
        old = json.loads(person.gpg("--decrypt", content=sealed))
        receipt = {
            "purpose": "keyfob-acknowledgement",
            **{name: old[name] for name in ("issuer", "client_id", "credential_id", "message_id")},
            "digest": hashlib.sha256(sealed).hexdigest(),
            "acknowledged_at": int(time.time()),
        }
        signed = person.gpg("--clearsign", content=json.dumps(receipt).encode())
        address = f"{operator.issuer}/partner/v1/acknowledgements"
        assert json.loads(person.curl(address, "--data-binary", "@-", content=signed))["acknowledged"] is True
        token(person, old)

        letters: dict[str, object] = {}
        while len(letters) < 2:
            letter = mailbox.next()
            if "new secret" in letter["subject"]:
                letters[letter["x-rcpt"]] = letter
        (attached,) = letters["p@partner.example"].iter_attachments()
        new = json.loads(person.gpg("--decrypt", content=attached.get_content().encode()))
        (kept,) = (operator.home / "sealed").iterdir()
        assert str(kept) in text(letters[OPERATOR]) and not list(letters[OPERATOR].iter_attachments())
        _, told = receiver.next()
        assert (told["kind"], told["facts"]["client_id"]) == ("successor_sealed", made["client_id"])

        token(person, old)
        used_at = int(time.time())
        token(person, new)
        first, second = operator.run("client", "show", made["client_id"])["credentials"]
        assert None not in (first["delivered_at"], first["acknowledged_at"], first["first_used_at"])
        assert (first["state"], second["state"], second["overlap"]) == ("retiring", "active", OVERLAP)
        assert first["overlap_ends_at"] - second["first_used_at"] == OVERLAP
        while (status := ask(person, old)) == 200:
            assert time.time() < used_at + OVERLAP + 30
        assert status == 401 and time.time() >= used_at + OVERLAP, "the old one died, and not before its time"
        token(person, new)


def token(person, information):
    assert ask(person, information) == 200


def ask(person, information):
    """The status of a token request with curl, the secret on its standard input."""
    user = f'user = "{information["client_id"]}:{information["client_secret"]}"\n'.encode()
    form = ("--data", f"grant_type=client_credentials&scope=studies:read&resource={RESOURCE}", "--config", "-")
    command = ["curl", "--silent", "--cacert", str(person.operator.home / "tls" / "ca.pem"), "--output", "/dev/null"]
    done = subprocess.run(
        [*command, "--write-out", "%{http_code}", *form, information["token_endpoint"]],
        input=user,
        capture_output=True,
        timeout=30,
    )
    return int(done.stdout)

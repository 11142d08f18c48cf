"""`partner` and `resource`: what is confirmed and registered, and what is refused."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time

import pytest

from keyfob.openpgp import certificate as certificates

DAY = 24 * 60 * 60


@pytest.fixture
def add(program, home, tmp_path):
    def run(certificate, *more, name="Acme", email="data@acme.example", code=0):
        file = tmp_path / "certificate.asc"
        file.write_bytes(certificate.armored)
        base = ("partner", "add", name, "--home", home, "--certificate", file, "--email", email, "--json")
        return program.run(*base, *more, code=code).json

    return run


def grouped(fingerprint):
    return " ".join(fingerprint[place : place + 4] for place in range(0, len(fingerprint), 4)).lower()


def test_a_partner_is_added_with_a_fingerprint_in_any_spelling(add, program, home, partner_key, audit_kinds):
    certificate = partner_key[1]
    added = add(certificate, "--confirm-fingerprint", grouped(certificate.fingerprint))
    assert added["outcome"] == "added"
    assert added["fingerprint"] == certificate.fingerprint
    assert added["fingerprint_confirmed_how"] == "flag"
    assert audit_kinds()[-1] == "partner_added"
    shown = program.run("partner", "list", "--home", home, "--json").json
    assert [one["name"] for one in shown["partners"]] == ["Acme"]
    assert "Acme" in program.run("partner", "list", "--home", home).out


def test_a_wrong_fingerprint_stores_nothing(add, program, home, partner_key, other_key):
    refused = add(partner_key[1], "--confirm-fingerprint", other_key[1].fingerprint, code=2)
    assert refused["error"] == "fingerprint-mismatch"
    assert program.run("partner", "list", "--home", home, "--json").json == {"partners": []}


def test_a_part_of_the_fingerprint_is_not_enough(add, partner_key):
    certificate = partner_key[1]
    assert add(certificate, "--confirm-fingerprint", certificate.fingerprint[-16:], code=2)
    assert add(certificate, "--confirm-fingerprint", "", code=2)


def test_without_a_terminal_an_unconfirmed_fingerprint_is_refused(add, partner_key, monkeypatch):
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115
    refused = add(partner_key[1], code=2)
    assert refused["error"] == "fingerprint-unconfirmed"
    assert "--confirm-fingerprint" in refused["hint"]


def test_the_same_key_again_is_a_renewal_that_needs_no_confirmation(add, partner_key, audit_kinds):
    certificate = partner_key[1]
    first = add(certificate, "--confirm-fingerprint", certificate.fingerprint)
    assert add(certificate)["outcome"] == "unchanged"
    assert audit_kinds()[-1] == "partner_added"
    again = add(certificate, email="new@acme.example")
    assert again["outcome"] == "renewed"
    assert again["partner_id"] == first["partner_id"]
    assert again["email"] == "new@acme.example"
    assert audit_kinds()[-1] == "partner_certificate_renewed"


def test_another_key_under_a_known_name_is_refused(add, partner_key, other_key):
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    refused = add(other_key[1], "--confirm-fingerprint", other_key[1].fingerprint, code=2)
    assert refused["error"] == "partner-exists"


def test_a_known_key_under_another_name_is_refused(add, partner_key):
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    refused = add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint, name="Beta", code=2)
    assert refused["error"] == "certificate-known"


def test_an_expired_certificate_is_refused(add, program, partner_key):
    program.now += 40 * DAY
    refused = add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint, code=1)
    assert "expire" in refused["message"]
    assert refused["hint"]


def test_a_private_key_pasted_by_mistake_is_refused_and_not_shown(program, home, tmp_path, partner_key):
    file = tmp_path / "oops.asc"
    file.write_bytes(partner_key[0].reveal_bytes())
    base = ("partner", "add", "Acme", "--home", home, "--certificate", file, "--email", "a@b.example", "--json")
    refused = program.run(*base, "--confirm-fingerprint", partner_key[1].fingerprint, code=1)
    assert "private" in refused.json["message"].lower()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100])
def test_what_is_no_certificate_is_refused(program, home, tmp_path, content):
    file = tmp_path / "x.asc"
    file.write_bytes(content)
    base = ("partner", "add", "Acme", "--home", home, "--certificate", file, "--email", "a@b.example", "--json")
    assert str(file) in program.run(*base, "--confirm-fingerprint", "A" * 40, code=1).json["message"]


def test_a_file_that_is_not_there_is_named(program, home, tmp_path):
    base = ("partner", "add", "Acme", "--home", home, "--certificate", tmp_path / "no.asc", "--email", "a@b.example")
    refused = program.run(*base, "--json", code=2)
    assert refused.json["error"] == "file-unreadable"
    assert "no.asc" in refused.json["message"]


@pytest.mark.parametrize(("name", "email"), [("a\x1b[1m", "a@b.example"), ("Acme", "nonsense")])
def test_a_name_or_address_that_is_none_is_refused(add, partner_key, name, email):
    assert add(partner_key[1], "--confirm-fingerprint", "x", name=name, email=email, code=2)["error"].startswith("bad-")


def test_a_partner_is_shown_with_its_clients_and_the_state_of_its_certificate(program, acme):
    assert "clients      none" in program.run("partner", "show", "Acme", "--home", acme.home).out
    client = acme.create()
    shown = program.run("partner", "show", "Acme", "--home", acme.home, "--json").json
    assert shown["certificate_problem"] is None
    assert shown["certificate_expires_at"] > program.now
    assert [one["client_id"] for one in shown["clients"]] == [client["client_id"]]
    program.now += 40 * DAY
    later = program.run("partner", "show", "Acme", "--home", acme.home, "--json").json
    assert "expire" in later["certificate_problem"]
    assert client["client_id"] in program.run("partner", "show", "Acme", "--home", acme.home).out


def test_an_unknown_partner_is_answered_with_the_nearest(program, acme):
    refused = program.run("partner", "show", "Acne", "--home", acme.home, "--json", code=2)
    assert refused.json["error"] == "unknown-partner"
    assert refused.json["hint"] == "did you mean Acme?"


def test_a_resource_is_added_changed_and_unchanged(program, home, resource_file, audit_kinds):
    add = ("resource", "add", resource_file(), "--home", home, "--json")
    assert program.run(*add).json["outcome"] == "added"
    assert program.run(*add).json["outcome"] == "unchanged"
    resource_file(scopes=("a:read", "b:read", "c:write"))
    changed = program.run(*add).json
    assert changed["outcome"] == "changed"
    assert changed["scopes"] == ["a:read", "b:read", "c:write"]
    assert audit_kinds()[-2:] == ["resource_added", "resource_changed"]
    shown = program.run("resource", "list", "--home", home, "--json").json
    assert list(shown["resources"][0]["scopes"]) == ["a:read", "b:read", "c:write"]
    assert "c:write" in program.run("resource", "list", "--home", home).out


def test_a_resource_that_trusts_another_issuer_is_refused(program, home, resource_file):
    """RFC 9728 §2, §7.4."""
    file = resource_file(issuer="https://other.example")
    refused = program.run("resource", "add", file, "--home", home, "--json", code=2)
    assert refused.json["error"] == "other-issuer"
    assert "https://other.example" in refused.json["hint"]


def test_a_scope_that_a_client_holds_cannot_go(program, acme, resource_file):
    client = acme.create()
    file = resource_file(scopes=("b:read",))
    refused = program.run("resource", "add", file, "--home", acme.home, "--json", code=2)
    assert refused.json["error"] == "scope-in-use"
    assert client["client_id"] in refused.json["message"]
    assert program.run("resource", "list", "--home", acme.home, "--json").json["resources"][0]["scopes"]["a:read"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", json.dumps({"resource": "http://api.example"}).encode()]
)
def test_what_describes_no_resource_is_refused(program, home, tmp_path, content):
    file = tmp_path / "x.json"
    file.write_bytes(content)
    refused = program.run("resource", "add", file, "--home", home, "--json", code=2)
    assert refused.json["error"] == "bad-resource"
    assert "x.json" in refused.json["message"]


@pytest.fixture
def renew(program, home, tmp_path):
    def run(certificate, *more, name="Acme", code=0):
        file = tmp_path / "renewed.asc"
        file.write_bytes(certificate.armored)
        return program.run(
            "partner", "renew", name, "--home", home, "--certificate", file, "--json", *more, code=code
        ).json

    return run


@pytest.fixture
def told(program, home):
    """The kinds and recipients of all notices so far: no server runs, so that none is routed yet."""

    def read():
        return program.run("notice", "list", "--home", home, "--json").json["waiting"]

    return read


def test_the_same_key_is_renewed_at_once_and_both_sides_are_told(add, renew, told, partner_key, audit_kinds):
    certificate = partner_key[1]
    add(certificate, "--confirm-fingerprint", certificate.fingerprint)
    assert renew(certificate)["outcome"] == "unchanged"
    assert told() == 0
    again = renew(certificate, "--email", "new@acme.example")
    assert (again["outcome"], again["email"]) == ("renewed", "new@acme.example")
    assert audit_kinds()[-1] == "partner_certificate_renewed"
    assert told() == 2


def test_another_key_needs_its_fingerprint_and_then_gets_the_secrets(
    add, renew, told, partner_key, other_key, audit_kinds
):
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    new = other_key[1]
    assert renew(new, "--confirm-fingerprint", partner_key[1].fingerprint, code=2)["error"] == "fingerprint-mismatch"
    replaced = renew(new, "--confirm-fingerprint", grouped(new.fingerprint))
    assert (replaced["outcome"], replaced["fingerprint"]) == ("replaced", new.fingerprint)
    assert audit_kinds()[-1] == "partner_certificate_replaced"
    assert told() == 2


def test_another_key_without_a_terminal_is_refused(add, renew, partner_key, other_key, monkeypatch):
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115
    assert renew(other_key[1], code=2)["error"] == "fingerprint-unconfirmed"


def test_approval_alone_gives_no_key_a_place(add, renew, told, program, partner_key, other_key):
    """`--approve` takes only what the present key, while it is valid, has signed."""
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    refused = renew(other_key[1], "--approve", code=1)
    assert refused["error"] == "not-certified" and "--quick-sign-key" in refused["hint"]
    program.now += 40 * DAY
    assert renew(other_key[1], "--approve", code=1)["error"] == "certificate-expired"
    assert told() == 0


def test_a_key_of_another_partner_is_refused(add, renew, partner_key, other_key):
    add(partner_key[1], "--confirm-fingerprint", partner_key[1].fingerprint)
    add(other_key[1], "--confirm-fingerprint", other_key[1].fingerprint, name="Beta")
    refused = renew(other_key[1], "--confirm-fingerprint", other_key[1].fingerprint, code=2)
    assert refused["error"] == "certificate-known"


@contextlib.contextmanager
def short_folder():
    """For gpg, whose sockets have a path of at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="kf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_keys_of_the_real_gpg_follow_each_other(add, program, home, tmp_path):
    """A key is prolonged; the older form is refused; then a new key takes its place, signed by it."""
    with short_folder() as folder:

        def gpg(*options):
            command = ["gpg", "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
            return subprocess.run([*command, "--homedir", folder, *options], capture_output=True, check=True).stdout

        def new(name):
            gpg("--quick-generate-key", f"{name} <{name}@acme.example>", "ed25519", "sign", "1m")
            shown = gpg("--with-colons", "--list-keys", f"={name} <{name}@acme.example>").decode().splitlines()
            fingerprint = next(line.split(":")[9] for line in shown if line.startswith("fpr"))
            gpg("--quick-add-key", fingerprint, "cv25519", "encr", "1m")
            return fingerprint

        def renew(fingerprint, *more, file="x.asc", code=0):
            path = tmp_path / file
            if not path.exists():
                path.write_bytes(gpg("--armor", "--export", fingerprint))
            base = ("partner", "renew", "Acme", "--home", home, "--certificate", path, "--json")
            return program.run(*base, *more, code=code).json

        first = new("first")
        (tmp_path / "old.asc").write_bytes(gpg("--armor", "--export", first))
        made = certificates.check((tmp_path / "old.asc").read_bytes(), now=program.now + 5)
        add(made, "--confirm-fingerprint", first)
        while int(time.time()) <= certificates.signed_at(made.armored):
            gpg("--list-keys")
        gpg("--quick-set-expire", first, "3m")
        gpg("--quick-set-expire", first, "3m", "*")
        program.now = int(time.time())
        later = renew(first, file="later.asc")
        assert later["outcome"] == "renewed" and later["certificate_expires_at"] > made.expires_at + 50 * DAY
        assert renew(first, file="old.asc", code=2)["error"] == "certificate-older"
        second = new("second")
        program.now = int(time.time())
        assert renew(second, "--approve", file="unsigned.asc", code=1)["error"] == "not-certified"
        gpg("--local-user", first, "--quick-sign-key", second)
        program.now = int(time.time())  # a signature of a later second is not one yet
        taken = renew(second, "--approve", file="signed.asc")
        assert (taken["outcome"], taken["fingerprint_confirmed_how"]) == ("replaced", "certified")

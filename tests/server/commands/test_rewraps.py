"""The key-encryption key under AWS KMS, and `key rewrap`: another one takes its place, and everything always opens."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from keyfob import home as homes
from keyfob.ambient import system_entropy
from keyfob.envelope.wrappers import KeyFileWrapper
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.problem import Problem
from keyfob.server import installation, key_encryption, keys_at_rest, rewrapping
from kms import id_of

ENTRY = "from keyfob.server.cli import main; main()"
ISSUER = "https://localhost:8443"


def secrets_of(home):
    """Every secret that lies in an envelope, opened."""
    with contextlib.closing(installation.open(home, environ={}, entropy=system_entropy)) as found:
        names = keys_at_rest.files(found.home)
        files = {name: keys_at_rest.open_file(found.home, name, wrapper=found.kek.wrapper) for name in names}
        with found.store.reading() as reading:
            records = reading.all_signing_keys()
        keys = {one.kid: found.signing_key(one).to_secret() for one in records}
    return {name: secret.reveal_bytes() for name, secret in (files | keys).items()}


def envelopes(home):
    with contextlib.closing(installation.open(home, environ={}, entropy=system_entropy)) as found:
        with found.store.reading() as reading:
            rows = [one.envelope for one in reading.all_signing_keys()]
        return [keys_at_rest.file_of(found.home, name).read_bytes() for name in keys_at_rest.files(found.home)] + rows


def kek(program, home):
    return program.run("key", "list", "--home", home, "--json").json["kek"]


@pytest.fixture
def rewrap(program, home):
    def run(place, *options, code=0):
        return program.run("key", "rewrap", "--home", home, "--kek", place, "--json", *options, code=code).json

    return run


@pytest.fixture
def used(program, home):
    """With a webhook's secret, and a revoked signing key."""
    program.run("alarm", "secret", "--home", home, "--out", "webhook.secret")
    program.run("key", "rotate", "--home", home, "--emergency", "--yes")
    return home


def test_a_home_is_made_under_a_key_in_kms_and_asks_it_once_for_each_program(program, cloud, tmp_path):
    key = cloud.new_key()
    home = tmp_path / "operator"
    alias = cloud.new_alias("fresh", key)
    program.run("init", "--home", home, "--issuer", ISSUER, "--kek", alias)
    assert key.encode()[8:] in (home / "keys" / "kek").read_bytes()
    assert b"keyfob-key-1" not in (home / "keys" / "kek").read_bytes()
    cloud.proxy.calls.clear()
    assert kek(program, home) == key
    assert cloud.proxy.calls == ["decrypt"]


def test_the_key_encryption_key_goes_to_kms_to_another_key_there_and_back(program, used, cloud, rewrap, audit_kinds):
    before, first, second = secrets_of(used), cloud.new_key(), cloud.new_key()
    old_key = KeyFileWrapper.load(used / "keys" / "kek")
    moved = rewrap(first)
    assert moved == {"from": "file", "to": first, "envelopes": len(before)}
    assert not any(old_key.made(one) for one in envelopes(used))
    assert secrets_of(used) == before
    assert rewrap(second)["from"] == first
    cloud.admin.disable_key(KeyId=id_of(first))
    assert secrets_of(used) == before
    assert rewrap("file") == {"from": second, "to": "file", "envelopes": len(before)}
    cloud.proxy.set("away")
    assert secrets_of(used) == before
    assert audit_kinds().count("key_encryption_key_changed") == 3
    assert program.run("audit", "verify", "--home", used, "--json").json["whole"] is True


def test_an_alias_that_names_another_key_changes_nothing_until_it_is_rewrapped(program, home, cloud, rewrap):
    first, second = cloud.new_key(), cloud.new_key()
    alias = cloud.new_alias("renewed", first)
    rewrap(alias)
    cloud.admin.update_alias(AliasName="alias/renewed", TargetKeyId=id_of(second))
    assert kek(program, home) == first
    assert rewrap(alias) == {"from": first, "to": second, "envelopes": 5}
    assert kek(program, home) == second


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("away", "kms-unreachable"),
        ("ThrottlingException", "kms-throttled"),
        ("AccessDeniedException", "kms-denied"),
    ],
)
def test_a_home_whose_kms_fails_says_so_and_works_again_afterwards(program, home, cloud, rewrap, trouble, code):
    rewrap(cloud.new_key())
    cloud.proxy.set(trouble)
    refused = program.run("partner", "list", "--home", home, "--json", code=1).json
    assert refused["error"] == code and refused["hint"]
    cloud.proxy.set("pass")
    program.run("partner", "list", "--home", home)


def test_a_change_that_kms_refuses_leaves_everything_as_it_was(program, home, cloud, rewrap):
    before, content = secrets_of(home), (home / "keys" / "kek").read_bytes()
    key = cloud.new_key()
    cloud.admin.disable_key(KeyId=id_of(key))
    assert rewrap(key, code=1)["error"] == "kms-key-disabled"
    assert rewrap(cloud.new_key("ECC_NIST_P256"), code=2)["error"] == "kms-key-use"
    assert rewrap("aws-kms:alias/ours", code=2)["error"] == "bad-kms-key"
    assert (home / "keys" / "kek").read_bytes() == content
    assert sorted(path.name for path in (home / "keys").iterdir() if "kek" in path.name) == ["kek"]
    assert secrets_of(home) == before


def test_nothing_is_rewrapped_while_a_server_runs_or_with_an_envelope_that_nobody_knows(home, cloud, rewrap):
    key = cloud.new_key()
    with homes.in_use(home):
        assert rewrap(key, code=2)["error"] == "home-in-use"
    (home / "keys" / "newer.envelope").write_bytes(b"KFE")
    assert rewrap(key, code=1)["error"] == "unknown-envelope"
    assert not (home / "keys" / "kek.next").exists()


def test_the_recovery_copy_opens_everything_without_kms(program, cloud, other_key, tmp_path):
    private_key, certificate = other_key
    (tmp_path / "recovery-cert.asc").write_bytes(certificate.armored)
    home, key = tmp_path / "operator", cloud.new_key()
    options = ("--recovery-cert", "recovery-cert.asc")
    program.run("init", "--home", home, "--issuer", ISSUER, "--kek", key, *options)
    before = secrets_of(home)
    run = ("key", "rewrap", "--home", home, "--kek", cloud.new_key(), "--json")
    assert program.run(*run, code=2).json["error"] == "recovery-missing"
    for _ in range(2):
        cloud.proxy.set("away")
        refused = program.run("key", "list", "--home", home, "--json", code=1).json
        assert f"move {home / 'keys' / 'kek'} aside, and with the recovery key: gpg --decrypt" in refused["hint"]
        kept = (home / "keys" / "kek").read_bytes()
        sealed = (home / "recovery.asc").read_bytes()
        opened = PrivateKeyUnsealer(private_key).unseal(sealed, signer=_operator(home))
        homes.write_file(home / "keys" / "kek", opened.reveal_bytes())
        assert secrets_of(home) == before
        homes.write_file(home / "keys" / "kek", kept)
        cloud.proxy.set("pass")
        program.run(*run, *options)


def _operator(home):
    from keyfob.openpgp import certificate as certificates

    return certificates.read_signer((home / "operator.asc").read_bytes())


@pytest.mark.on("sqlite")
def test_a_backup_holds_the_key_only_where_kms_alone_opens_it(program, home, cloud, rewrap, tmp_path):
    program.run("backup", tmp_path / "plain", "--home", home)
    assert not (tmp_path / "plain" / "keys" / "kek").exists()
    rewrap(cloud.new_key())
    before = secrets_of(home)
    program.run("backup", tmp_path / "kms", "--home", home)
    shutil.copytree(home / "tls", tmp_path / "kms" / "tls", dirs_exist_ok=True)
    assert secrets_of(tmp_path / "kms") == before


class Stop(BaseException):
    """In place of a SIGKILL, at one certain step."""


def test_wherever_it_is_cut_off_everything_opens_and_the_same_command_ends_it(
    used, cloud, rewrap, monkeypatch, audit_kinds
):
    """Before each step that writes, from the first to the last."""
    before = secrets_of(used)
    steps = [
        (homes, "write_new_file"),
        *[(homes, "write_file")] * 4,
        (rewrapping, "_rewrap_records"),
        (key_encryption, "finish"),
    ]
    key = cloud.new_key()
    for number, (module, name) in enumerate(steps):
        real, calls = getattr(module, name), []
        allowed = sum(1 for one in steps[:number] if one == (module, name)) if name == "write_file" else 0

        def cut(*arguments, real=real, calls=calls, allowed=allowed, **options):
            calls.append(1)
            if len(calls) > (allowed and 1):
                raise Stop
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, cut)
        with contextlib.closing(installation.open(used, environ={}, entropy=system_entropy)) as found:
            with pytest.raises(Stop):
                rewrapping.rewrap(
                    found, key_encryption.parse(key), None, now=1, actor="operator:x", entropy=system_entropy
                )
        monkeypatch.undo()
        assert secrets_of(used) == before
    assert rewrap("file", code=2)["error"] == "kek-changing"
    assert rewrap(key)["to"] == key
    assert secrets_of(used) == before
    assert not (used / "keys" / "kek.next").exists()
    assert audit_kinds().count("key_encryption_key_changed") == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_kill_at_any_moment_leaves_secrets_that_open(used, cloud, rewrap):
    before, key = secrets_of(used), cloud.new_key()
    command = [sys.executable, "-c", ENTRY, "key", "rewrap", "--home", str(used), "--kek", key]
    keys = used / "keys"
    contents = {path: path.read_bytes() for path in keys.glob("*.envelope")}

    def changed():
        return sum(path.read_bytes() != content for path, content in contents.items())

    # How far it is shows in what it asked of KMS, and in the files.
    for is_there in (
        lambda: "encrypt" in cloud.proxy.calls,
        lambda: (keys / "kek.next").exists(),
        lambda: changed() >= 1,
        lambda: changed() == len(contents),
    ):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not is_there():
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert secrets_of(used) == before
    assert rewrap(key)["to"] == key
    assert secrets_of(used) == before


def test_a_kek_of_another_home_or_kind_does_not_open(program, home, cloud, rewrap, tmp_path):
    rewrap(cloud.new_key())
    other = tmp_path / "other"
    program.run("init", "--home", other, "--issuer", ISSUER, "--kek", cloud.new_key())
    shutil.copy(other / "keys" / "kek", home / "keys" / "kek")
    with pytest.raises(Problem):
        installation.open(home, environ={}, entropy=system_entropy)
    refused = program.run("key", "list", "--home", home, "--json", code=1).json
    assert refused["error"] == "envelope-damaged"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256"])
def test_a_signing_key_in_kms_is_registered_listed_and_never_replaced_by_a_weaker_one_unasked(
    program, home, cloud, spec, rewrap
):
    key = cloud.new_key(spec)
    made = program.run("key", "rotate", "--home", home, "--in", key, "--json").json
    listed = program.run("key", "list", "--home", home, "--json").json["keys"]
    assert {one["kid"]: one["in"] for one in listed}[made["kid"]] == key
    again = program.run("key", "rotate", "--home", home, "--json", code=2).json
    assert again["error"] == "key-place"
    program.now += 31 * 86400
    assert program.run("key", "rotate", "--home", home, "--in", key, "--json", code=2).json["error"] == "key-known"
    with contextlib.closing(installation.open(home, environ={}, entropy=system_entropy)) as found:
        from keyfob.server.lifecycle import key_rotation
        from keyfob.server.storage.records import Purpose

        due = {"now": program.now, "entropy": system_entropy, "actor": "server"}
        assert key_rotation.rotate_if_due(found, Purpose.ACCESS_TOKENS, **due) is None
        assert key_rotation.rotate_if_due(found, Purpose.REVOCATIONS, **due) is not None
    program.run("key", "rotate", "--home", home, "--in", "file", "--json")
    rewrap(cloud.new_key())
    listed = program.run("key", "list", "--home", home, "--json").json["keys"]
    assert sorted(one["in"] for one in listed) == [key, "file", "file"]


@pytest.mark.parametrize(
    ("spec", "algorithm", "error"),
    [
        ("ECC_NIST_P256", "ES384", "kms-algorithm"),
        ("ECC_NIST_P384", "ES256", "kms-algorithm"),
        ("RSA_3072", "ES256", "kms-algorithm"),
        ("RSA_2048", "RS256", "kms-algorithm"),
        ("ECC_NIST_P256", "EdDSA", "kms-algorithm"),
        ("ECC_SECG_P256K1", "ES256", "kms-algorithm"),
        ("SYMMETRIC_DEFAULT", "ES256", "kms-key-use"),
    ],
)
def test_a_key_that_does_not_fit_the_algorithm_or_is_weak_is_refused(program, home, cloud, spec, algorithm, error):
    program.environ = {"KEYFOB_KEYS_ALGORITHM": algorithm}
    refused = program.run("key", "rotate", "--home", home, "--in", cloud.new_key(spec), "--json", code=2)
    assert refused.json["error"] == error
    assert len(program.run("key", "list", "--home", home, "--json").json["keys"]) == 1


def test_json_of_the_list_names_the_place_of_each_key(program, home):
    listed = program.run("key", "list", "--home", home, "--json").json
    assert (listed["kek"], [one["in"] for one in listed["keys"]]) == ("file", ["file"])
    assert "key-encryption key: file" in program.run("key", "list", "--home", home).out
    assert json.dumps(listed)


def test_while_it_changes_each_of_the_two_keys_has_a_recovery_copy_of_its_own(
    program, cloud, other_key, tmp_path, monkeypatch
):
    private_key, certificate = other_key
    (tmp_path / "recovery-cert.asc").write_bytes(certificate.armored)
    home, options = tmp_path / "operator", ("--recovery-cert", "recovery-cert.asc")
    program.run("init", "--home", home, "--issuer", ISSUER, *options)
    before = secrets_of(home)

    def cut(*_arguments, **_options):
        raise Problem("cut", "cut off")

    monkeypatch.setattr(rewrapping, "_rewrap_records", cut)
    program.run("key", "rewrap", "--home", home, "--kek", cloud.new_key(), *options, code=1)
    assert secrets_of(home) == before
    cloud.proxy.set("away")
    refused = program.run("key", "list", "--home", home, "--json", code=1).json
    copy, lost = home / "recovery.next.asc", home / "keys" / "kek.next"
    assert f"gpg --decrypt {copy} > {lost}" in refused["hint"]
    opened = PrivateKeyUnsealer(private_key).unseal(copy.read_bytes(), signer=_operator(home))
    homes.write_file(lost, opened.reveal_bytes())
    assert secrets_of(home) == before

"""What each place of a vault refuses: whatever others could read, or could answer in its place."""

import json
import os
import shutil
import sqlite3
import sys

import pytest

from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import read_only, stores
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse, Problem


def refused(work, kind: type[Problem] = Problem) -> Problem:
    with pytest.raises(kind) as caught:
        work()
    assert caught.value.hint
    return caught.value


def create(named, *, environ=os.environ):
    return Vault.create(named, new_id=lambda: "ab" * 16, environ=environ)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_database_file_that_others_may_read_is_refused(tmp_path, mode):
    create(f"sqlite:{tmp_path}/v.db")
    (tmp_path / "v.db").chmod(mode)
    assert refused(lambda: Vault.open(f"sqlite:{tmp_path}/v.db")).code == "file-too-open"
    (tmp_path / "v.db").chmod(0o600)
    opened = Vault.open(f"sqlite:{tmp_path}/v.db")
    (tmp_path / "v.db").chmod(mode)
    assert refused(opened.clients).code == "file-too-open", "also later"


def test_what_a_database_file_has_beside_it_is_its_owners_alone(tmp_path):
    vault = create(f"sqlite:{tmp_path}/v.db")
    with vault.locked():
        vault.store.write("cl_1", "c", b"x")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes) >= {"v.db", "v.db-journal", "v.db.lock"}
    assert set(modes.values()) == {0o600}


def test_another_programs_database_and_a_damaged_one_are_left_alone(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    other.chmod(0o600)
    assert refused(lambda: create(f"sqlite:{other}"), Misuse).code == "no-vault"
    assert refused(lambda: create(f"sqlite:{tmp_path}/none/v.db"), Misuse).code == "vault-place"
    create(f"sqlite:{tmp_path}/v.db").store.write("cl_1", "c", b"x" * 9000)
    whole = (tmp_path / "v.db").read_bytes()
    for damaged in (whole[:100], whole[: len(whole) // 2], b"\0" * len(whole), whole[:20] + b"\xff" * 4000):
        (tmp_path / "v.db").write_bytes(damaged)
        caught = refused(lambda: Vault.open(f"sqlite:{tmp_path}/v.db").store.read("cl_1"))
        assert caught.code in ("damaged-vault", "vault-busy", "no-vault"), caught.code
    (tmp_path / "v.db").write_bytes(whole)
    assert Vault.open(f"sqlite:{tmp_path}/v.db").store.read("cl_1") == {"c": b"x" * 9000}


def test_what_is_replaced_does_not_stay_in_a_free_page(tmp_path):
    vault = create(f"sqlite:{tmp_path}/v.db")
    vault.store.write("cl_1", "c", b"the old ciphertext" * 500)
    vault.store.write("cl_1", "c", b"new")
    vault.store.write("cl_2", "c", b"another ciphertext" * 500)
    vault.store.remove_client("cl_2")
    content = (tmp_path / "v.db").read_bytes()
    assert b"the old ciphertext" not in content and b"another ciphertext" not in content


def test_a_database_far_away_is_reached_by_verified_tls_or_not_at_all(postgresql, make_tls, tmp_path):
    url = postgresql.new_url()
    create(url)
    for weaker in ("disable", "allow", "prefer", "require", "verify-ca"):
        weak = url.replace("verify-full", weaker)
        assert refused(lambda weak=weak: Vault.open(weak), Misuse).code == "weak-tls"
    by_default = url.replace("sslmode=verify-full&", "")
    assert by_default != url
    assert Vault.open(by_default).clients() == ()
    other = make_tls(tmp_path / "other").ca
    for url_of_another in (url.replace(str(postgresql.ca), str(other)), url.replace("localhost", "127.0.0.2")):
        caught = refused(lambda one=url_of_another: Vault.open(one), VaultProblem)
        assert caught.code in ("database-certificate", "database-away"), caught
    for socket in ("postgresql://u@/d?host=/var/run/postgresql", "postgresql://u@localhost,/d", "postgresql://u@/d"):
        refused(lambda one=socket: Vault.open(one), Misuse)
    for strange in (f"{url}&options=-csearch_path%3Dother", f"{url}&gssencmode=require", f"{url}&hostaddr=127.0.0.9"):
        assert refused(lambda one=strange: Vault.open(one), Misuse).code == "bad-vault"


def test_a_name_of_another_host_is_no_certificate_of_this_one(postgresql, monkeypatch):
    """libpq would take the address from PGHOSTADDR, and the name from the URL."""
    url = postgresql.new_url()
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.9")
    create(url)
    wrong = url.replace("localhost", "db.example")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    assert refused(lambda: Vault.open(wrong), VaultProblem).code == "database-away"


def test_a_password_is_in_no_message_and_no_name(postgresql):
    url = postgresql.new_url()
    with_password = url.replace("keyfob@", f"keyfob:{postgresql.password}@").partition("&passfile")[0]
    vault = create(with_password)
    wrong = with_password.replace(f":{postgresql.password}@", ":hunter2@")
    caught = refused(lambda: Vault.open(wrong), VaultProblem)
    assert caught.code == "database-password"
    shown = [vault.where, repr(vault), vault.store.place("a", "b"), stores.shown(wrong), repr(caught), caught.hint]
    assert not any(secret in text for text in shown for secret in (postgresql.password, "hunter2"))


def test_a_database_that_is_away_or_full_of_others_is_told(postgresql, free_port_of):
    away = postgresql.new_url().replace(f":{postgresql.port}/", f":{free_port_of()}/")
    assert refused(lambda: Vault.open(away), VaultProblem).code == "database-away"
    url = postgresql.new_url()
    name = url.partition("?")[0].rpartition("/")[2]
    postgresql.sql("CREATE TABLE keyfob_vault (version integer, installation_id text)", name)
    assert refused(lambda: Vault.open(url), VaultProblem).code == "database-refused"
    postgresql.sql("GRANT ALL ON keyfob_vault TO keyfob", name)
    assert refused(lambda: Vault.open(url), VaultProblem).code == "damaged-vault"
    postgresql.sql("INSERT INTO keyfob_vault VALUES (99, 'x')", name)
    assert refused(lambda: Vault.open(url), VaultProblem).code == "newer-vault"


def test_a_secret_in_aws_that_cannot_be_used_says_why(cloud, secrets_manager, tmp_path):
    arn = secrets_manager.create_secret(Name=f"keyfob/{tmp_path.name}")["ARN"]
    named = f"aws-secrets:{arn}"
    assert Vault.find(named) is None, "it is there, and empty"
    create(named)
    for error, code in (
        ("AccessDeniedException", "secrets-denied"),
        ("InvalidRequestException", "secrets-deleted"),
        ("ThrottlingException", "secrets-away"),
        ("ExpiredTokenException", "secrets-credentials"),
        ("away", "secrets-away"),
    ):
        cloud.proxy.set(error)
        assert refused(lambda: Vault.open(named), VaultProblem).code == code
        cloud.proxy.set("pass")
    assert refused(lambda: Vault.open(named + "x"), VaultProblem).code == "secrets-missing"
    secrets_manager.put_secret_value(SecretId=arn, SecretString="a password of somebody")
    assert refused(lambda: Vault.open(named), VaultProblem).code == "damaged-vault"
    for strange in ("aws-secrets:", "aws-secrets:keyfob", named.replace("secretsmanager", "kms")):
        assert refused(lambda one=strange: Vault.open(one), Misuse).code == "bad-vault"


def test_a_secret_in_aws_is_never_filled_beyond_what_it_holds(cloud, secrets_manager, tmp_path):
    arn = secrets_manager.create_secret(Name=f"keyfob/{tmp_path.name}")["ARN"]
    vault = create(f"aws-secrets:{arn}")
    vault.store.write("cl_1", "c", b"x" * 40_000)
    caught = refused(lambda: vault.store.write("cl_2", "c", b"x" * 20_000), VaultProblem)
    assert caught.code == "secrets-full" and vault.clients() == ("cl_1",)


def test_who_is_second_to_change_a_secret_in_aws_is_refused(cloud, secrets_manager, tmp_path):
    arn = secrets_manager.create_secret(Name=f"keyfob/{tmp_path.name}")["ARN"]
    slow, fast = create(f"aws-secrets:{arn}"), Vault.open(f"aws-secrets:{arn}")

    def second():
        with slow.locked():
            slow.store.write("cl_1", "c", b"slow")
            fast.store.write("cl_1", "c", b"fast")

    assert refused(second, VaultProblem).code == "vault-changed"
    assert slow.store.read("cl_1") == {"c": b"fast"}
    slow.store.write("cl_1", "c", b"slow")
    assert fast.store.read("cl_1") == {"c": b"slow"}


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o460, 0o620])
def test_an_exported_vault_that_everybody_may_read_or_others_write_is_refused(tmp_path, mode):
    exported = tmp_path / "vault.json"
    exported.write_bytes(read_only.write("i", {"cl_1": {"c": b"x"}}))
    exported.chmod(mode)
    assert refused(lambda: Vault.open(f"file:{exported}")).code == "vault-too-open"
    for fine in (0o400, 0o440, 0o600):
        exported.chmod(fine)
        assert Vault.open(f"file:{exported}").clients() == ("cl_1",)


@pytest.mark.parametrize("body", ["{", "[]", "null", "3", '{"kind": "keyfob-vault"}'])
def test_what_is_no_exported_vault_is_told(body):
    assert refused(lambda: Vault.open("env:NAME", environ={"NAME": body}), VaultProblem).code == "damaged-vault"


@pytest.mark.parametrize("credentials", [[], None, {"a": 1}, {"a": {"b": "!"}}, {"a": {"b": 1}}])
def test_an_exported_vault_with_anything_else_in_it_is_told(credentials):
    whole = {"kind": "keyfob-vault", "version": 1, "installation_id": "i", "credentials": credentials}
    for changed, code in (({}, "damaged-vault"), ({"version": 2}, "newer-vault"), ({"kind": "x"}, "damaged-vault")):
        environ = {"NAME": json.dumps(whole | changed)}
        assert refused(lambda given=environ: Vault.open("env:NAME", environ=given)).code == code


def test_a_variable_or_file_that_is_not_there_is_told(tmp_path):
    assert refused(lambda: Vault.open("env:NOTHING", environ={}), Misuse).code == "no-vault"
    assert refused(lambda: Vault.open(f"file:{tmp_path}/none"), Misuse).code == "no-vault"
    for named in ("sqlite:", "sqlite:///v.db", "env:", "file:"):
        assert refused(lambda one=named: Vault.open(one), Misuse).code == "bad-vault"


def test_where_a_package_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "[postgres]" in refused(lambda: Vault.open("postgresql://u@db.example/d"), Misuse).hint
    monkeypatch.setitem(sys.modules, "boto3", None)
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"
    assert "[aws]" in refused(lambda: Vault.open(f"aws-secrets:{arn}"), Misuse).hint


def test_a_folder_in_which_a_removal_was_broken_off_is_cleared_by_the_next(tmp_path):
    vault = create(tmp_path / "vault")
    vault.store.write("cl_1", "c", b"{")
    left = tmp_path / "vault" / "clients" / ".cl_1.forgotten"
    shutil.copytree(tmp_path / "vault" / "clients" / "cl_1", left)
    assert vault.clients() == ("cl_1",)
    vault.store.remove_client("cl_1")
    assert not left.exists() and vault.clients() == ()

"""A home, opened: what is missing, damaged or somebody else's is said, and no key shows itself."""

import json
import shutil
import sqlite3

import pytest

from keyfob.ambient import system_clock, system_entropy
from keyfob.openpgp.certificate import show_fingerprint
from keyfob.problem import Misuse, Problem
from keyfob.server import installation, keys_at_rest
from keyfob.server.installation import Plan


def make(path, **changed):
    plan = Plan(issuer="https://localhost:8443", **changed)
    installation.create(path, plan, now=system_clock(), entropy=system_entropy, actor="operator:test")
    return path


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    return make(tmp_path_factory.mktemp("homes") / "home")


@pytest.fixture
def home(original, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(original, tmp_path / "home")
    return tmp_path / "home"


def opened(home, environ=None):
    return installation.open(home, environ=environ or {}, entropy=system_entropy)


def test_what_was_made_opens(home):
    found = opened(home)
    assert found.settings.issuer == "https://localhost:8443"
    (pepper,) = found.peppers
    assert len(pepper.key.reveal_bytes()) == 32
    (key,) = map(found.signing_key, found.store.signing_keys())
    assert found.store.signing_keys()[0].kid == key.kid == key.public_jwk()["kid"]
    assert json.loads(found.store.signing_keys()[0].public_jwk) == key.public_jwk()
    assert b"PRIVATE KEY" in found.operator_key().reveal_bytes()
    assert show_fingerprint(found.operator_certificate.fingerprint)
    found.close()


def test_no_private_key_stands_on_the_disk_in_the_clear(home):
    found = opened(home)
    secrets = [
        found.operator_key().reveal_bytes(),
        found.peppers[0].key.reveal_bytes(),
        found.signing_key(found.store.signing_keys()[0]).to_secret().reveal_bytes(),
    ]
    found.close()
    for path in home.rglob("*"):
        if path.is_file():
            assert not [secret for secret in secrets if secret in path.read_bytes()], path


def test_repr_shows_no_key(home):
    found = opened(home)
    shown = repr(found)
    found.close()
    assert "pepper" not in shown.lower()
    assert "wrapper" not in shown.lower()


def test_several_peppers_are_live_and_the_newest_comes_first(home):
    found = opened(home)
    context = keys_at_rest.context_of_file(found.home, "pepper-10")
    sealed = installation.envelope.seal(
        installation.Secret(b"n" * 32), wrapper=found.kek.wrapper, context=context, entropy=system_entropy
    )
    found.close()
    (home / "keys" / "pepper-10.envelope").write_bytes(sealed)
    again = opened(home)
    assert [pepper.id for pepper in again.peppers] == ["10", "1"]
    again.close()


@pytest.mark.parametrize(
    "name",
    [
        "keyfob.db",
        "operator.asc",
        "keys/kek",
        "keys/operator.envelope",
        "keys/audit-chain.envelope",
        "keys/pepper-1.envelope",
    ],
)
def test_a_missing_file_is_named(home, name):
    (home / name).unlink()
    with pytest.raises(Problem) as refused:
        opened(home).operator_key()
    assert name.rpartition("/")[2] in refused.value.message or "pepper" in refused.value.message
    assert refused.value.hint
    assert not (home / name).exists(), "a missing file is never made anew"


@pytest.mark.parametrize(
    "name", ["keys/kek", "keys/operator.envelope", "keys/audit-chain.envelope", "keys/pepper-1.envelope"]
)
def test_a_damaged_key_file_is_a_problem(home, name):
    content = bytearray((home / name).read_bytes())
    content[len(content) // 2] ^= 1
    (home / name).write_bytes(content)
    with pytest.raises(Problem):
        opened(home).operator_key()


def test_envelopes_do_not_open_in_each_others_place(home):
    shutil.copy(home / "keys" / "pepper-1.envelope", home / "keys" / "audit-chain.envelope")
    with pytest.raises(Problem):
        opened(home)


def test_the_database_of_another_installation_is_refused(home, tmp_path):
    other = make(tmp_path / "other")
    with pytest.raises(Misuse) as refused:
        opened(home, {"KEYFOB_DATABASE_URL": f"sqlite:///{other / 'keyfob.db'}"})
    assert refused.value.code == "other-database"


def test_a_database_that_is_none_is_a_problem(home):
    (home / "keyfob.db").write_bytes(b"this is no database, whatever it was" * 100)
    with pytest.raises(Problem) as refused:
        opened(home)
    assert refused.value.code == "database-unusable"


def test_a_database_from_the_future_is_refused(home):
    connection = sqlite3.connect(home / "keyfob.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.execute("UPDATE installation SET least_schema = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Misuse, match="newer"):
        opened(home)


def test_a_plan_that_fails_midway_leaves_nothing(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise OSError("no room")

    monkeypatch.setattr(installation, "_create_records", broken)
    with pytest.raises(Problem, match="no room"):
        make(tmp_path / "h")
    assert list(tmp_path.iterdir()) == []


def test_two_homes_share_no_key(home, tmp_path):
    one, other = opened(home), opened(make(tmp_path / "other"))
    assert one.peppers[0].key != other.peppers[0].key
    assert one.store.signing_keys()[0].kid != other.store.signing_keys()[0].kid
    assert one.operator_certificate.fingerprint != other.operator_certificate.fingerprint
    one.close()
    other.close()

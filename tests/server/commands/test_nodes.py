"""`node request`, `invite`, `join`: a new machine gets what it needs, sealed, and nobody in between gets anything."""

import pytest

from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import seal
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.secret import Secret
from keyfob.server import settings

pytestmark = pytest.mark.on("postgresql")


@pytest.fixture
def asked(program, tmp_path):
    return program.run("node", "request", "--home", tmp_path / "second", "--json").json


@pytest.fixture
def invited(program, home, asked, tmp_path):
    """What `invite` said of the message for the home `second`."""
    return program.run(*invitation(home, asked, tmp_path / "in.asc"), "--json").json


def invitation(home, asked, out):
    confirmed = ("--certificate", asked["certificate"], "--confirm-fingerprint", asked["fingerprint"])
    return ("node", "invite", "--home", home, *confirmed, "--out", out)


def joining(invited, where, *more):
    operator = ("--operator-fingerprint", invited["operator_fingerprint"])
    return ("node", "join", "--home", where, *operator, *more, "--json", invited["sealed"])


def test_a_node_that_joined_is_the_same_issuer_on_the_same_database(program, home, invited, tmp_path, audit_kinds):
    second = tmp_path / "second"
    assert (tmp_path / "second.node-key.asc").stat().st_mode & 0o077 == 0
    rehearsed = program.run(*joining(invited, second), "--dry-run").json
    assert [one["kind"] for one in rehearsed["would_record"]] == ["node_joined"]
    assert not second.exists()
    joined = program.run(*joining(invited, second)).json
    assert joined["issuer"] == "https://localhost:8443"
    assert audit_kinds()[-2:] == ["node_invited", "node_joined"]
    for name in ("keys/kek", "keys/operator.envelope", "keys/pepper-1.envelope", "operator.asc", "tls/server.key"):
        assert (second / name).read_bytes() == (home / name).read_bytes(), name
        assert (second / name).stat().st_mode & 0o777 == (home / name).stat().st_mode & 0o777, name
    # What makes certificates, and what is one operator's own, stays where it is.
    assert not (second / "tls" / "ca.key").exists()
    assert not (second / "operator-key.pem").exists()
    # The key that opened the message is gone: nobody opens it again.
    assert not (tmp_path / "second.node-key.asc").exists()
    assert program.run("audit", "verify", "--home", second, "--json").json["whole"] is True
    program.run("client", "list", "--home", second)


def test_what_goes_between_the_machines_shows_nothing(home, invited):
    message = (home.parent / "in.asc").read_bytes()
    for name in ("keys/kek", "keys/operator.envelope", "tls/server.key"):
        assert (home / name).read_bytes()[:40] not in message
    assert message.startswith(b"-----BEGIN PGP MESSAGE-----")


def test_the_wrong_machine_and_the_wrong_operator_are_refused_and_leave_no_home(
    program, home, invited, tmp_path, other_key, audit_kinds
):
    third = program.run("node", "request", "--home", tmp_path / "third", "--json").json
    assert program.run(*joining(invited, tmp_path / "third"), code=1).json["error"] == "not-for-us"
    assert program.run(*joining(invited, tmp_path / "fourth"), code=2).json["error"] == "not-requested"
    wrong = dict(invited, operator_fingerprint=third["fingerprint"])
    assert program.run(*joining(wrong, tmp_path / "second"), code=2).json["error"] == "fingerprint-mismatch"
    unconfirmed = ("node", "join", "--home", tmp_path / "second", "--json", invited["sealed"])
    assert program.run(*unconfirmed, code=2).json["error"] == "fingerprint-unconfirmed"
    # Sealed on for another node, or by somebody else: what is inside is true, and who sealed it is not.
    opened = PrivateKeyUnsealer(Secret((tmp_path / "second.node-key.asc").read_bytes())).unseal_unverified(
        (tmp_path / "in.asc").read_bytes()
    )
    for recipient, key in (("third", None), ("second", other_key[0])):
        certificate = certificates.read_signer((tmp_path / f"{recipient}.node.asc").read_bytes())
        forged = tmp_path / f"forged-{recipient}.asc"
        forged.write_bytes(
            seal.encrypt(opened, recipient=certificate)
            if key is None
            else seal.seal(opened, recipient=certificate, operator_key=key)
        )
        said = program.run(*joining(dict(invited, sealed=str(forged)), tmp_path / recipient), code=1).json
        assert said["error"] == ("unsigned" if key is None else "wrong-signer")
    assert not [name for name in ("second", "third", "fourth") if (tmp_path / name).exists()]
    assert audit_kinds().count("node_joined") == 0
    program.run(*joining(invited, tmp_path / "second"))


def test_a_certificate_that_nobody_confirmed_is_sealed_nothing(program, home, asked, tmp_path, other_key):
    other = tmp_path / "other.asc"
    other.write_bytes(other_key[1].armored)
    put_in = dict(asked, certificate=other)
    assert program.run(*invitation(home, put_in, "in.asc"), "--json", code=2).json["error"] == "fingerprint-mismatch"
    assert not (tmp_path / "in.asc").exists()
    dry = program.run(*invitation(home, asked, "in.asc"), "--dry-run", "--json").json
    assert [one["kind"] for one in dry["would_record"]] == ["node_invited"]
    assert not (tmp_path / "in.asc").exists()


def test_an_invitation_of_another_installation_does_not_open_this_database(
    program, home, asked, invited, tmp_path, new_database_url
):
    other = tmp_path / "other"
    program.run("init", "--home", other, "--issuer", "https://localhost:8443", "--database", new_database_url())
    theirs = program.run(*invitation(other, asked, "theirs.asc"), "--json").json
    here = ("--database", settings.load(home, {}).database)
    refused = program.run(*joining(theirs, tmp_path / "second", *here), code=2).json
    assert refused["error"] == "other-database"
    assert not (tmp_path / "second").exists()


@pytest.mark.on("sqlite")
def test_a_file_is_no_database_for_two_machines(program, home, asked):
    said = program.run(*invitation(home, asked, "in.asc"), "--json", code=2).json
    assert said["error"] == "database-of-one-machine"
    assert "move-store" in said["hint"]

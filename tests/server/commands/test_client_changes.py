"""`client rotate|suspend|resume|revoke|allow`: what each takes away, and when."""

import io
import subprocess
import sys
import time

import pytest

from keyfob.ambient import system_entropy
from keyfob.oauth import client_information
from keyfob.openpgp import certificate
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.server import installation
from keyfob.server.lifecycle.states import is_usable
from keyfob.server.storage.records import TokenIssued

RUN = "from keyfob.server.cli import main; main()"
DAY = 24 * 60 * 60


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self):
        return True


@pytest.fixture
def client(program, acme):
    """A client with one credential; `.use(credential_id)` as a token request does, `.usable()` what works now."""

    class Made:
        def __init__(self):
            made = acme.create()
            self.id, self.first = made["client_id"], made["credential_id"]
            self.count = 0

        def opened(self, act):
            found = installation.open(acme.home, environ={}, entropy=system_entropy)
            try:
                return act(found.store)
            finally:
                found.close()

        def use(self, credential_id):
            self.count += 1
            issued = TokenIssued(
                jti=f"jti{self.count}",
                client_id=self.id,
                credential_id=credential_id,
                resource="https://api.example",
                scope=frozenset({"a:read"}),
                authorization_details=(),
                kid="kid",
                expires_at=program.now + 300,
                address="192.0.2.7",
                request_id="r",
            )
            self.opened(lambda store: store.record_grants([issued], program.now))

        def usable(self):
            view = self.opened(lambda store: store.find_client(self.id))
            return {one.id for one in view.credentials if is_usable(one, view.client, view.partner_state, program.now)}

        def run(self, verb, *more, code=0):
            return program.run("client", verb, self.id, "--home", acme.home, "--json", *more, code=code).json

        def rotate(self, *more, code=0):
            return self.run("rotate", *more, code=code)

        def states(self):
            return [one["state"] for one in self.run("show")["credentials"]]

    return Made()


def test_a_rotation_takes_nothing_away_until_the_new_secret_is_used(program, client):
    client.use(client.first)
    made = client.rotate()
    assert set(made) == {"client_id", "credential_id", "sealed", "operator_fingerprint"}
    second = made["credential_id"]
    assert made["sealed"] == f"{client.id}.{second}.asc"
    assert client.usable() == {client.first, second}
    program.now += 10 * DAY
    assert client.usable() == {client.first, second}, "unopened, it shortens nothing"
    client.use(second)
    program.now += 7 * DAY - 1
    assert client.usable() == {client.first, second}
    program.now += 1
    assert client.usable() == {second}
    assert client.states() == ["retired", "active"]


def test_each_message_is_dated_later_than_the_one_before(program, client, acme, partner_key, tmp_path):
    """Also within one second, and when the clock was set back: so the partner knows which one holds."""

    def issued_at(message):
        signer = certificate.read_signer((acme.home / "operator.asc").read_bytes())
        plaintext = PrivateKeyUnsealer(partner_key[0]).unseal(message.read_bytes(), signer=signer)
        return client_information.read(plaintext).issued_at

    messages = [tmp_path / f"{client.id}.asc"]
    for number, later in enumerate((0, 0, -100, 3600)):
        program.now += later
        messages.append(tmp_path / f"m{number}.asc")
        client.rotate("--out", messages[-1])
    dates = [issued_at(message) for message in messages]
    assert sorted(set(dates)) == dates
    assert dates[-1] == program.now


def test_a_first_secret_that_nobody_used_expires_after_14_days_and_rotate_makes_another(program, client):
    program.now += 14 * DAY - 1
    assert client.usable() == {client.first}
    program.now += 1
    assert client.usable() == set()
    assert client.states() == ["expired"]
    second = client.rotate()["credential_id"]
    assert client.usable() == {second}


def test_an_unopened_successor_expires_after_14_days_and_the_old_one_lives_on(program, client):
    client.use(client.first)
    client.rotate()
    program.now += 14 * DAY
    assert client.usable() == {client.first}
    assert client.states() == ["active", "expired"]


def test_rotating_again_replaces_the_unopened_successor(client, audit_kinds):
    second = client.rotate()["credential_id"]
    third = client.rotate()["credential_id"]
    assert client.usable() == {client.first, third}
    assert second not in client.usable()
    assert audit_kinds()[-2:] == ["credential_replaced", "credential_sealed"]


def test_the_overlap_can_be_chosen_and_be_none(program, client):
    second = client.rotate("--overlap", "0")["credential_id"]
    client.use(second)
    assert client.usable() == {second}


@pytest.mark.parametrize("days", ["-1", "91", "x"])
def test_an_overlap_out_of_range_is_refused(client, days):
    assert client.rotate("--overlap", days, code=2)["error"] == "usage"


def test_finish_ends_the_overlap_at_once(client, audit_kinds):
    second = client.rotate()["credential_id"]
    client.use(second)
    assert client.usable() == {client.first, second}
    assert client.rotate("--finish") == {"client_id": client.id, "retired": [client.first]}
    assert client.usable() == {second}
    assert audit_kinds()[-1] == "credential_retired"


def test_finish_is_refused_before_the_new_secret_was_used(client):
    client.rotate()
    refused = client.rotate("--finish", code=1)
    assert refused["error"] == "no-overlap"
    assert "not used yet" in refused["message"]
    assert len(client.usable()) == 2


def test_finish_is_refused_when_there_is_no_rotation_and_makes_nothing_new(client):
    assert client.rotate("--finish", code=1)["error"] == "no-overlap"
    assert client.rotate("--finish", "--overlap", "3", code=2)["error"] == "finish-alone"


def test_a_client_whose_secret_has_expired_gets_a_new_one(program, client, acme):
    program.now += 20 * DAY  # the partner's certificate is still good
    only = client.opened(lambda store: store.find_client(client.id)).credentials[0]
    assert only.expires_at > program.now
    assert client.rotate()["credential_id"] in client.usable()


def test_suspending_refuses_all_and_resuming_brings_back_exactly_what_there_was(client, audit_kinds):
    second = client.rotate()["credential_id"]
    assert client.run("suspend") == {"client_id": client.id, "state": "suspended"}
    assert client.usable() == set()
    assert client.run("resume")["state"] == "active"
    assert client.usable() == {client.first, second}
    assert audit_kinds()[-2:] == ["client_suspended", "client_resumed"]


def test_a_suspended_client_may_be_given_a_new_secret_which_works_after_resume(client):
    client.run("suspend")
    second = client.rotate()["credential_id"]
    assert client.usable() == set()
    client.run("resume")
    assert second in client.usable()


def test_nothing_follows_a_revocation(client):
    client.run("revoke")
    assert client.usable() == set()
    for verb in ("resume", "suspend", "revoke"):
        refused = client.run(verb, code=1)
        assert refused["error"] == "wrong-state"
        assert refused["hint"]
    assert client.rotate(code=1)["error"] == "client-revoked"


def test_an_unknown_client_is_refused_by_each_verb(program, acme):
    for verb in ("rotate", "suspend", "resume", "revoke", "show"):
        refused = program.run("client", verb, "cl_none", "--home", acme.home, "--json", code=2)
        assert refused.json["error"] == "unknown-client"


def test_a_person_types_the_name_before_a_client_ends(program, client, acme, monkeypatch):
    state = lambda: program.run("client", "show", client.id, "--home", acme.home, "--json").json["state"]  # noqa: E731
    revoke = ("client", "revoke", client.id, "--home", acme.home)
    monkeypatch.setattr("sys.stdin", Terminal("another\n"))
    assert "nothing was done" in program.run(*revoke, code=1).err
    assert state() == "active"
    monkeypatch.setattr("sys.stdin", Terminal("sync\n"))
    assert f"revoke {client.id} for good? Type its name, sync" in program.run(*revoke).err
    assert state() == "revoked"


@pytest.mark.parametrize("more", ["--yes", "--json"])
def test_with_yes_and_for_a_program_nobody_is_asked(program, client, acme, monkeypatch, more):
    monkeypatch.setattr("sys.stdin", Terminal(""))
    program.run("client", "revoke", client.id, "--home", acme.home, more)


def test_the_text_of_a_rotation_says_by_when_and_how_long(program, client, acme):
    out = program.run("client", "rotate", client.id, "--home", acme.home, "--overlap", "3").out
    assert "3 days after" in out
    assert "must be used by" in out
    out = program.run("client", "rotate", client.id, "--home", acme.home, "--overlap", "0").out
    assert "the old secret works until the new one's first use" in out
    assert "is suspended" in program.run("client", "suspend", client.id, "--home", acme.home).out


def test_a_rotation_to_an_expired_certificate_changes_nothing(program, client):
    client.use(client.first)
    program.now += 40 * DAY
    assert "--quick-set-expire" in client.rotate(code=1)["hint"]
    assert client.usable() == {client.first}


def test_two_processes_that_rotate_at_once_leave_one_unopened_successor(program, client, acme, tmp_path):
    arguments = ("client", "rotate", client.id, "--home", str(acme.home), "--out")
    both = [
        subprocess.Popen([sys.executable, "-c", RUN, *arguments, str(tmp_path / f"r{n}.asc")], stdout=subprocess.PIPE)
        for n in range(2)
    ]
    for one in both:
        one.communicate()
    made = [one.returncode for one in both].count(0)
    assert made >= 1, "whoever comes second may be told that the client was changed meanwhile"
    program.now = int(time.time())  # the two had the machine's clock
    view = client.opened(lambda store: store.find_client(client.id))
    assert len(view.credentials) == 1 + made
    assert len(list(tmp_path.glob("r?.asc"))) == made
    assert len(client.usable()) == 2
    assert client.first in client.usable()
    assert client.opened(lambda store: store.audit_verdict()).findings == ()


def test_an_allow_list_replaces_the_one_before(client, program, acme):
    assert client.run("allow", "--network", "192.0.2.7", "--network", "2001:DB8::/32")["networks"] == [
        "192.0.2.7/32",
        "2001:db8::/32",
    ]
    assert client.run("allow", "--network", "198.51.100.0/24")["networks"] == ["198.51.100.0/24"]
    shown = program.run("client", "show", client.id, "--home", acme.home).out
    assert "from      198.51.100.0/24" in shown
    assert client.run("allow", "--anywhere")["networks"] == []
    assert client.run("show")["networks"] == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ((), "networks-or-anywhere"),
        (("--anywhere", "--network", "192.0.2.7"), "networks-or-anywhere"),
        (("--network", "192.0.2.7/24"), "bad-network"),
        (("--network", "0.0.0.0/0"), "bad-network"),
        (("--network", "192.0.2.7", "--network", "192.0.2.7/32"), "network-twice"),
        (tuple(part for number in range(65) for part in ("--network", f"10.0.0.{number}")), "many-networks"),
    ],
)
def test_a_mistyped_allow_list_changes_nothing(client, options, error):
    client.run("allow", "--network", "192.0.2.0/24")
    assert client.run("allow", *options, code=2)["error"] == error
    assert client.run("show")["networks"] == ["192.0.2.0/24"]


def test_a_revoked_client_gets_no_allow_list(client):
    client.run("revoke")
    assert client.run("allow", "--anywhere", code=2)["error"] == "client-revoked"

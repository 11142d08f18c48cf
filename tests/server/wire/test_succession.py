"""Rotation by the partner alone, with the real secret over the wire; and what whoever stole that secret cannot do."""

import threading
import time
from dataclasses import replace

import pytest

from keyfob.ambient import system_clock
from keyfob.oauth import client_information
from keyfob.oauth.client_authentication import write_basic
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

OVERLAP = 5


@pytest.fixture(scope="module")
def operator(new_operator):
    made = new_operator()
    with (made.home / "keyfob.toml").open("a") as file:
        file.write(f"\n[credentials]\noverlap = {OVERLAP}\n")
    made.serve()
    return made


class Partner:
    """One client: `.first` is its secret, in use."""

    def __init__(self, operator, name, *, used=True):
        self.operator = operator
        self.first = operator.client(name, scope="studies:read")
        self.id = self.first.client_id
        if used:
            assert self.works(self.first)

    def works(self, secret):
        status = self.operator.token(secret, scope="studies:read").status
        assert status in (200, 401)
        return status == 200

    def ask(self, secret, *, verb="POST", path="next"):
        return self.operator.request(verb, f"/partner/v1/credentials{path and '/' + path}", headers=basic(secret))

    def next(self, secret, status=201):
        answer = self.ask(secret)
        assert answer.status == status, answer
        return self.opened(answer.body)

    def opened(self, message):
        signer = certificates.read_signer((self.operator.home / "operator.asc").read_bytes())
        return client_information.read(PrivateKeyUnsealer(self.operator.private_key).unseal(message, signer=signer))

    def finish(self, secret):
        answer = self.ask(secret, path="finish")
        return answer.status, answer.document.get("error") or answer.document["retired"]

    def rotate_as_operator(self, name, *options):
        out = self.operator.home.parent / f"{name}.asc"
        self.operator.run("client", "rotate", self.id, "--out", out, *options)
        return self.operator.open(out)

    def states(self):
        return [one["state"] for one in self.shown()]

    def shown(self):
        return self.operator.run("client", "show", self.id)["credentials"]

    def await_the_end_of_the_overlap(self):
        """By the clock: asking without end would be slowed down."""
        ends = self.shown()[0]["overlap_ends_at"]
        while system_clock() < ends:
            time.sleep(0.05)


def basic(secret):
    return {"authorization": write_basic(secret.client_id, secret.client_secret).reveal()}


def test_a_client_gets_its_successor_and_the_old_secret_dies_on_time(operator):
    partner = Partner(operator, "alone")
    answer = partner.ask(partner.first)
    assert answer.headers["content-type"] == "application/pgp-encrypted"
    assert answer.headers["cache-control"] == "no-store"
    second = partner.opened(answer.body)
    assert second.issued_at > partner.first.issued_at
    assert partner.states() == ["active", "active"], "unopened, it takes nothing away"
    assert partner.works(second)
    assert partner.works(partner.first), "the overlap has begun, and not ended"
    partner.await_the_end_of_the_overlap()
    assert not partner.works(partner.first)
    shown = partner.shown()
    assert shown[0]["overlap_ends_at"] - shown[1]["first_used_at"] == OVERLAP
    assert [one["state"] for one in shown] == ["retired", "active"]


def test_asking_again_gives_the_same_message(operator):
    """A lost answer, a crashed client, and another instance with a vault of its own all end with one secret."""
    partner = Partner(operator, "again")
    first, second = partner.ask(partner.first), partner.ask(partner.first)
    assert (first.status, second.status) == (201, 200)
    assert first.body == second.body
    new = partner.opened(first.body)
    assert partner.ask(new).body == first.body, "also with the new one itself"
    assert partner.works(new)
    assert partner.ask(partner.first).body == first.body, "an instance that comes late, in the overlap"
    assert len(partner.states()) == 2


def test_ten_instances_at_once_get_one_successor(operator):
    partner = Partner(operator, "race")
    found = []
    threads = [threading.Thread(target=lambda: found.append(partner.ask(partner.first))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in found) == [200] * 9 + [201]
    assert len({one.body for one in found}) == 1
    assert len(partner.states()) == 2


def test_a_thief_with_the_secret_gets_only_what_the_owner_alone_can_open(operator, other_certificate):
    """It is sealed to the certificate that was confirmed, and there is no word with which to name another."""
    partner = Partner(operator, "thief")
    headers = basic(partner.first) | {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"certificate=x", b"overlap=0", other_certificate):
        assert operator.request("POST", "/partner/v1/credentials/next", body, headers).status == 400
    assert operator.request("POST", "/partner/v1/credentials/next?overlap=0", headers=headers).status == 400
    information = partner.next(partner.first)
    fingerprint = operator.run("partner", "show", "Acme")["fingerprint"]
    assert information.recipient_fingerprint == fingerprint


def test_a_thief_cannot_shorten_the_owners_access(operator):
    """What he asks for takes nothing away, the overlap is the operator's to say, and the old secret cannot end it."""
    partner = Partner(operator, "shorten")
    for _ in range(3):
        partner.ask(partner.first)
    assert partner.finish(partner.first) == (409, "no_overlap")
    assert partner.works(partner.first)
    successor = partner.next(partner.first, status=200)  # the owner's own rotation
    assert partner.finish(successor) == (409, "not_used_yet")
    assert partner.works(successor)
    assert partner.finish(partner.first) == (409, "wrong_credential")
    assert partner.works(partner.first)
    assert partner.finish(successor) == (200, [partner.first.credential_id])
    assert not partner.works(partner.first)
    assert partner.works(successor)


def test_a_thief_cannot_keep_his_secret_past_a_rotation_by_the_operator(operator):
    partner = Partner(operator, "past")
    pending = partner.next(partner.first)  # what the thief has asked for before
    new = partner.rotate_as_operator("past2")
    assert not partner.works(pending), "the operator's rotation comes first"
    assert partner.next(partner.first, status=200) == new, "asking again makes nothing"
    assert partner.works(new)
    assert partner.next(partner.first, status=200) == new, "a replaced secret makes nothing either"
    assert partner.works(partner.first)
    partner.await_the_end_of_the_overlap()
    assert not partner.works(partner.first)
    for path in ("next", "finish"):
        assert partner.ask(partner.first, path=path).status == 401
    assert partner.works(new)


def test_with_no_overlap_the_stolen_secret_ends_with_the_first_use_of_the_new_one(operator):
    partner = Partner(operator, "none")
    new = partner.rotate_as_operator("none2", "--overlap", "0")
    assert partner.ask(partner.first).status == 200
    assert partner.works(new)
    assert not partner.works(partner.first)
    assert partner.ask(partner.first).status == 401


def test_whoever_has_no_living_secret_gets_nothing(operator):
    partner = Partner(operator, "refused")
    other = Partner(operator, "refused-other")
    guessed = basic(replace(other.first, client_id=partner.id))
    for verb, path in (("POST", "/next"), ("POST", "/finish"), ("GET", "")):
        answer = operator.request(verb, f"/partner/v1/credentials{path}", headers=guessed)
        assert (answer.status, answer.document["error"]) == (401, "invalid_client")
        assert operator.request(verb, f"/partner/v1/credentials{path}").status in (400, 401)
    operator.run("client", "suspend", partner.id)
    assert partner.ask(partner.first).status == 401
    assert partner.states() == ["active"]


def test_a_secret_that_was_never_used_may_be_replaced_and_works_until_then(operator):
    partner = Partner(operator, "unused", used=False)
    new = partner.next(partner.first)
    assert partner.works(partner.first)
    assert partner.works(new)
    first, second = partner.shown()
    assert (first["overlap_ends_at"], second["state"]) == (second["first_used_at"] + OVERLAP, "active")


def test_a_client_sees_what_is_still_used_and_until_when(operator):
    partner = Partner(operator, "sees")
    new = partner.next(partner.first)
    assert partner.works(new)
    listed = partner.ask(new, verb="GET", path="").document["credentials"]
    assert [one["credential_id"] for one in listed] == [partner.first.credential_id, new.credential_id]
    old, current = listed
    assert (old["state"], current["state"]) == ("retiring", "active")
    assert (old["is_this"], current["is_this"]) == (False, True)
    assert old["last_used_from"] == "127.0.0.1"
    assert old["overlap_ends_at"] == current["first_used_at"] + OVERLAP


def test_every_step_is_in_the_audit_and_says_who(operator):
    partner = Partner(operator, "audit")
    new = partner.next(partner.first)
    partner.ask(partner.first)
    partner.works(new)
    partner.finish(new)
    records = [one for one in operator.audit() if one.get("client_id") == partner.id and one["kind"] != "token_issued"]
    told = [(one["kind"], one["actor"].partition(":")[0]) for one in records][2:]
    # On PostgreSQL they may stand in several chains, between which a second is the order.
    assert sorted(told) == [
        ("credential_first_used", "client"),
        ("credential_first_used", "client"),
        ("credential_retired", "client"),
        ("credential_retiring", "server"),
        ("credential_sealed", "client"),
        ("message_delivered", "client"),
        ("message_delivered", "client"),
    ]
    assert operator.run("audit", "verify")["whole"] is True


def test_nothing_follows_a_credential_for_an_emergency(operator):
    info = operator.client("unblinding", "--emergency", "2", scope="studies:read")
    assert operator.token(info, scope="studies:read").status == 200
    answer = operator.request("POST", "/partner/v1/credentials/next", headers=basic(info))
    assert (answer.status, answer.document["error"]) == (409, "emergency_access")
    refused = operator.run("client", "rotate", info.client_id, status=2)
    assert refused["error"] == "emergency-access" and "--emergency" in refused["hint"]
    assert len(operator.run("client", "show", info.client_id)["credentials"]) == 1
    given = [one for one in operator.audit() if one["kind"] == "emergency_access_given"]
    assert [one["client_id"] for one in given] == [info.client_id]


def test_asking_without_end_is_slowed_down_and_tokens_are_not(operator):
    partner = Partner(operator, "often")
    found = {partner.ask(partner.first).status for _ in range(125)}
    assert found == {201, 200, 429}
    assert partner.works(partner.first)
    assert len(partner.states()) == 2


@pytest.fixture(scope="module")
def other_certificate():
    return keys.generate_operator_key("Thief")[1].armored

"""Notices to both sides, seen from outside: a real mail server and a real webhook receiver, the real clock."""

import contextlib

import pytest

from keyfob.ambient import system_clock, system_entropy
from keyfob.openpgp import sequoia
from keyfob.openpgp.certificate import read_signer
from keyfob.server import installation
from keyfob.server.notices.calendar import Calendar
from keyfob.server.notices.notice import Role
from mail_server import taking_mail

DAY = 24 * 3600
PARTNER, OPERATOR = "data@acme.example", "ops@operator.example"


def configure(operator, tls_files, mailbox, *, more=""):
    settings = operator.home / "keyfob.toml"
    lines = f"""
{more}
[mail]
host = "localhost"
port = {mailbox.port}
ca = "{tls_files.ca}"
from = "id@operator.example"
operator = "{OPERATOR}"
"""
    settings.write_text(settings.read_text() + lines)


def by_address(mailbox, count):
    """`count` letters, by whom they are for."""
    got: dict[str, list] = {}
    for letter in (mailbox.next() for _ in range(count)):
        got.setdefault(letter["x-rcpt"], []).append(letter)
    return got


def text(letter):
    return letter.get_body().get_content().replace("\r", "")


@pytest.fixture
def mailbox(tls_files):
    with taking_mail(tls_files) as made:
        yield made


def take_up_soon_ending_certificate(operator, lifetime):
    """A partner whose certificate ends in `lifetime` seconds, with one client."""
    _, made = sequoia.generate("Brief <brief@brief.example>", lifetime=lifetime)
    certificate = read_signer(made.armored)
    file = operator.home.parent / "brief.asc"
    file.write_bytes(certificate.armored)
    added = ("--certificate", file, "--email", "brief@brief.example", "--confirm-fingerprint", certificate.fingerprint)
    operator.run("partner", "add", "Brief", *added)
    options = ("--scope", "studies:read", "--resource", "https://api.example")
    operator.run(
        "client", "create", "--partner", "Brief", "--name", "b", *options, "--out", operator.home.parent / "b.asc"
    )
    return certificate


def test_what_ends_soon_is_told_to_both_sides_once_and_again_by_nobody(
    new_operator, new_receiver, tls_files, mailbox, until
):
    operator = new_operator()
    with new_receiver() as receiver:
        operator.run("alarm", "secret", "--out", operator.home.parent / "webhook.secret")
        alarms = f'[alarms]\nwebhook = "{receiver.url}"\nwebhook_ca = "{tls_files.ca}"\n'
        # A day and some seconds: the notice of one day comes while the servers run.
        configure(operator, tls_files, mailbox, more=f"{alarms}\n[credentials]\nlifetime = {DAY + 15}")
        operator.serve("--workers", "2")
        info = operator.client("sync")
        certificate = take_up_soon_ending_certificate(operator, 4 * DAY)
        letters = by_address(mailbox, 6)  # the certificate's, and each client's credential
        assert sorted(letters) == ["brief@brief.example", PARTNER, OPERATOR]
        told = [letter["subject"] for letter in letters[OPERATOR]]
        assert sum("expires in one day" in one for one in told) == 2
        assert "[Keyfob] Brief: its OpenPGP certificate expires in 5 days" in told
        (mine,) = letters[PARTNER]
        assert mine["subject"] == "[Keyfob] the credential of sync expires in one day"
        assert "  keyfob rotate\n" in text(mine) and info.client_id in text(mine)
        (about_key,) = [one for one in letters["brief@brief.example"] if "certificate" in one["subject"]]
        assert f"gpg --quick-set-expire {certificate.fingerprint} 1m" in text(about_key)
        kinds = sorted(receiver.next()[1]["kind"] for _ in range(3))
        assert kinds == ["certificate_expires", "credential_expires", "credential_expires"]
        secret = info.client_secret.reveal()
        assert all(secret not in text(one) for some in letters.values() for one in some)
        until(lambda: operator.run("notice", "list")["waiting"] == 0)
        operator.stop()
        operator.serve()  # another server on the same books says only what is new
        file = operator.home.parent / "brief.asc"
        operator.run("partner", "renew", "Brief", "--certificate", file, "--email", "new@brief.example")
        letters = by_address(mailbox, 2)
        assert all("go to another address" in one["subject"] for some in letters.values() for one in some)
        assert receiver.next()[1]["kind"] == "contact_changed"
        assert mailbox.got.empty() and receiver.got.empty()


def test_a_kill_between_sending_and_marking_may_repeat_a_notice_and_loses_none(new_operator, tls_files, mailbox, until):
    operator = new_operator()
    mailbox.answers = []
    configure(operator, tls_files, mailbox)
    take_up_soon_ending_certificate(operator, 4 * DAY)
    server = operator.serve()
    first = mailbox.next()
    server.kill()  # it had been taken, and perhaps it was not marked yet
    server.wait()
    operator.processes.clear()
    operator.serve()
    seen = {first["message-id"]}
    while len(seen) < 2:
        seen.add(mailbox.next(40)["message-id"])
    until(lambda: operator.run("notice", "list")["waiting"] == 0)
    assert {one["state"] for one in operator.run("notice", "list")["notices"]} == {"delivered"}


def test_what_is_refused_is_given_up_shown_and_tried_again_by_hand(new_operator, tls_files, mailbox, until):
    operator = new_operator()
    mailbox.refused = {"brief@brief.example"}
    configure(operator, tls_files, mailbox)
    take_up_soon_ending_certificate(operator, 4 * DAY)
    operator.serve()
    assert mailbox.next()["x-rcpt"] == OPERATOR
    until(lambda: "dead" in {one["state"] for one in operator.run("notice", "list")["notices"]})
    (dead,) = [one for one in operator.run("notice", "list")["notices"] if one["state"] == "dead"]
    assert dead["reason"] == "the mail server refused the address (550)"
    status = operator.run("status", status=1)
    assert [one["id"] for one in status["undelivered_notices"]] == [dead["id"]]
    assert "kfs_echo" not in operator.log
    mailbox.refused = set()
    assert operator.run("notice", "retry", dead["id"]) == {"tried_again": 1}
    assert mailbox.next()["x-rcpt"] == "brief@brief.example"


def test_a_new_contact_and_a_prolonged_key_are_told_and_the_former_contact_hears_of_it(
    new_operator, tls_files, mailbox
):
    operator = new_operator()
    configure(operator, tls_files, mailbox)
    operator.serve()
    renewed = operator.run(
        "partner", "renew", "Acme", "--certificate", operator.certificate, "--email", "new@acme.example"
    )
    assert renewed["outcome"] == "renewed"
    got = by_address(mailbox, 2)
    assert sorted(got) == [PARTNER, OPERATOR]
    assert "go to new@acme.example" in text(got[PARTNER][0])
    assert "partner show Acme" in text(got[OPERATOR][0])


def test_a_rotation_that_cannot_be_sealed_is_told_once_with_its_reason(new_operator):
    """A year on: the partner's certificate of a month has long expired."""
    operator = new_operator()
    settings = operator.home / "keyfob.toml"
    settings.write_text(settings.read_text() + "\n[credentials]\nrotate_days_before = 30\n")
    info = operator.client("sync")
    operator.serve()
    assert operator.token(info, scope="studies:read").status == 200  # one that nobody uses ends after 14 days
    operator.stop()
    now = system_clock() + 340 * DAY
    opened = installation.open(operator.home, environ={}, entropy=system_entropy)
    with contextlib.closing(opened):
        for _ in range(2):
            calendar = Calendar(opened, entropy=system_entropy)
            assert calendar.is_due(now)
            calendar.keep(now)
        opened.store.outbox.route(dict.fromkeys(Role, ("mail",)), now)
        found = [parcel.notice for parcel in opened.store.outbox.due(now)]
        assert sorted((one.kind.value, one.recipient.value) for one in found) == [
            (kind, role)
            for kind in ("certificate_expired", "credential_expires", "rotation_not_made")
            for role in ("operator", "partner")
        ]
        (mine,) = [one for one in found if (one.kind.value, one.recipient) == ("rotation_not_made", Role.PARTNER)]
    assert "has expired" in mine.facts["reason"] and len(mine.facts["fingerprint"]) == 40
    assert [one["state"] for one in operator.run("client", "show", info.client_id)["credentials"]] == ["active"]
    assert not list((operator.home / "sealed").iterdir())

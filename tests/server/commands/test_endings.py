"""`client|partner revoke|delete`, `client revoke-credential`, `partner suspend|resume`: what each takes away."""

import io

import pytest

from keyfob import command
from keyfob.ambient import system_entropy
from keyfob.oauth.revocation_feed import Subject
from keyfob.server import installation
from keyfob.server.lifecycle.states import is_usable

SECRET = "kfs_" + "1" * 22 + "_" + "a" * 43 + "_" + "0" * 6
REMEMBERED = 30 + 900 + 90


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self):
        return True


@pytest.fixture
def run(program, acme):
    def run(*arguments, code=0):
        return program.run(*arguments, "--home", acme.home, "--json", code=code).json

    return run


@pytest.fixture
def opened(acme):
    def opened(act):
        found = installation.open(acme.home, environ={}, entropy=system_entropy)
        try:
            return act(found.store)
        finally:
            found.close()

    return opened


@pytest.fixture
def usable(opened, program):
    def usable(client_id):
        view = opened(lambda store: store.find_client(client_id))
        return {one.id for one in view.credentials if is_usable(one, view.client, view.partner_state, program.now)}

    return usable


@pytest.fixture
def records(run):
    return lambda: run("audit", "tail", "--count", "1000")["records"]


def withdrawn(store):
    return {(entry.revocation.subject, entry.revocation.id) for entry in store.revocations()}


def test_a_suspended_partner_has_nothing_that_works_and_resumes_with_what_worked(acme, run, usable, opened, program):
    one, two = acme.create(name="one"), acme.create(name="two")
    run("client", "suspend", two["client_id"])
    assert run("partner", "suspend", "Acme") == {"partner": "Acme", "state": "suspended"}
    assert usable(one["client_id"]) == usable(two["client_id"]) == set()
    assert (Subject.CLIENT, one["client_id"]) in opened(withdrawn)
    assert acme.create(name="three", code=1)["error"] == "partner-not-active"
    assert run("partner", "suspend", "Acme", code=1)["error"] == "wrong-state"
    program.now += 60
    assert run("partner", "resume", "Acme")["state"] == "active"
    assert usable(one["client_id"]) == {one["credential_id"]}
    assert usable(two["client_id"]) == set(), "that one was suspended by itself"
    cutoffs = {e.revocation.id: e.revocation.cutoff for e in opened(lambda store: store.revocations())}
    assert cutoffs[one["client_id"]] == program.now - 1, "its new tokens are good at once"


def test_a_client_that_is_resumed_while_its_partner_is_suspended_lets_no_token_live_again(acme, run, opened, program):
    made = acme.create()
    run("client", "suspend", made["client_id"])
    run("partner", "suspend", "Acme")
    before = opened(lambda store: store.revocations())
    run("client", "resume", made["client_id"])
    assert opened(lambda store: store.revocations()) == before


def test_revoking_a_partner_withdraws_everything_in_one_step(acme, run, usable, opened, records):
    one, two = acme.create(name="one"), acme.create(name="two")
    second = run("client", "rotate", one["client_id"])["credential_id"]
    run("client", "revoke", two["client_id"])
    shown = run("partner", "revoke", "Acme", "--dry-run")
    assert shown == {
        "dry_run": True,
        "clients": [one["client_id"]],
        "credentials": shown["credentials"],
        "unopened_messages": shown["unopened_messages"],
    }
    assert set(shown["credentials"]) == {one["credential_id"], second, two["credential_id"]}
    assert usable(one["client_id"]) == {one["credential_id"], second}, "shown, not done"
    count = len(records())
    done = run("partner", "revoke", "Acme", "--confirm", "Acme", "--reason", "break-in at Acme")
    assert (done["state"], set(done["credentials"])) == ("revoked", set(shown["credentials"]))
    assert usable(one["client_id"]) == set()
    assert {(Subject.CLIENT, one["client_id"]), (Subject.CLIENT, two["client_id"])} <= opened(withdrawn)
    states = {one["state"] for one in run("client", "show", one["client_id"])["credentials"]}
    assert states == {"revoked"}
    new = records()[count:]
    # Clients of the same second come in the order of their ids, which are random.
    assert new[0]["kind"] == "partner_revoked"
    assert sorted(one["kind"] for one in new[1:]) == ["client_revoked", *["credential_revoked"] * 3]
    assert {one["reason"] for one in new} == {"break-in at Acme"}
    assert {one["actor"] for one in new} == {f"operator:{command.system_user()}"}
    for verb in ("resume", "suspend"):
        assert run("partner", verb, "Acme", code=1)["error"] == "wrong-state"


def test_one_secret_is_revoked_and_the_other_goes_on(acme, run, usable, opened):
    made = acme.create()
    second = run("client", "rotate", made["client_id"])["credential_id"]
    end = ("client", "revoke-credential", made["client_id"])
    assert run(*end, second, "--dry-run")["unopened_messages"] == [second]
    assert run(*end, second, "--confirm", "sync")["others_work"] is True
    assert usable(made["client_id"]) == {made["credential_id"]}
    assert (Subject.CREDENTIAL, second) in opened(withdrawn)
    assert run(*end, second, "--yes", code=1)["error"] == "wrong-state"
    assert run(*end, made["credential_id"], "--yes")["others_work"] is False
    assert run(*end, "another", "--yes", code=2)["error"] == "unknown-credential"


def test_a_client_is_deleted_only_when_it_was_revoked_and_no_token_can_be_alive(acme, run, program, records):
    made = acme.create()
    end = ("client", "delete", made["client_id"], "--yes")
    assert run(*end, code=1)["error"] == "wrong-state"
    run("client", "revoke", made["client_id"])
    program.now += REMEMBERED - 1
    refused = run(*end, code=1)
    assert refused["error"] == "tokens-alive" and "for 1 s" in refused["message"]
    program.now += 1
    assert run(*end[:-1], "--dry-run")["clients"] == [made["client_id"]]
    assert run(*end)["state"] == "deleted"
    assert run("client", "show", made["client_id"], code=2)["error"] == "unknown-client"
    said = [one for one in records() if one.get("client_id") == made["client_id"]]
    assert [one["kind"] for one in said][-1] == "client_deleted"
    assert said[-1]["credentials"] == [made["credential_id"]]
    assert run("audit", "verify")["whole"] is True


def test_a_deleted_partner_gives_its_name_and_certificate_free_and_no_id(acme, run, program, opened, tmp_path):
    made = acme.create()
    former = run("partner", "show", "Acme")["partner_id"]
    end = ("partner", "delete", "Acme", "--confirm", "Acme")
    assert run(*end, code=1)["error"] == "wrong-state"
    run("partner", "revoke", "Acme", "--yes")
    assert run(*end, code=1)["error"] == "tokens-alive"
    program.now += REMEMBERED
    add = ("partner", "add", "Acme", "--certificate", acme.file, "--email", "new@acme.example")
    add += ("--confirm-fingerprint", acme.certificate.fingerprint)
    assert run(*add, code=1)["error"] == "partner-revoked"
    assert run(*end)["clients"] == [made["client_id"]]
    assert run(*add)["outcome"] == "added"
    assert run("partner", "show", "Acme")["partner_id"] != former
    (tmp_path / f"{made['client_id']}.asc").unlink()
    assert acme.create()["client_id"] != made["client_id"]
    assert opened(lambda store: store.audit_verdict()).findings == ()


DANGEROUS = [("partner", "revoke", "Acme"), ("client", "revoke-credential", "{client}", "{credential}")]


@pytest.mark.parametrize("words", DANGEROUS, ids=" ".join)
def test_without_a_terminal_a_name_must_be_said(acme, run, usable, words):
    made = acme.create()
    words = [word.format(client=made["client_id"], credential=made["credential_id"]) for word in words]
    assert run(*words, code=2)["error"] == "not-confirmed"
    assert run(*words, "--confirm", "another", code=2)["error"] == "not-confirmed"
    assert usable(made["client_id"]) == {made["credential_id"]}


def test_on_a_terminal_the_name_is_typed(acme, program, usable, monkeypatch):
    made = acme.create()
    words = ("partner", "revoke", "Acme", "--home", acme.home)
    monkeypatch.setattr("sys.stdin", Terminal("acme\n"))
    assert "partner suspend" in program.run(*words, code=1).err
    assert usable(made["client_id"])
    monkeypatch.setattr("sys.stdin", Terminal("Acme\n"))
    assert "clients: 1, secrets: 1, unopened: 1" in program.run(*words).err
    assert usable(made["client_id"]) == set()


def test_a_reason_stands_in_the_record_of_the_act_and_in_no_other(acme, run, records):
    made = acme.create("--reason", "ticket 4711")
    run("client", "suspend", made["client_id"])
    said = [(one["kind"], one.get("reason")) for one in records() if one.get("client_id") == made["client_id"]]
    assert said == [
        ("client_created", "ticket 4711"),
        ("credential_sealed", "ticket 4711"),
        ("client_suspended", None),
    ]


@pytest.mark.parametrize("reason", ["", " x", "a\nb", "x" * 501, f"leaked {SECRET}"])
def test_a_reason_that_cannot_be_shown_or_holds_a_secret_is_refused(acme, run, usable, reason):
    made = acme.create()
    refused = run("client", "suspend", made["client_id"], "--reason", reason, code=2)
    assert refused["error"] in ("bad-reason", "secret-in-reason")
    assert SECRET not in str(refused)
    assert usable(made["client_id"])

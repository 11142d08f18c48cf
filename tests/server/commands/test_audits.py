"""`audit` and `key`: what an operator reads of the trail, and what the program says when it is not whole."""

import sqlite3

import pytest

pytestmark = pytest.mark.on("sqlite")


def write(home, statement):
    connection = sqlite3.connect(home / "keyfob.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_tail_shows_the_last_records_the_newest_at_the_end(program, acme):
    acme.create()
    shown = program.run("audit", "tail", "--home", acme.home, "--count", "2", "--json").json["records"]
    assert [record["kind"] for record in shown] == ["client_created", "credential_sealed"]
    assert shown[0]["actor"].startswith("operator:")
    assert shown[1]["sequence"] == shown[0]["sequence"] + 1
    assert shown[1]["at"] == program.now
    text = program.run("audit", "tail", "--home", acme.home).out.splitlines()
    assert "credential_sealed" in text[-1]
    assert shown[1]["message_id"] in text[-1]


@pytest.mark.parametrize("count", ["0", "100001", "x"])
def test_a_count_out_of_range_is_refused(program, home, count):
    assert program.run("audit", "tail", "--home", home, "--count", count, "--json", code=2).json["error"] == "usage"


def test_a_whole_trail_is_said_to_be_whole_and_its_end_unproven(program, home):
    shown = program.run("audit", "verify", "--home", home, "--json").json
    assert shown["whole"] is True
    assert shown["records"] == 4
    assert shown["expected"] is None
    assert shown["head"].startswith("4:")
    out = program.run("audit", "verify", "--home", home).out
    assert "unproven" in out
    assert shown["head"] in out
    assert "unproven" not in program.run("audit", "verify", "--home", home, "--expect", shown["head"]).out


def test_what_was_found_whole_is_not_walked_again(program, acme):
    head = program.run("audit", "verify", "--home", acme.home, "--json").json["head"]
    later = program.run("audit", "verify", "--home", acme.home, "--since", head, "--json").json
    assert (later["records"], later["head"], later["since"]) == (0, head, head)
    both = program.run("audit", "verify", "--home", acme.home, "--since", head, "--expect", head, "--json", code=2)
    assert both.json["error"] == "two-heads"
    write(acme.home, "DELETE FROM audit_record WHERE sequence > 2")
    refused = program.run("audit", "verify", "--home", acme.home, "--since", head, "--json", code=1)
    assert "not there as it was seen" in refused.json["message"]


def test_a_cut_tail_is_found_with_the_head_that_was_noted(program, acme):
    head = program.run("audit", "verify", "--home", acme.home, "--json").json["head"]
    write(acme.home, "DELETE FROM audit_record WHERE sequence > 2")
    assert program.run("audit", "verify", "--home", acme.home)
    refused = program.run("audit", "verify", "--home", acme.home, "--expect", head, "--json", code=1)
    assert refused.json["error"] == "audit-not-whole"
    assert "cut" in refused.json["message"]


def test_an_altered_record_is_an_error_with_its_number(program, home):
    write(home, "UPDATE audit_record SET payload = replace(payload, 'created', 'destroyed') WHERE sequence = 2")
    refused = program.run("audit", "verify", "--home", home, "--json", code=1)
    assert "entry 2" in refused.json["message"]
    assert refused.json["hint"]


def test_a_blanked_trail_is_not_whole(program, home):
    """There is no lawful way to take a record's content away, so whoever did it tampered."""
    write(home, "UPDATE audit_record SET payload = NULL, salt = NULL")
    refused = program.run("audit", "verify", "--home", home, "--json", code=1)
    assert refused.json["error"] == "audit-not-whole"
    assert all(f"entry {number} " in refused.json["message"] for number in (1, 2, 3))


@pytest.mark.parametrize("head", ["", "x", "1:2", "1:" + "g" * 64])
def test_a_head_that_is_none_is_misuse(program, home, head):
    assert (
        program.run("audit", "verify", "--home", home, "--expect", head, "--json", code=2).json["error"] == "bad-head"
    )


def test_the_tail_survives_rows_that_were_tampered_with(program, home):
    write(home, "UPDATE audit_record SET payload = 'no json', at = 99999999999999999 WHERE sequence = 1")
    write(home, "UPDATE audit_record SET payload = NULL, salt = NULL WHERE sequence = 2")
    shown = program.run("audit", "tail", "--home", home, "--json").json["records"]
    assert [record["kind"] for record in shown] == ["unreadable", "unreadable", "signing_key_created", "operator_added"]
    assert program.run("audit", "tail", "--home", home).out


def test_what_came_from_the_network_cannot_draw_on_the_terminal(program, home):
    write(home, 'UPDATE audit_record SET payload = \'{"kind":"x\\u001b[2J","actor":"\\u001b[1m","a":"\\u001b[2J"}\'')
    assert "\x1b" not in program.run("audit", "tail", "--home", home).out


def test_the_next_signing_key_is_published_before_it_signs_and_there_is_one_at_a_time(program, home):
    (first,) = program.run("key", "list", "--home", home, "--json").json["keys"]
    made = program.run("key", "rotate", "--home", home, "--json").json
    listed = program.run("key", "list", "--home", home, "--json").json["keys"]
    assert [(key["kid"], key["state"]) for key in listed] == [(made["kid"], "next"), (first["kid"], "current")]
    assert listed[0]["not_before"] == made["signs_from"]
    assert program.run("key", "rotate", "--home", home, "--json", code=2).json["error"] == "key-waiting"
    assert len(program.run("key", "list", "--home", home, "--json").json["keys"]) == 2


def test_an_emergency_revokes_every_key_at_once(program, home):
    """The next one, too: who could read the current key could read it as well."""
    (first,) = program.run("key", "list", "--home", home, "--json").json["keys"]
    waiting = program.run("key", "rotate", "--home", home, "--json").json
    done = program.run("key", "rotate", "--emergency", "--yes", "--home", home, "--json").json
    assert set(done["revoked"]) == {first["kid"], waiting["kid"]}
    listed = program.run("key", "list", "--home", home, "--json").json["keys"]
    assert [(key["kid"], key["state"]) for key in listed] == [(done["kid"], "current")]
    records = program.run("audit", "tail", "--home", home, "--json").json["records"]
    revoked = [record["kid"] for record in records if record["kind"] == "signing_key_revoked"]
    assert set(revoked) == set(done["revoked"])


def test_an_emergency_is_confirmed_by_the_name_of_the_issuer(program, home):
    """All tokens of all partners end: nobody does that by a slip."""
    before = program.run("key", "list", "--home", home, "--json").json
    command = ("key", "rotate", "--emergency", "--home", home, "--json")
    assert program.run(*command, code=2).json["error"] == "not-confirmed"
    assert program.run(*command, "--confirm", "https://localhost", code=2).json["error"] == "not-confirmed"
    shown = program.run(*command, "--dry-run").json
    assert [one["kind"] for one in shown["would_record"]] == ["signing_key_created", "signing_key_revoked"]
    assert program.run("key", "list", "--home", home, "--json").json == before
    done = program.run(*command, "--confirm", "https://localhost:8443").json
    assert done["revoked"] == [before["keys"][0]["kid"]]


def test_signing_keys_are_listed_without_their_private_half(program, home):
    (key,) = program.run("key", "list", "--home", home, "--json").json["keys"]
    assert key["algorithm"] == "ES256"
    assert key["state"] == "current"
    assert key["public_jwk"]["kid"] == key["kid"]
    assert "d" not in key["public_jwk"]
    assert key["kid"] in program.run("key", "list", "--home", home).out

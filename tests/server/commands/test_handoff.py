"""The hand-off at the command line: links, how long they and what they lead to live, and what `client show` tells."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from keyfob import acknowledgement
from keyfob.acknowledgement import Acknowledgement
from keyfob.ambient import system_entropy
from keyfob.jose import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.server import installation
from keyfob.server.lifecycle import acknowledgements, links, signed_texts, succession
from keyfob.server.storage.records import TokenIssued

ISSUER = "https://localhost:8443"
DAY = 24 * 60 * 60


@pytest.fixture
def store(acme):
    """Asked as the server asks."""
    found = installation.open(acme.home, environ={}, entropy=system_entropy)
    yield found.store
    found.close()


def token_of(made):
    return urlsplit(made["link"]).path.removeprefix(links.PATH)


def find(program, store, made):
    with store.reading() as reading:
        return links.find(reading, token_of(made), now=program.now)


def fetch(program, store, made, address="192.0.2.7"):
    with store.change(now=program.now, actor="stranger") as change:
        return links.fetch(change, token_of(made), address=address, now=program.now)


def use(program, store, made, address="192.0.2.7"):
    issued = TokenIssued(
        jti=f"jti{program.now}",
        client_id=made["client_id"],
        credential_id=made["credential_id"],
        resource="https://api.example",
        scope=frozenset({"a:read"}),
        authorization_details=(),
        kid="kid",
        expires_at=program.now + 300,
        address=address,
        request_id="r",
    )
    store.record_grants([issued], program.now)


def test_without_the_flag_there_is_no_link(acme):
    assert "link" not in acme.create()


def test_a_link_lives_14_days(program, acme, store):
    made = acme.create("--link")
    use(program, store, made)  # the secret itself lives on
    program.now += 14 * DAY - 1
    assert find(program, store, made) is not None
    assert fetch(program, store, made) is not None
    program.now += 1
    assert find(program, store, made) is None
    assert fetch(program, store, made) is None


def test_what_is_over_is_forgotten_when_the_next_one_is_made(program, acme, store):
    old = acme.create("--link")
    program.now += 14 * DAY
    acme.create("--link", name="other")
    with store.reading() as reading:
        assert reading.find_link(links._hash(token_of(old))) is None
        program.now -= 14 * DAY
        assert reading.find_kept(old["credential_id"], now=program.now) is not None, "the overlap is in it, too"
    program.now += 40 * DAY
    with store.reading() as reading:
        assert reading.find_kept(old["credential_id"], now=program.now) is None


def test_a_client_that_signs_has_no_link(acme, tmp_path):
    (tmp_path / "keys.json").write_bytes(keys.write_jwks([keys.generate("ES256").public_jwk()]))
    signs = ("--auth-method", "private_key_jwt", "--jwks", tmp_path / "keys.json")
    assert acme.create(*signs, "--link", code=2)["error"] == "nothing-sealed"


def test_create_says_until_when_the_secret_must_be_used_and_shows_the_link_once(program, acme):
    arguments = ("--home", acme.home, "--partner", "Acme", "--name", "told", "--scope", "a:read")
    out = program.run("client", "create", *arguments, "--resource", "https://api.example", "--link").out
    assert "it must be used by" in out
    assert "else it expires" in out
    link = re.search(r"https://localhost:8443/handoff/[A-Za-z0-9_-]{43}\n", out)
    assert link
    client_id = re.search(r"cl_\w+", out)[0]
    shown = program.run("client", "show", client_id, "--home", acme.home).out
    assert "/handoff/" not in shown


def test_finish_makes_no_link(program, acme):
    made = acme.create()
    rotate = ("client", "rotate", made["client_id"], "--home", acme.home, "--json")
    assert program.run(*rotate, "--finish", "--link", code=2).json["error"] == "finish-alone"
    assert program.run(*rotate, "--link").json["link"].startswith("https://localhost:8443/handoff/")


def test_the_overlap_is_the_setting_unless_the_flag_says_otherwise(program, acme):
    made = acme.create()
    rotate = ("client", "rotate", made["client_id"], "--home", acme.home)
    program.environ = {"KEYFOB_CREDENTIALS_OVERLAP": "90"}
    assert "90 seconds after the new one's first use" in program.run(*rotate).out
    assert "2 days after" in program.run(*rotate, "--overlap", "2").out
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert [one["overlap"] for one in shown["credentials"]][1:] == [90, 2 * DAY]
    for wrong in ("-1", "x", str(91 * DAY)):
        program.environ = {"KEYFOB_CREDENTIALS_OVERLAP": wrong}
        program.run(*rotate, code=2)


def test_show_follows_a_secret_from_the_seal_to_the_first_use(program, acme, store):
    made = acme.create("--link")

    def shown():
        return program.run("client", "show", made["client_id"], "--home", acme.home).out

    assert re.search(r"sealed \S+ \S+, expires .* unless it is used before, never used", shown())
    fetch(program, store, made)
    assert re.search(r"fetched \S+ \S+ from 192.0.2.7, expires", shown())
    with store.change(now=program.now, actor="client:x") as change:
        change.observe_acknowledgement(made["credential_id"], address="192.0.2.8")
    assert re.search(r"acknowledged \S+ \S+ from 192.0.2.8", shown())
    use(program, store, made, "192.0.2.200")
    assert "never used" not in shown()
    assert made["credential_id"] + ":" not in shown(), "it is as expected"


@pytest.mark.parametrize(
    ("fetched", "used", "expected"),
    [
        ("192.0.2.7", "192.0.2.254", True),
        ("192.0.2.7", "192.0.3.7", False),
        ("2001:db8:7:1::1", "2001:db8:7:ffff::1", True),
        ("2001:db8:7::1", "2001:db8:8::1", False),
        ("192.0.2.7", "::ffff:192.0.2.9", True),
        ("192.0.2.7", "2001:db8::1", False),
    ],
)
def test_a_place_is_one_ipv4_24_or_one_ipv6_48(program, acme, store, fetched, used, expected):
    made = acme.create("--link")
    fetch(program, store, made, fetched)
    use(program, store, made, used)
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json["credentials"][0]
    assert (shown["first_use_doubt"] is None) is expected
    if not expected:
        assert fetched in shown["first_use_doubt"]
        assert used in shown["first_use_doubt"]
        text = program.run("client", "show", made["client_id"], "--home", acme.home).out
        assert f"client suspend {made['client_id']}" in text


def test_the_receipt_counts_before_the_fetch(program, acme, store):
    """Anybody with the link may fetch; only the partner can sign."""
    made = acme.create("--link")
    fetch(program, store, made, "198.51.100.1")
    with store.change(now=program.now, actor="client:x") as change:
        change.observe_acknowledgement(made["credential_id"], address="192.0.2.8")
    use(program, store, made, "192.0.2.9")
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json["credentials"][0]
    assert shown["first_use_doubt"] is None


def test_show_says_who_still_uses_the_old_secret(program, acme, store):
    made = acme.create()
    use(program, store, made)
    program.now += 60
    new = program.run("client", "rotate", made["client_id"], "--home", acme.home, "--json").json
    use(program, store, new)

    def shown():
        return program.run("client", "show", made["client_id"], "--home", acme.home).out

    assert re.search(made["credential_id"] + ": works until .*; since its successor came it is not used", shown())
    program.now += 60
    use(program, store, made, "192.0.2.77")
    told = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json["credentials"]
    assert [one["used_since_successor"] for one in told] == [True, None]
    assert re.search(r"since its successor came it is used, last \S+ \S+ from 192.0.2.77", shown())
    program.now += 7 * DAY
    assert "since its successor" not in shown()


def test_a_receipt_of_a_certificate_that_has_expired_is_refused(program, acme, store, partner_key):
    made = acme.create()
    with store.reading() as reading:
        message = reading.find_message(made["credential_id"])
    asked = {"issuer": ISSUER, "decoy": partner_key[1]}

    def signed(at):
        receipt = Acknowledgement(ISSUER, made["client_id"], message.credential_id, message.id, message.digest, at)
        fingerprint = partner_key[1].fingerprint
        return PrivateKeyUnsealer(partner_key[0]).clearsign(acknowledgement.write(receipt), fingerprint=fingerprint)

    with store.reading() as reading:
        done = acknowledgements.check(reading, signed(program.now), now=program.now, **asked)
        assert done.message == message
        later = program.now + 40 * DAY
        with pytest.raises(signed_texts.NotBelieved):
            acknowledgements.check(reading, signed(later), now=later, **asked)


def test_nothing_is_sealed_to_a_certificate_that_has_expired(program, acme, store):
    made = acme.create()
    use(program, store, made)
    program.now += 40 * DAY
    found = installation.open(acme.home, environ={}, entropy=system_entropy)
    asking = succession.Asking(made["client_id"], made["credential_id"], "192.0.2.7")
    with pytest.raises(succession.NotPossible) as refused:
        succession.ask(found, asking, now=program.now, entropy=system_entropy)
    found.close()
    assert refused.value.code == "certificate_unusable"
    assert "has expired" in refused.value.message
    assert "keyfob-server" not in refused.value.message, "it is told to the partner"


def test_what_the_operator_makes_in_the_same_moment_comes_first(program, acme, store, monkeypatch):
    """The successor was sealed for the client already, and the operator's rotation commits before it."""
    made = acme.create()
    use(program, store, made)
    found = installation.open(acme.home, environ={}, entropy=system_entropy)
    seal, operators = succession.handoff.make, []

    def overtaken(*positional, **named):
        sealed = seal(*positional, **named)
        monkeypatch.setattr(succession.handoff, "make", seal)
        operators.append(program.run("client", "rotate", made["client_id"], "--home", acme.home, "--json").json)
        return sealed

    monkeypatch.setattr(succession.handoff, "make", overtaken)
    asking = succession.Asking(made["client_id"], made["credential_id"], "192.0.2.7")
    given = succession.ask(found, asking, now=program.now, entropy=system_entropy)
    found.close()
    assert (given.credential_id, given.made) == (operators[0]["credential_id"], False)
    assert given.armored == Path(operators[0]["sealed"]).read_bytes()
    assert len(store.find_client(made["client_id"]).credentials) == 2

"""What gives a right or confirms a key waits for a second operator where that is set; what takes away never does."""

import contextlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from keyfob.ambient import system_entropy
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.problem import Problem
from keyfob.server import installation as installations
from keyfob.server.admin import local
from keyfob.server.admin.client_changes import CHANGE, Alteration
from keyfob.server.admin.local import LocalDesk
from keyfob.server.admin.table import BY_NAME, OPERATIONS
from keyfob.server.lifecycle import alterations, announcements, clients, declaration_form, handoff
from keyfob.server.storage.usage import Narrowing

API = "https://api.example"
SECRET = ("--partner", "Acme", "--scope", "a:read", "--resource", API)


@pytest.fixture
def two(program, acme, other_key, tmp_path):
    """Two operators, where everything that can be set so needs both: `.do` by the first, `.approve` by the second."""
    acme.create(name="sync")
    rests = acme.create(name="rests", scope="a:read b:read")["client_id"]
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(jwks))
    signs = acme.create("--auth-method", "private_key_jwt", "--jwks", keys, name="signs")["client_id"]
    other = tmp_path / "other.asc"
    other.write_bytes(other_key[1].armored)
    program.run("operator", "keygen", "--out", "eve.pem", "--public", "eve.json")
    program.run("operator", "add", "eve", "--jwks", "eve.json", "--home", acme.home)
    settings = acme.home / "keyfob.toml"
    settings.write_text(settings.read_text() + '\n[operators]\nsecond_for = "rights fingerprints"\n')

    with opened(acme.home) as found, found.store.change(now=program.now, actor="partner") as change:
        asked = {"jwks": json.dumps(jwks), "jwks_uri": None, "now": program.now, "announced_for": 600}
        announcements.announce(change, signs, named="ann_1", **asked)
        wide = clients.get(change.reading, rests).client
        narrow = replace(wide, grants=(replace(wide.grants[0], scope=frozenset({"a:read"})),))
        alterations.alter(change, wide, narrow, now=program.now)
        change.put_narrowing(rests, Narrowing(program.now, wide.grants, narrow.grants))

    def do(*arguments, code=0):
        return program.run(*arguments, "--home", acme.home, "--json", code=code).json

    ids = {one["name"]: one["client_id"] for one in do("client", "list")["clients"]}

    def approve(proposal, *more, code=0):
        return do("approve", proposal["proposal_id"], "--operator-key", "eve.pem", *more, code=code)

    return SimpleNamespace(
        do=do, approve=approve, ids=ids, signs=signs, keys=keys, other=other, other_key=other_key[1], acme=acme
    )


@contextlib.contextmanager
def opened(home):
    found = installations.open(home, environ={}, entropy=system_entropy)
    try:
        yield found
    finally:
        found.close()


def given(two, resource_file):
    """The commands that give or confirm, by the operation that each is."""
    declared = two.acme.home.parent / "partners.toml"
    partner = {
        "name": "Acme",
        "email": "data@acme.example",
        "certificate": two.acme.file.name,
        "fingerprint": two.acme.certificate.fingerprint,
        "client": [{"name": "declared", "scope": ["a:read"], "resources": [API]}],
    }
    declared.write_bytes(declaration_form.write({"version": 1, "partner": [partner]}))
    sync = two.ids["sync"]
    elsewhere = resource_file("other.json", url="https://other.example")
    confirmed = ("--certificate", two.other, "--confirm-fingerprint", two.other_key.fingerprint)
    return {
        "client.create": ("client", "create", "--name", "new", *SECRET),
        "client.change": ("client", "change", sync, "--scope", "a:read b:read"),
        "client.allow": ("client", "allow", sync, "--network", "192.0.2.0/24", "--network", "198.51.100.0/24"),
        "client.keys": ("client", "keys", two.signs, "--jwks", two.keys),
        "announcement.hasten": ("announcement", "hasten", "ann_1", "--reason", "they called"),
        "client.narrow": ("client", "narrow", two.ids["rests"], "--undo"),
        "client.resume": ("client", "resume", two.ids["rests"]),
        "partner.add": ("partner", "add", "Second", *confirmed, "--email", "it@second.example"),
        "partner.renew": ("partner", "renew", "Acme", *confirmed),
        "partner.resume": ("partner", "resume", "Acme"),
        "resource.add": ("resource", "add", elsewhere),
        "registration.allow": ("registration", "allow", *SECRET),
        "operator.add": ("operator", "add", "mallory"),
        "operator.key": ("operator", "key", "eve", "--jwks", "eve.json"),
        "operator.resume": ("operator", "resume", "eve"),
        "declaration.apply": ("apply", declared, "--yes", "--out", declared.parent),
    }


def test_whatever_gives_or_confirms_waits_and_changes_nothing_meanwhile(two, resource_file, audit_kinds):
    two.do("client", "allow", two.ids["sync"], "--network", "192.0.2.0/24", code=0)
    two.do("client", "suspend", two.ids["rests"])
    commands = given(two, resource_file)
    assert set(commands) == {one.name for one in OPERATIONS if one.needs}, "each of them is tried here"
    for name, arguments in commands.items():
        before = audit_kinds()
        waits = two.do(*arguments)
        assert (waits["operation"], waits["state"]) == (name, "waiting"), waits
        assert BY_NAME[name].needs
        assert audit_kinds()[len(before) :] == ["act_proposed"]
    assert not list(two.acme.home.parent.glob("cl_*.new.asc"))


def test_what_takes_away_waits_for_nobody(two):
    sync = two.ids["sync"]
    assert two.do("client", "change", sync, "--token-lifetime", "60")["changed"]
    assert two.do("client", "change", sync, "--scope", "b:read", "--dry-run")["changed"]
    assert two.do("client", "allow", sync, "--network", "192.0.2.0/24")["networks"] == ["192.0.2.0/24"]
    assert two.do("client", "allow", sync, "--network", "192.0.2.128/25")["networks"] == ["192.0.2.128/25"]
    assert two.do("client", "allow", sync, "--anywhere")["state"] == "waiting"
    assert two.do("client", "suspend", sync)["state"] == "suspended"
    assert two.do("client", "revoke", sync)["state"] == "revoked"
    assert two.do("client", "rotate", two.ids["rests"])["sealed"]
    same = ("--certificate", two.acme.file)
    assert two.do("partner", "renew", "Acme", *same, "--email", "new@acme.example")["outcome"] == "renewed"
    assert two.do("partner", "suspend", "Acme")["state"] == "suspended"
    assert two.do("operator", "suspend", "eve")["state"] == "suspended"


def test_what_could_not_be_done_is_refused_before_somebody_else_is_asked(two):
    wrong = ("--partner", "Acme", "--name", "new", "--resource", API, "--scope", "c:read")
    assert two.do("client", "create", *wrong, code=2)["error"] == "unknown-scope"
    assert two.do("client", "change", two.ids["sync"], "--scope", "c:read", code=2)["error"] == "unknown-scope"
    assert two.do("registration", "allow", *wrong[:2], *wrong[4:], code=2)["error"] == "unknown-scope"
    unconfirmed = ("--certificate", two.other, "--confirm-fingerprint", "0" * 40)
    assert two.do("partner", "renew", "Acme", *unconfirmed, code=2)["error"] == "fingerprint-mismatch"
    assert two.do("proposals")["proposals"] == []


def test_who_approves_gets_the_message_and_only_the_partner_can_open_it(two, partner_key, tmp_path):
    waits = two.do("client", "create", "--name", "new", *SECRET, "--link")
    assert "kfs_" not in json.dumps(two.do("proposals"))
    assert two.do("approve", waits["proposal_id"], code=1)["error"] == "same-operator"
    done = two.approve(waits, "--out", tmp_path)["result"]
    assert "message" not in done
    path = tmp_path / f"{done['client_id']}.asc"
    assert done["sealed"] == str(path)
    signer = installed_certificate(two)
    secret = json.loads(PrivateKeyUnsealer(partner_key[0]).unseal(path.read_bytes(), signer=signer).reveal())
    assert secret["client_id"] == done["client_id"]
    assert two.approve(waits, code=1)["error"] == "proposal-decided"
    assert two.do("client", "show", done["client_id"])["state"] == "active"


def test_a_declared_state_is_approved_as_a_whole_and_only_as_it_was_agreed_to(two, resource_file, tmp_path):
    arguments = given(two, resource_file)["declaration.apply"]
    first, second = two.do(*arguments), two.do(*arguments)
    two.do("client", "suspend", two.ids["rests"])  # concerns none of it
    done = two.approve(first, "--out", tmp_path)["result"]
    assert [one["act"] for one in done["steps"]] == ["create client"]
    assert (tmp_path / f"{done['steps'][0]['client_id']}.asc").exists()
    assert two.approve(second)["result"]["outcome"] == "nothing"
    assert [one["state"] for one in two.do("proposals")["proposals"]] == ["approved", "approved"]


def test_a_new_key_of_a_partner_is_taken_when_two_have_agreed(two, resource_file):
    waits = two.do(*given(two, resource_file)["partner.renew"])
    assert two.do("partner", "show", "Acme")["fingerprint"] == two.acme.certificate.fingerprint
    assert two.approve(waits)["result"]["outcome"] == "replaced"
    assert two.do("partner", "show", "Acme")["fingerprint"] == two.other_key.fingerprint


def test_a_change_that_widens_since_a_moment_ago_is_not_done_by_one_alone(two, program):
    """What narrowed when it was looked at may give a right back that somebody took away meanwhile."""
    with opened(two.acme.home) as found:
        whoever = local.identify(found, system_user=program_user(two), key=None, reason=None)
        desk = LocalDesk(
            found, whoever, clock=lambda: program.now, entropy=system_entropy, sinks=tuple,
            ways=lambda: None, key_sets=None, outlet=handoff.with_answer,
        )  # fmt: skip
        sync = two.ids["sync"]

        def slow(inner, asked):
            two.do("client", "change", sync, "--token-lifetime", "60")
            return CHANGE.perform(inner, asked)

        with pytest.raises(Problem) as refused:
            desk.perform(replace(CHANGE, perform=slow), Alteration(client_id=sync, token_lifetime=200))
        assert refused.value.code == "changed-meanwhile"
        assert two.do("client", "show", sync)["token_lifetime"] == 60


def installed_certificate(two):
    with opened(two.acme.home) as found:
        return found.operator_certificate


def program_user(two):
    return two.do("operator", "list")["operators"][0]["name"]

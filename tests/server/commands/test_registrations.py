"""`registration allow|list|withdraw|renew`: everything is checked first, and the token is in the sealed file alone."""

import json
from pathlib import Path

import pytest

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.openpgp import certificate
from keyfob.openpgp.unseal import PrivateKeyUnsealer

API = "https://api.example"
DAY = 24 * 60 * 60


@pytest.fixture
def allow(program, acme):
    def run(*more, code=0, partner="Acme", scope="a:read b:read", resource=API):
        base = ("registration", "allow", "--home", acme.home, "--partner", partner)
        return program.run(*base, "--scope", scope, "--resource", resource, "--json", *more, code=code).json

    return run


@pytest.fixture
def unseal(acme, partner_key):
    def read(path):
        signer = certificate.read_signer((acme.home / "operator.asc").read_bytes())
        return json.loads(PrivateKeyUnsealer(partner_key[0]).unseal(Path(path).read_bytes(), signer=signer).reveal())

    return read


def test_a_token_is_sealed_to_the_partner_and_shown_nowhere(program, acme, allow, unseal, tmp_path, audit_kinds):
    made = allow("--study", "S.1:001", "--token-lifetime", "120", "--dpop", "--uses", "2", "--days", "5")
    assert made["sealed"] == f"{made['allowance']}.asc"
    said = unseal(tmp_path / made["sealed"])
    token = client_secret.Secret(said["initial_access_token"])
    assert client_secret.credential_id(token, prefix=Prefix.INITIAL_ACCESS_TOKEN) == made["allowance"]
    assert said["registration_endpoint"] == made["registration_endpoint"] == "https://localhost:8443/oauth2/register"
    assert said["recipient_fingerprint"] == acme.certificate.fingerprint
    assert (said["issued_at"], said["expires_at"]) == (program.now, program.now + 5 * DAY)
    assert (said["uses"], said["keyfob_token_lifetime"], said["dpop_bound_access_tokens"]) == (2, 120, True)
    assert (said["scope"], said["resource"], said["profile"]) == ("a:read b:read", [API], "default")
    assert said["authorization_details"] == [{"type": "cdms_study", "identifier": "S.1", "sites": ["001"]}]
    assert audit_kinds()[-1] == "registration_allowed"
    tail = program.run("audit", "tail", "--home", acme.home, "--json").out
    assert token.reveal().split("_")[2] not in tail + json.dumps(made)


def test_the_list_says_what_became_of_each(program, acme, allow, audit_kinds):
    first, second = allow(), allow("--days", "1")
    assert "Acme" in program.run("registration", "list", "--home", acme.home).out
    program.run("registration", "withdraw", first["allowance"], "--home", acme.home)
    assert audit_kinds()[-1] == "registration_withdrawn"
    program.now += DAY
    listed = program.run("registration", "list", "--home", acme.home, "--json").json["allowances"]
    assert {one["allowance"]: one["state"] for one in listed} == {
        first["allowance"]: "withdrawn",
        second["allowance"]: "expired",
    }
    again = program.run("registration", "withdraw", first["allowance"], "--home", acme.home, "--json", code=2)
    assert again.json["error"] == "already-withdrawn"
    unknown = program.run("registration", "withdraw", "nonsense", "--home", acme.home, "--json", code=2)
    assert unknown.json["error"] == "unknown-allowance"


@pytest.mark.parametrize(
    ("more", "changed", "error", "code"),
    [
        ((), {"partner": "Nobody"}, "unknown-partner", 2),
        ((), {"scope": "a:reed"}, "unknown-scope", 2),
        ((), {"resource": "https://other.example"}, "unknown-resource", 2),
        (("--study", "S.1", "--all-studies"), {}, "studies-twice", 2),
        (("--profile", "smart", "--token-lifetime", "301"), {}, "profile-lifetime", 2),
        (("--days", "31"), {}, "usage", 2),
        (("--uses", "0"), {}, "usage", 2),
        (("--out", "."), {}, "file-exists", 2),
        (("--out", "no/folder.asc"), {}, "file-place", 2),
    ],
)
def test_what_was_typed_wrongly_is_named_and_nothing_is_allowed(
    program, acme, allow, more, changed, error, code, audit_kinds
):
    before = audit_kinds()
    assert allow(*more, **changed, code=code)["error"] == error
    assert audit_kinds() == before
    assert program.run("registration", "list", "--home", acme.home, "--json").json == {"allowances": []}


def test_nothing_is_sealed_to_a_certificate_that_has_expired(program, allow, tmp_path):
    program.now += 40 * DAY
    refused = allow("--out", "late.asc", code=1)
    assert "nothing can be sealed" in refused["message"]
    assert not (tmp_path / "late.asc").exists()


def test_a_client_that_never_registered_is_not_renewed(program, acme):
    made = acme.create()
    run = ("registration", "renew", made["client_id"], "--home", acme.home, "--json")
    assert program.run(*run, code=2).json["error"] == "not-registered"

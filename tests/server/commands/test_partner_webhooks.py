"""`partner webhook`: the secret is sealed to the partner, shown nowhere, and outlives a new key-encryption key."""

import contextlib
import json

import pytest

from keyfob.ambient import system_entropy
from keyfob.openpgp import certificate
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.server import installation, outward
from keyfob.server.alarms import webhook
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.lifecycle import partner_webhooks
from keyfob.server.notices import channels

URL = "https://cro.example/keyfob/hidden"


@pytest.fixture
def run(program, acme):
    def run(*options, code=0):
        return program.run("partner", "webhook", "Acme", "--home", acme.home, *options, "--json", code=code)

    return run


def target(acme, partner_id):
    with contextlib.closing(installation.open(acme.home, environ={}, entropy=system_entropy)) as opened:
        return partner_webhooks.find(opened, partner_id)


def test_the_secret_is_sealed_and_its_url_shown_nowhere(program, acme, run, partner_key, tmp_path):
    made = run("--url", URL, "--out", tmp_path / "w.asc")
    signer = certificate.read_signer((acme.home / "operator.asc").read_bytes())
    sealed = (tmp_path / "w.asc").read_bytes()
    opened = json.loads(PrivateKeyUnsealer(partner_key[0]).unseal(sealed, signer=signer).reveal())
    assert opened["webhook_url"] == URL
    shown = program.run("partner", "show", "Acme", "--home", acme.home, "--json")
    assert shown.json["webhook"] == "cro.example"
    audit = program.run("audit", "tail", "--home", acme.home, "--json")
    assert audit.json["records"][-1]["host"] == "cro.example"
    for said in (made.out, shown.out, audit.out):
        assert "hidden" not in said and opened["webhook_secret"] not in said
    kept = target(acme, shown.json["partner_id"])
    assert kept.key.reveal_bytes() == webhook.read_key(webhook.Secret(opened["webhook_secret"])).reveal_bytes()
    program.run("key", "rewrap", "--kek", "file", "--home", acme.home)
    assert target(acme, shown.json["partner_id"]).key.reveal_bytes() == kept.key.reveal_bytes()
    run("--remove")
    assert target(acme, shown.json["partner_id"]) is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ((), "webhook-missing"),
        (("--url", URL, "--remove"), "webhook-missing"),
        (("--url", "http://cro.example/x"), "bad-webhook"),
        (("--url", URL, "--out", "there.asc"), "file-exists"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(program, acme, run, tmp_path, options, error):
    (tmp_path / "there.asc").touch()
    assert run(*options, code=2).json["error"] == error
    assert program.run("partner", "show", "Acme", "--home", acme.home, "--json").json["webhook"] is None


def test_a_host_in_an_inner_network_is_not_posted_to():
    with pytest.raises(NotDelivered, match="inner network"):
        channels._outer_place("127.0.0.1", 443, inner=())
    assert channels._outer_place("127.0.0.1", 443, inner=outward.networks(["127.0.0.0/8"])) == "127.0.0.1:443"

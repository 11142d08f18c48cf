"""The commands that ask a server: the same answer near and far, and of a secret nothing but what is sealed."""

import contextlib
import json
import secrets
import shutil
from types import SimpleNamespace

import pytest

import inside
from keyfob import tls
from keyfob.ambient import system_clock, system_entropy
from keyfob.jose import keys
from keyfob.openpgp import keys as openpgp_keys
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.admin.declarations import APPLY, Declared
from keyfob.server.admin.new_clients import CREATE, NewClient
from keyfob.server.admin.remote import RemoteDesk
from keyfob.server.cli import cli
from keyfob.server.lifecycle import declaration_form

RESOURCE = "https://api.example"
RIGHTS = ("--partner", "Acme", "--scope", "studies:read", "--resource", RESOURCE)


def run(*arguments, status=0):
    """What `keyfob-server` says; `status` None: whatever its exit status."""
    done = inside.run(cli, "keyfob-server", *arguments, "--json")
    assert status is None or done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def site(new_operator):
    """A server, with `near` on its home and `far` over its admin API; and a client of Acme called sync."""
    operator = new_operator()
    found = SimpleNamespace(operator=operator, folder=operator.home.parent, client=operator.client("sync"))
    operator.serve()
    key, ca = operator.home / "operator-key.pem", operator.home / "tls" / "ca.pem"
    where = ("--server", operator.issuer, "--operator-key", key, "--ca", ca)
    found.far = lambda *arguments, status=0: run(*arguments, *where, status=status)
    found.near = lambda *arguments, status=0: run(*arguments, "--home", operator.home, status=status)

    def desk():
        signer = keys.load(Secret(key.read_bytes()))
        context = tls.client_context(ca, environ={})
        return contextlib.closing(
            RemoteDesk(operator.issuer, signer, context, reason=None, clock=system_clock, entropy=system_entropy)
        )

    found.desk = desk
    return found


def test_a_client_made_from_afar_gets_a_secret_that_only_its_partner_can_open(site):
    out = site.folder / "far.asc"
    made = site.far("client", "create", "--name", "far", *RIGHTS, "--out", out, "--reason", "they asked")
    assert set(made) == {"client_id", "credential_id", "sealed", "operator_fingerprint"}
    assert (made["sealed"], out.stat().st_mode & 0o777) == (str(out), 0o600)
    assert site.operator.token(site.operator.open(out), scope="studies:read").status == 200
    again = site.far("client", "create", "--name", "other", *RIGHTS, "--out", out, status=2)
    assert again["error"] == "file-exists"
    assert "other" not in json.dumps(site.near("client", "list")), "it was refused before it was made"
    record = next(one for one in site.operator.audit()[::-1] if one["kind"] == "client_created")
    assert (record["reason"], record["operator_address"]) == ("they asked", "127.0.0.1")


def test_an_answer_holds_ciphertext_alone_and_is_given_again_but_for_a_link(site):
    asked = NewClient(partner="Acme", name="answered", scope="studies:read", resources=(RESOURCE,))
    with site.desk() as desk:
        bearer = desk._token(CREATE.scope).reveal()

    def post(members, key):
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json", "idempotency-key": key}
        return site.operator.request("POST", CREATE.path, json.dumps(members).encode(), headers)

    key, linked = secrets.token_hex(8), secrets.token_hex(8)
    first = post(CREATE.write(asked), key)
    assert (first.status, first.headers["cache-control"]) == (200, "no-store")
    assert first.document["message"].startswith("-----BEGIN PGP MESSAGE-----")
    assert b"kfs_" not in first.body
    assert post(CREATE.write(asked), key).document == first.document
    with_link = CREATE.write(asked) | {"name": "linked", "link": True}
    link = post(with_link, linked).document["link"]
    lost = post(with_link, linked)
    assert (lost.status, lost.document["error"]) == (409, "answer-lost")
    kept = site.operator.home / "keyfob.db"
    if kept.exists():  # of a link's token the store has the hash alone
        assert link.rpartition("/")[2].encode() not in kept.read_bytes() + kept.with_name("keyfob.db-wal").read_bytes()


def test_the_life_of_a_client_from_afar(site):
    client_id = site.far("client", "create", "--name", "life", *RIGHTS, "--out", site.folder / "life.asc")["client_id"]
    changed = site.far("client", "change", client_id, "--token-lifetime", "60", "--study", "S.1")["changed"]
    assert changed["token_lifetime"] == {"before": 300, "after": 60}
    first = site.operator.open(site.folder / "life.asc")
    assert site.operator.token(first, scope="studies:read").document["expires_in"] == 60
    rotated = site.far("client", "rotate", client_id, "--out", site.folder / "next.asc", "--overlap", "2")
    assert site.far("client", "rotate", "--finish", client_id, status=1)["error"] == "no-overlap"
    second = site.operator.open(site.folder / "next.asc")
    assert site.operator.token(second, scope="studies:read").status == 200
    assert site.far("client", "rotate", "--finish", client_id)["retired"]
    assert site.operator.token(first, scope="studies:read").status == 401
    gone = site.far("client", "revoke-credential", client_id, rotated["credential_id"], "--confirm", "life")
    assert gone["others_work"] is False
    assert site.operator.token(second, scope="studies:read").status == 401
    assert site.far("client", "revoke", client_id)["state"] == "revoked"
    assert site.far("client", "delete", client_id, "--yes", status=1)["error"] == "tokens-alive"


def test_the_life_of_a_partner_from_afar(site):
    _, certificate = openpgp_keys.generate_operator_key("Second <it@second.example>")
    file = site.folder / "second.asc"
    file.write_bytes(certificate.armored)
    confirmed = ("--confirm-fingerprint", certificate.fingerprint)
    added = site.far("partner", "add", "Second", "--certificate", file, "--email", "it@second.example", *confirmed)
    assert added["outcome"] == "added"
    assert site.far("partner", "renew", "Second", "--certificate", file)["outcome"] == "unchanged"
    assert site.far("partner", "suspend", "Second")["state"] == "suspended"
    assert site.far("partner", "resume", "Second")["state"] == "active"
    assert site.far("partner", "revoke", "Second", status=2)["error"] == "not-confirmed"
    assert site.far("partner", "revoke", "Second", "--dry-run")["dry_run"] is True
    assert site.far("partner", "revoke", "Second", "--confirm", "Second")["state"] == "revoked"
    assert site.far("partner", "delete", "Second", "--confirm", "Second") == {
        "partner": "Second",
        "state": "deleted",
        "clients": [],
    }


def test_a_permission_to_register_is_sealed_from_afar_and_taken_back(site):
    out = site.folder / "allowance.asc"
    made = site.far("registration", "allow", *RIGHTS, "--uses", "2", "--out", out)
    assert (made["sealed"], made["uses_left"]) == (str(out), 2)
    assert "message" not in made
    found = json.loads(site.operator.unseal(out).reveal())
    key = {"keys": [keys.generate().public_jwk()]}
    metadata = {"jwks": key, "token_endpoint_auth_method": "private_key_jwt"}
    registered = site.operator.register(found["initial_access_token"], metadata)
    assert registered.status == 201, registered
    client_id = registered.document["client_id"]
    first = site.far("registration", "renew", client_id, "--out", site.folder / "renewed.asc")
    assert json.loads(site.operator.unseal(site.folder / "renewed.asc").reveal())["client_id"] == client_id
    assert set(first) == {"client_id", "sealed", "operator_fingerprint"}
    assert site.far("registration", "withdraw", made["allowance"])["state"] == "withdrawn"
    assert site.operator.register(found["initial_access_token"], metadata).status == 401


def test_a_signing_key_is_made_from_afar(site):
    made = site.far("key", "rotate")
    assert made["kid"] in {one["kid"] for one in site.near("key", "list")["keys"]}
    assert site.far("key", "rotate", status=2)["error"] == "key-waiting"
    assert (
        site.far("key", "rotate", "--in", "elsewhere", status=2)["error"]
        == site.near("key", "rotate", "--in", "elsewhere", status=2)["error"]
    )


@pytest.fixture(scope="module")
def declared(site):
    """A declared state of more than the 64 kB that any other request may have."""
    folder = site.folder / "declared"
    folder.mkdir()
    shutil.copy(site.operator.certificate, folder / "acme.asc")
    fingerprint = site.near("partner", "show", "Acme")["fingerprint"]
    partner = {"name": "Acme", "email": "data@acme.example", "certificate": "acme.asc", "fingerprint": fingerprint}

    def write(count, **changes):
        clients = [
            {"name": f"declared-{number}", "scope": ["studies:read", "subjects:read"], "resources": [RESOURCE]}
            for number in range(count)
        ]
        tree = {"version": 1, "partner": [partner | {"client": clients} | changes]}
        (folder / "partners.toml").write_bytes(declaration_form.write(tree))
        return folder / "partners.toml"

    return write


def test_a_declared_state_is_reached_from_afar(site, declared):
    (sealed := site.folder / "sealed").mkdir()
    file = declared(2)
    done = site.far("apply", file, "--yes", "--out", sealed)
    assert [one["act"] for one in done["steps"]] == ["create client", "create client"]
    for one in done["steps"]:
        made = site.operator.open(sealed / f"{one['client_id']}.asc")
        assert site.operator.token(made, scope="studies:read").status == 200
    assert site.far("apply", file, "--yes")["outcome"] == "nothing"
    near, far = site.near("apply", declared(700), "--dry-run"), site.far("apply", declared(700), "--dry-run")
    assert near == far
    assert len(near["steps"]) == 698
    wrong = declared(2, fingerprint="0" * 40)
    assert site.far("apply", wrong, "--dry-run", status=2) == site.near("apply", wrong, "--dry-run", status=2)


def test_a_plan_that_is_another_meanwhile_is_not_done(site, declared):
    tree = {"version": 1, "partner": [_suspended(site)]}
    asked = Declared(declared=tree, files={"acme.asc": site.operator.certificate.read_text()}, plan="0" * 64)
    with site.desk() as desk, pytest.raises(Problem) as refused:
        desk.perform(APPLY, asked)
    assert refused.value.code == "plan-changed"
    assert site.near("partner", "show", "Acme")["state"] == "active"


def _suspended(site):
    found = site.near("partner", "show", "Acme")
    named = {name: found[name] for name in ("name", "email", "fingerprint")}
    return named | {"certificate": "acme.asc", "state": "suspended"}


def test_what_there_is_is_exported_alike_near_and_far(site):
    near, far = site.folder / "export-near", site.folder / "export-far"
    assert site.near("export", near)["clients"] == site.far("export", far)["clients"]
    assert (near / "partners.toml").read_bytes() == (far / "partners.toml").read_bytes()


def test_another_servers_clients_are_read_by_what_the_far_server_knows(site):
    export = site.folder / "hydra.json"
    export.write_text(json.dumps([{"client_id": "old", "client_name": "old", "scope": "studies:read",
                                   "grant_types": ["client_credentials"]}]))  # fmt: skip
    arguments = ("import", "hydra", export, "--partner", "Acme", "--resource", RESOURCE, "--out")
    near, far = site.near(*arguments, site.folder / "in-near"), site.far(*arguments, site.folder / "in-far")
    assert near["clients"] == far["clients"] == ["old"]
    assert (site.folder / "in-near/partners.toml").read_bytes() == (site.folder / "in-far/partners.toml").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("client", "change", "{client}", "--token-lifetime", "900", "--dry-run"), 0),
        (("client", "change", "{client}", "--scope", "studies:raed"), 2),
        (("client", "revoke", "{client}", "--dry-run"), 0),
        (("client", "revoke", "cl_wrong", "--dry-run"), 2),
        (("client", "delete", "{client}", "--yes"), 1),
        (("client", "revoke-credential", "{client}", "none", "--yes"), 2),
        (("client", "rotate", "{client}", "--finish"), 1),
        (("client", "create", "--name", "sync", *RIGHTS), 2),
        (("client", "create", "--name", "x", *RIGHTS, "--auth-method", "tls_client_auth", "--tls-san-dns", "a.b"), 2),
        (("partner", "revoke", "Acme", "--dry-run"), 0),
        (("partner", "delete", "Acme", "--yes"), 1),
        (("partner", "suspend", "Acne"), 2),
        (("registration", "list"), 0),
        (("registration", "withdraw", "none"), 2),
        (("registration", "renew", "{client}"), 2),
        (("notice", "retry", "none"), 2),
        (("notice", "test"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_command_says_the_same_near_and_far(site, arguments, status):
    asked = [one.format(client=site.client.client_id) for one in arguments]
    assert site.near(*asked, status=status) == site.far(*asked, status=status)


def test_what_needs_attention_is_the_same_near_and_far(site):
    near, far = (place("status", status=None) for place in (site.near, site.far))
    moving = {"at", "audit", "needs_attention", "undelivered_notices", "notices_waiting"}
    assert {name: near[name] for name in near.keys() - moving} == {name: far[name] for name in far.keys() - moving}
    assert near.keys() == far.keys()


def test_notices_are_read_and_tried_again_from_afar(site, until):
    site.far("client", "create", "--name", "told", *RIGHTS, "--out", site.folder / "told.asc")
    until(lambda: site.near("notice", "list")["waiting"] == 0)
    assert site.far("notice", "list") == site.near("notice", "list")
    assert site.far("notice", "retry", "--all").keys() == {"tried_again"}

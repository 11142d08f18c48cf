"""The admin API on the wire: who gets in, and that the command line says the same near and far."""

import http.client
import json
import secrets
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

import inside
from keyfob.ambient import system_clock
from keyfob.jose import keys
from keyfob.jose.assertions import sign_assertion
from keyfob.oauth import client_authentication
from keyfob.secret import Secret
from keyfob.server.admin.table import OPERATIONS
from keyfob.server.cli import cli
from keyfob.server.lifecycle.operators import SCOPES_OF
from keyfob.server.storage.records import Role

from .conftest import Answer

ENTRY = "from keyfob.server.cli import main; main()"
JSON = "application/json"
SAMPLE = {
    "client_id": "cl_none",
    "name": "nobody",
    "partner": "Nobody",
    "proposal_id": "prp_none",
    "error_id": "0" * 32,
    "credential_id": "none",
    "allowance": "none",
    "announcement_id": "none",
}


@pytest.fixture(scope="module")
def site(new_operator):
    """A server; `first` is the key that init made, ada is an auditor, bob an operator; `token`, `ask` and `far`."""
    operator = new_operator()
    folder = operator.home.parent
    found = SimpleNamespace(operator=operator, folder=folder, first=operator.home / "operator-key.pem")
    for name, role in (("ada", "auditor"), ("bob", "operator")):
        operator_keygen(folder, name)
        operator.run("operator", "add", name, "--role", role, "--jwks", folder / f"{name}.json")
    found.client = operator.client("sync")
    operator.serve()

    def token(key: Path, scope: str, **changes: str):
        signer = keys.load(Secret(key.read_bytes()))
        jti, now = secrets.token_hex(16), system_clock()
        assertion = sign_assertion(f"op_{signer.kid}", signer, audience=operator.issuer, now=now, jti=jti)
        form = {"grant_type": "client_credentials", "scope": scope, "resource": f"{operator.issuer}/admin"} | changes
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form | client_authentication.write_assertion(assertion)).encode()
        return operator.request("POST", "/oauth2/token", body, headers)

    line = operator.connect()

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """On one connection for all, as long as the server keeps it open."""
        try:
            line.request(method, path, body=body, headers=headers)
            response = line.getresponse()
        except (http.client.HTTPException, OSError):
            line.close()
            line.request(method, path, body=body, headers=headers)
            response = line.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())

    def ask(operation, bearer: str | None, *, key: str | None = None, body: object = None):
        path = operation.path
        for name in operation.names:
            path = path.replace(f"{{{name}}}", SAMPLE[name])
        headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
        headers |= {} if key is None else {"idempotency-key": key}
        if operation.acts and body is not None:
            return send(operation.method, path, json.dumps(body).encode(), headers | {"content-type": JSON})
        return send(operation.method, path, b"", headers)

    def far(*arguments: object, key: Path = found.first, status: int = 0):
        ca = operator.home / "tls" / "ca.pem"
        where = ("--server", operator.issuer, "--operator-key", key, "--ca", ca, "--json")
        done = inside.run(cli, "keyfob-server", *arguments, *where)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    found.token, found.ask, found.far = token, ask, far
    found.tokens = {
        (name, scope): token(key, scope).document["access_token"]
        for name, key, role in (("first", found.first, Role.OPERATOR), ("ada", folder / "ada.pem", Role.AUDITOR))
        for scope in SCOPES_OF[role]
    }
    return found


def operator_keygen(folder: Path, name: str) -> None:
    made = ("operator", "keygen", "--out", folder / f"{name}.pem", "--public", folder / f"{name}.json")
    subprocess.run([sys.executable, "-c", ENTRY, *map(str, made)], check=True, capture_output=True, timeout=60)


IDS = [one.name for one in OPERATIONS]


@pytest.mark.parametrize("operation", OPERATIONS, ids=IDS)
def test_each_operation_is_refused_without_its_scope_and_without_any_token(site, operation):
    """RFC 6750 §3.1."""
    nobody = site.ask(operation, None)
    assert (nobody.status, nobody.headers["cache-control"]) == (401, "no-store")
    assert nobody.headers["www-authenticate"].startswith("Bearer ")
    assert set(nobody.document) == {"error", "message", "hint", "error_id"}
    for scope in SCOPES_OF[Role.OPERATOR] - {operation.scope}:
        refused = site.ask(operation, site.tokens["first", scope])
        assert (refused.status, refused.document["error"]) == (403, "insufficient_scope")
        assert f'scope="{operation.scope}"' in refused.headers["www-authenticate"]
    admitted = site.ask(operation, site.tokens["first", operation.scope], body={"unknown": 1})
    assert admitted.status not in (401, 403)


@pytest.mark.parametrize("operation", OPERATIONS, ids=IDS)
def test_a_token_for_another_audience_opens_nothing(site, operation):
    """RFC 9068 §4, RFC 8725 §3.9."""
    other = site.operator.token(site.client, scope="studies:read").document["access_token"]
    assert site.ask(operation, other).status == 401
    assert site.ask(operation, "a.b.c").status == 401


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.acts], ids=lambda one: one.name)
def test_an_auditor_gets_no_token_for_an_act(site, operation):
    """RFC 6750 §3.1."""
    refused = site.token(site.folder / "ada.pem", operation.scope)
    assert (refused.status, refused.document["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if not one.acts], ids=lambda one: one.name)
def test_an_auditor_reads(site, operation):
    assert site.ask(operation, site.tokens["ada", operation.scope]).status in (200, 404, 410)


def test_the_admin_scopes_are_no_partners_client_s(site):
    refused = site.operator.token(site.client, scope="admin:read", resource=f"{site.operator.issuer}/admin")
    assert refused.document["error"] == "invalid_target"
    arguments = (
        "--partner",
        "Acme",
        "--name",
        "x",
        "--scope",
        "admin:read",
        "--resource",
        f"{site.operator.issuer}/admin",
    )
    assert site.operator.run("client", "create", *arguments, status=2)["error"] == "unknown-resource"


def test_an_operator_gets_no_token_for_a_partners_api(site):
    assert site.token(site.first, "studies:read", resource="https://api.example").document["error"] == "invalid_target"


def test_a_suspended_operator_is_refused_from_the_next_request_on(site):
    key = site.folder / "bob.pem"
    old = site.token(key, "admin:read").document["access_token"]
    listing = next(one for one in OPERATIONS if one.name == "client.list")
    assert site.ask(listing, old).status == 200
    site.far("operator", "suspend", "bob", "--reason", "left the team")
    assert site.ask(listing, old).status == 401
    assert site.token(key, "admin:read").status == 401
    listed = {one["name"]: one["state"] for one in site.operator.run("operator", "list")["operators"]}
    assert listed["bob"] == "suspended"
    record = next(one for one in site.operator.audit()[::-1] if one["kind"] == "operator_suspended")
    assert (record["reason"], record["operator_address"]) == ("left the team", "127.0.0.1")
    site.far("operator", "resume", "bob")
    assert site.token(key, "admin:read").status == 200


def test_a_revoked_token_of_an_operator_is_refused(site):
    key = site.folder / "bob.pem"
    given = site.token(key, "admin:read").document["access_token"]
    signer = keys.load(Secret(key.read_bytes()))
    assertion = sign_assertion(
        f"op_{signer.kid}", signer, audience=site.operator.issuer, now=system_clock(), jti=secrets.token_hex(16)
    )
    form = {"token": given} | client_authentication.write_assertion(assertion)
    assert site.operator.form("/oauth2/revoke", form).status == 200
    listing = next(one for one in OPERATIONS if one.name == "client.list")
    assert site.ask(listing, given).status == 401
    assert site.operator.feed()["revocations"] == [] or given not in json.dumps(site.operator.feed())


@pytest.mark.parametrize(
    "arguments",
    [
        ("client", "list"),
        ("client", "show", "{client}"),
        ("client", "show", "cl_wrong"),
        ("partner", "list"),
        ("partner", "show", "Acme"),
        ("partner", "show", "Acne"),
        ("resource", "list"),
        ("key", "list"),
        ("operator", "list"),
        ("proposals",),
        ("explain", "0" * 32),
        ("client", "allow", "{client}", "--network", "192.0.2.0/24"),
        ("client", "allow", "{client}", "--anywhere"),
        ("client", "resume", "{client}"),
        ("operator", "suspend", "nobody"),
    ],
    ids=" ".join,
)
def test_a_command_says_the_same_near_and_far(site, arguments):
    asked = [one.format(client=site.client.client_id) for one in arguments]
    statuses = {"cl_wrong": 2, "Acne": 2, "nobody": 2, "0" * 32: 1, "resume": 1}
    status = next((statuses[one] for one in asked if one in statuses), 0)
    assert site.operator.run(*asked, status=status) == site.far(*asked, status=status)


def test_the_trail_is_the_same_near_and_far_but_for_the_token_that_asks(site):
    near = site.operator.run("audit", "tail", "--count", "5")["records"]
    *before, newest = site.far("audit", "tail", "--count", "6")["records"]
    assert (before, newest["kind"]) == (near, "token_issued")


def test_a_client_is_suspended_from_afar_and_resumed_at_home(site):
    client = site.operator.client("second")
    assert site.far("client", "suspend", client.client_id)["state"] == "suspended"
    assert site.operator.token(client, scope="studies:read").status == 401
    assert site.operator.run("client", "resume", client.client_id)["state"] == "active"
    assert site.operator.token(client, scope="studies:read").status == 200


def test_the_same_request_under_one_key_is_done_once(site):
    """RFC 9110 §15.5.21: what is in its form and cannot be done is no malformed request."""
    rotate = next(one for one in OPERATIONS if one.name == "operator.add")
    bearer, key, body = site.tokens["first", "admin:operators"], secrets.token_hex(8), {"name": "carol"}
    first = site.ask(rotate, bearer, key=key, body=body)
    assert first.status == 200, first
    assert site.ask(rotate, bearer, key=key, body=body).document == first.document
    assert site.ask(rotate, bearer, key=key, body={"name": "dave"}).status == 422
    assert site.ask(rotate, bearer, key=secrets.token_hex(8), body=body).status == 422
    assert [one["name"] for one in site.operator.run("operator", "list")["operators"]].count("carol") == 1


def test_a_change_of_what_was_changed_meanwhile_is_refused(site):
    bearer = {"authorization": f"Bearer {site.tokens['first', 'admin:read']}"}
    path = f"/admin/v1/clients/{site.client.client_id}"
    tag = site.operator.request("GET", path, b"", bearer).headers["etag"]
    acting = {"authorization": f"Bearer {site.tokens['first', 'admin:clients']}", "content-type": "application/json"}
    body = json.dumps({"networks": ["127.0.0.0/8"]}).encode()
    assert site.operator.request("PUT", f"{path}/networks", body, acting | {"if-match": tag}).status == 200
    assert site.operator.request("PUT", f"{path}/networks", body, acting | {"if-match": tag}).status == 412
    site.operator.run("client", "allow", site.client.client_id, "--anywhere")


def test_lists_come_in_pages(site):
    bearer = {"authorization": f"Bearer {site.tokens['first', 'admin:audit']}"}
    found, cursor = [], ""
    whole = site.operator.audit()[::-1]
    for _ in range(3):
        answer = site.operator.request("GET", f"/admin/v1/audit?limit=2{cursor}", b"", bearer).document
        found += answer["records"]
        cursor = f"&cursor={answer['next']}"
    assert [one["sequence"] for one in found[:2]] == [one["sequence"] for one in whole[:2]]
    numbers = [(one["writer"], one["sequence"]) for one in found]
    assert len(set(numbers)) == 6
    assert site.operator.request("GET", "/admin/v1/audit?cursor=x", b"", bearer).status == 422
    assert site.operator.request("GET", "/admin/v1/audit?cursor=%2B", b"", bearer).status == 400


def test_openapi_describes_every_operation(site):
    document = site.operator.request("GET", "/admin/v1/openapi.json").document
    assert document["openapi"] == "3.1.0"
    served = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert served == set(IDS)


def test_another_server_certificate_is_not_believed(site, tls_files):
    where = ("--server", site.operator.issuer, "--operator-key", site.first, "--ca", tls_files.ca, "--json")
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "client", "list", *map(str, where)], capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout)["error"] == "certificate-not-trusted"


def test_what_needs_a_second_operator_waits_for_one(new_operator):
    operator = new_operator()
    folder = operator.home.parent
    operator_keygen(folder, "eve")
    operator.run("operator", "add", "eve", "--jwks", folder / "eve.json")
    settings = operator.home / "keyfob.toml"
    settings.write_text(settings.read_text() + '\n[operators]\nsecond_for = "rights"\n')
    waits = operator.run("operator", "add", "mallory", "--reason", "she asked nicely")
    assert (waits["state"], waits["asked"]) == ("waiting", {"name": "mallory"})
    assert operator.run("approve", waits["proposal_id"], status=1)["error"] == "same-operator"
    assert "mallory" not in json.dumps(operator.run("operator", "list"))
    second = ("--operator-key", folder / "eve.pem")
    assert operator.run("approve", waits["proposal_id"], *second)["result"]["name"] == "mallory"
    assert operator.run("approve", waits["proposal_id"], *second, status=1)["error"] == "proposal-decided"
    approved = next(one for one in operator.audit() if one["kind"] == "act_approved")
    assert approved["actor"] == "operator:eve"
    assert approved["proposed_by"].startswith("operator:")
    assert approved["proposed_by"] != approved["actor"]

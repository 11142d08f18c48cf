"""`import`: clients of another server become a file for `apply`; what stays behind is named, no secret comes along."""

import json

import pytest

API = "https://api.example"
SECRET = "hunter2-of-the-old-server"
PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
PRIVATE = PUBLIC | {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}

HYDRA = {
    "items": [
        {
            "client_id": "8f3a",
            "client_name": "edc-sync",
            "client_secret": SECRET,
            "client_secret_expires_at": 0,
            "grant_types": ["client_credentials", "refresh_token"],
            "redirect_uris": ["https://acme.example/back"],
            "scope": "a:read b:read offline",
            "token_endpoint_auth_method": "client_secret_basic",
            "created_at": "2025-01-01T00:00:00Z",
            "metadata": {},
        },
        {
            "client_id": "signs",
            "client_name": "",
            "grant_types": ["client_credentials"],
            "scope": "a:read",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [PUBLIC]},
        },
        {"client_id": "web", "grant_types": ["authorization_code"], "scope": "a:read"},
        {
            "client_id": "careless",
            "grant_types": ["client_credentials"],
            "scope": "a:read",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [PRIVATE]},
        },
    ]
}

KEYCLOAK = {
    "realm": "partners",
    "clients": [
        {
            "clientId": "edc-sync",
            "enabled": False,
            "clientAuthenticatorType": "client-secret",
            "secret": SECRET,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": True,
            "redirectUris": ["https://acme.example/*"],
            "protocolMappers": [{"name": "study"}],
            "defaultClientScopes": ["a:read", "profile"],
            "optionalClientScopes": ["b:read"],
            "attributes": {"access.token.lifespan": "120", "client.secret.creation.time": "1700000000"},
        },
        {
            "clientId": "masked",
            "clientAuthenticatorType": "client-secret",
            "secret": "**********",
            "serviceAccountsEnabled": True,
            "defaultClientScopes": ["a:read"],
        },
        {
            "clientId": "signs",
            "clientAuthenticatorType": "client-jwt",
            "serviceAccountsEnabled": True,
            "defaultClientScopes": ["a:read"],
            "attributes": {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": [PUBLIC]})},
        },
        {
            "clientId": "careless",
            "clientAuthenticatorType": "client-jwt",
            "serviceAccountsEnabled": True,
            "defaultClientScopes": ["a:read"],
            "attributes": {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": [PRIVATE]})},
        },
        {"clientId": "account", "publicClient": True, "standardFlowEnabled": True},
    ],
}


@pytest.fixture
def imported(program, acme, tmp_path):
    def run(server, export, *more, code=0):
        file = tmp_path / "export.json"
        file.write_bytes(export if isinstance(export, bytes) else json.dumps(export).encode())
        out = tmp_path / "imported"
        options = ("--home", acme.home, "--partner", "Acme", "--resource", API, "--out", out, *more)
        shown = program.run("import", server, file, *options, "--json", code=code)
        written = "".join(one.read_text() for one in out.rglob("*") if one.is_file()) if out.exists() else ""
        for secret in (SECRET, PRIVATE["d"]):
            assert secret not in shown.out + shown.err + written
        return shown.json

    return run


def what(document, client):
    return [one["what"] for one in document["not_taken_over"] if one["client"] == client]


def test_clients_of_hydra_are_taken_over_and_all_else_is_named(imported):
    document = imported("hydra", HYDRA)
    assert document["clients"] == ["edc-sync", "signs"]
    assert what(document, "edc-sync") == [
        "grant type refresh_token",
        "redirect_uris",
        "scopes that no resource given has: offline",
    ]
    assert what(document, "web") == ["not taken over: it has not the grant type client_credentials"]
    assert what(document, "careless") == ["not taken over: its JWK set holds private keys: it must make new ones"]
    assert document["leaked"] == [
        {"client": "edc-sync", "where": "client_secret"},
        {"client": "careless", "where": "jwks.keys[0].d"},
    ]


def test_clients_of_keycloak_are_taken_over_and_all_else_is_named(imported):
    document = imported("keycloak", KEYCLOAK)
    assert document["clients"] == ["edc-sync", "masked", "signs"]
    assert what(document, "edc-sync") == [
        "grant type authorization_code",
        "redirect URIs",
        "protocol mappers",
        "scopes that no resource given has: profile",
    ]
    assert [one["client"] for one in document["leaked"]] == ["edc-sync", "careless"]
    assert what(document, "account")[0].startswith("not taken over: its service account is off")


def test_a_dry_run_shows_the_same_and_writes_nothing(imported, tmp_path):
    shown = imported("hydra", HYDRA, "--dry-run")
    assert not (tmp_path / "imported").exists()
    assert shown == {"dry_run": True} | imported("hydra", HYDRA)


def test_what_was_imported_is_applied_after_the_review(imported, program, acme, tmp_path):
    file = imported("keycloak", KEYCLOAK)["file"]
    out = tmp_path / "sealed"
    out.mkdir()
    done = program.run("apply", file, "--home", acme.home, "--out", out, "--yes", "--json").json
    assert [one["act"] for one in done["steps"]] == [
        "create client",
        "suspend client",
        "create client",
        "create client",
    ]
    assert len(list(out.iterdir())) == 2
    shown = program.run("client", "show", done["steps"][0]["client_id"], "--home", acme.home, "--json").json
    assert shown["state"] == "suspended"
    assert shown["grants"] == [{"resource": API, "scope": "a:read b:read", "default_scope": "a:read"}]
    assert shown["token_lifetime"] == 120
    assert program.run("apply", file, "--home", acme.home, "--json").json["outcome"] == "nothing"


def test_one_client_is_chosen_and_nothing_is_written_over(imported):
    assert imported("hydra", HYDRA, "--client", "signs")["clients"] == ["signs"]
    assert imported("hydra", HYDRA, code=2)["error"] == "file-exists"


@pytest.mark.parametrize(
    "export",
    [
        b"[",
        b"\xff\xfe[\x00]\x00",
        b'{"items": 7}',
        b'[{"client_id": "a", "client_id": "b"}]',
        b"[" * 100_000,
        b'["text"]',
        b"{}",
        (f'[{{"client_secret": "{SECRET}"').encode(),
    ],
    ids=["cut", "utf16", "number", "twice", "deep", "texts", "empty", "half"],
)
@pytest.mark.parametrize("server", ["hydra", "keycloak"])
def test_what_is_no_export_is_refused_and_not_repeated(imported, server, export):
    if server == "keycloak":
        export = export.replace(b"client_id", b"clientId").replace(b"items", b"clients")
    assert imported(server, export, code=2)["error"] == "bad-export"


def test_two_clients_of_one_name_are_not_confused(imported):
    one = {"client_name": "same", "grant_types": ["client_credentials"], "scope": "a:read"}
    document = imported("hydra", [one | {"client_id": "a"}, one | {"client_id": "b"}])
    assert document["clients"] == ["same"]
    assert len(what(document, "same")) == 1


def test_a_name_in_an_export_cannot_steer_the_terminal(imported, program, acme, tmp_path):
    hostile = {"client_id": "a", "client_name": "x\u001b[2J", "grant_types": ["client_credentials"], "scope": "a b"}
    imported("hydra", [hostile])
    options = ("--home", acme.home, "--partner", "Acme", "--resource", API, "--out", tmp_path / "other")
    shown = program.run("import", "hydra", tmp_path / "export.json", *options).out
    assert "x?[2J: not taken over" in shown
    assert "\u001b" not in shown

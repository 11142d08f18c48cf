"""A real database with one partner, one API and one client: what the storage tests begin with."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from databases import open_database
from keyfob import database
from keyfob.ambient import system_entropy
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.client_authentication import Method
from keyfob.secret import Secret
from keyfob.server.audit.events import Kind
from keyfob.server.storage.records import (
    Client,
    Confirmation,
    Credential,
    Partner,
    Profile,
    Resource,
    ResourceGrant,
    SealedMessage,
    State,
    TokenIssued,
)
from keyfob.server.storage.schema import TABLES
from keyfob.server.storage.store import Store

NOW = 1_800_000_000
CHAIN_KEY = Secret(b"c" * 32)
API = "https://api.example"

PARTNER = Partner("ptr_1", "Acme", "a@acme.example", State.ACTIVE, b"armor", "A" * 40, NOW, Confirmation.FLAG, NOW)
RESOURCE = Resource(API, (("a:read", "Read a"), ("b:read", "")), ("cdms_study",), '{"keys": []}', NOW)
CLIENT = Client(
    id="cl_1",
    partner_id="ptr_1",
    name="sync",
    state=State.ACTIVE,
    auth_method=Method.CLIENT_SECRET_BASIC,
    token_lifetime=300,
    profile=Profile.DEFAULT,
    grants=(ResourceGrant(API, frozenset({"a:read", "b:read"}), frozenset({"a:read"})),),
    authorization_details=(CdmsStudy("S.1", frozenset({"001", "002"}), None, None),),
    created_at=NOW,
)
CREDENTIAL = Credential(
    id="credential1",
    client_id="cl_1",
    state=State.ACTIVE,
    secret_hash="hmac-sha256$1$00",
    not_before=NOW,
    expires_at=NOW + 10_000_000,
    created_at=NOW,
    replaces=None,
    overlap=700,
    first_use_by=None,
    overlap_ends_at=None,
    sealed_at=NOW,
    delivered_at=None,
    acknowledged_at=None,
    first_used_at=None,
    first_used_from=None,
    last_used_at=None,
    last_used_from=None,
)


def open_store(where: Path | str) -> Store:
    opened = open_database(where)
    database.upgrade(opened, TABLES.migrations)
    return Store(opened, chain_key=CHAIN_KEY, entropy=system_entropy)


def message_for(credential: Credential) -> SealedMessage:
    return SealedMessage(f"msg_{credential.id}", credential.id, "A" * 40, "B" * 40, NOW, "0" * 64)


def grant(number: int = 1, **changed: object) -> TokenIssued:
    issued = TokenIssued(
        jti=f"jti{number}",
        client_id="cl_1",
        credential_id="credential1",
        resource=API,
        scope=frozenset({"a:read"}),
        authorization_details=CLIENT.authorization_details,
        kid="kid1",
        expires_at=NOW + 300,
        address="192.0.2.7",
        request_id=f"request{number}",
    )
    return replace(issued, **changed)


def fill(store: Store) -> None:
    with store.change(now=NOW, actor="operator:test") as change:
        change.add_installation("installation1")
        change.record(Kind.INSTALLATION_CREATED, installation_id="installation1")
        change.put_resource(RESOURCE)
        change.record(Kind.RESOURCE_ADDED, resource=API)
        change.add_partner(PARTNER)
        change.record(Kind.PARTNER_ADDED, partner_id="ptr_1")
        change.add_client(CLIENT)
        change.record(Kind.CLIENT_CREATED, client_id="cl_1")
        change.add_credential(CREDENTIAL, message_for(CREDENTIAL))
        change.record(Kind.CREDENTIAL_SEALED, credential_id="credential1")


@pytest.fixture(scope="session")
def template(postgresql) -> str:
    """A PostgreSQL database that has the schema and nothing else, to be copied."""
    postgresql.sql("CREATE DATABASE migrated OWNER keyfob TEMPLATE template0")
    open_store(postgresql.url("migrated")).close()
    return "migrated"


@pytest.fixture
def new_migrated(database_kind, request, new_place):
    """As new_place; on PostgreSQL with the tables."""
    return lambda: new_place(*([request.getfixturevalue("template")] if database_kind == "postgresql" else []))


@pytest.fixture(name="open_database")
def open_database_fixture():
    return open_database


@pytest.fixture
def made(new_migrated):
    """`store` and its `path`, and the values that are in it."""
    path = new_migrated()
    store = open_store(path)
    fill(store)
    yield SimpleNamespace(
        store=store,
        path=path,
        now=NOW,
        api=API,
        chain_key=CHAIN_KEY,
        partner=PARTNER,
        resource=RESOURCE,
        client=CLIENT,
        credential=CREDENTIAL,
        open=open_store,
        open_database=open_database,
        message_for=message_for,
        grant=grant,
    )
    store.close()


WORKER = """
import sys
sys.path[:0] = [{folder!r}, {tests!r}]
from pathlib import Path
import conftest as given
store = given.open_store(sys.argv[1])
"""


@pytest.fixture
def worker():
    """The beginning of a script for another process: `store` on the path in argv[1], `given` is this module."""
    return WORKER.format(folder=str(Path(__file__).parent), tests=str(Path(__file__).parents[2]))

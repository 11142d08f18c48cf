"""An API's home: how it is made, and how it is opened for the commands and the server to stand on.

keyfob.toml  keyfob-home.json   settings; whose folder this is
cdms.db                         the clinical database (and its -wal, -shm, .lock and .running)
resource.json                   what the operator of the authorization server registers (RFC 9728)
ca.pem                          the authority that signed the issuer's TLS certificate, where one was named
keys/kek                        the key-encryption key: the envelopes here open with it
keys/*.envelope                 the audit's chain key, and the API's own private key
tls/                            on loopback only: the API's certificate
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyfob import database, database_url, databases, home, tls
from keyfob import settings as homes
from keyfob.ambient import Entropy
from keyfob.cdms import settings as setting_files
from keyfob.cdms.routes import SCOPES
from keyfob.cdms.settings import SETTINGS, Settings
from keyfob.cdms.storage.records import Actor
from keyfob.cdms.storage.schema import TABLES
from keyfob.cdms.storage.store import Store
from keyfob.envelope import format as envelope
from keyfob.envelope.format import Context
from keyfob.envelope.wrappers import KeyFileWrapper, Wrapper
from keyfob.home import Home, HomeKind
from keyfob.jose import keys
from keyfob.jose.keys import SigningKey
from keyfob.oauth import resource_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

DETAILS_TYPES = ("cdms_study",)
DATABASE = "cdms.db"
KEK = Path("keys", "kek")
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """What `create` is to make. `ca_file` is the authority of the issuer's TLS certificate."""

    issuer: str
    resource: str
    ca_file: Path | None = None
    tls_certificate: Path | None = None
    tls_private_key: Path | None = None
    database: Path | Place | None = None  # None: in the home


@dataclass(frozen=True, slots=True)
class Installation:
    """`close()` when done."""

    home: Home
    settings: Settings
    store: Store
    resource_document: bytes
    resource_key: SigningKey = field(repr=False)

    def close(self) -> None:
        self.store.close()


def check_plan(plan: Plan) -> Plan:
    """Raises Misuse that names what is missing or malformed, before anything is made."""
    for name, url in (("--issuer", plan.issuer), ("--resource", plan.resource)):
        try:
            homes.https_url(url)
        except ValueError as wrong:
            raise Misuse("bad-url", f"{name} {wrong}", hint=f"for example {name} https://localhost:9443") from None
    if (plan.tls_certificate is None) != (plan.tls_private_key is None):
        raise Misuse("tls-files", "a TLS certificate and its key come together", hint="give --tls-cert and --tls-key")
    if plan.ca_file is not None:
        tls.client_context(plan.ca_file, environ={})  # loaded once, so that a wrong file shows now
    if plan.tls_certificate is not None and plan.tls_private_key is not None:
        tls.server_context(plan.tls_certificate, plan.tls_private_key)
    elif _authority(plan) is None:
        raise Misuse(
            "tls-missing",
            "the API needs a TLS certificate",
            hint="add --tls-cert FILE --tls-key FILE; on loopback, --ca naming the ca.pem that keyfob-server init made",
        )
    return plan


def create(path: Path, plan: Plan, *, now: int, entropy: Entropy, environ: Mapping[str, str] | None = None) -> None:
    """A whole installation at `path`, or nothing. Raises Misuse when `path` or the database holds anything."""
    check_plan(plan)
    tls.check_believable(plan.tls_certificate, url=plan.resource, now=now)
    installation_id = entropy(16).hex()
    with contextlib.ExitStack() as undo, home.building(path, HomeKind.CDMS, installation_id=installation_id) as draft:
        (draft / "keys").mkdir(mode=0o700)
        home.write_file(draft / homes.FILE, setting_files.write(_settings(plan)))
        if plan.ca_file is not None:
            home.write_file(draft / "ca.pem", plan.ca_file.read_bytes(), mode=0o644)
        _create_tls(draft, plan, now=now)
        wrapper = KeyFileWrapper.create(draft / KEK)
        chain_key = Secret(entropy(_KEY_BYTES))
        signing_key = keys.generate()
        for name, secret in (("audit-chain", chain_key), ("resource-key", signing_key.to_secret())):
            sealed = envelope.seal(secret, wrapper=wrapper, context=_context(installation_id, name), entropy=entropy)
            home.write_file(_envelope_path(draft, name), sealed)
        described = ResourceMetadata(
            resource=plan.resource,
            authorization_servers=(plan.issuer,),
            scopes=SCOPES,
            authorization_details_types=DETAILS_TYPES,
            jwks={"keys": [signing_key.public_jwk()]},
        )
        home.write_file(draft / "resource.json", resource_metadata.write(described), mode=0o644)
        where = plan.database if isinstance(plan.database, Place) else draft / DATABASE
        made = undo.enter_context(databases.new(where, TABLES, installation_id=installation_id, environ=environ or {}))
        store = Store(made, chain_key=chain_key, entropy=entropy)
        with store.writing(actor=Actor(None, None, "init"), now=now) as writing:
            writing.add_installation(installation_id, entropy(8).hex())
        made.close()  # the last connection to a file folds the write-ahead log into it
        if isinstance(plan.database, Path):
            undo.enter_context(database.placed(draft / DATABASE, plan.database))


def open(path: Path, *, environ: Mapping[str, str], entropy: Entropy) -> Installation:  # noqa: A001  # installation.open
    """The installation at `path`, its schema brought up to date. Raises Misuse or Problem that says what to do."""
    checked = home.check(path, HomeKind.CDMS)
    settings = setting_files.load(path, environ)
    wrapper = KeyFileWrapper.load(path / KEK)
    chain_key = _open_key(checked, "audit-chain", wrapper)
    document = _read(path / "resource.json")
    resource_key = keys.load(_open_key(checked, "resource-key", wrapper))
    opened = databases.open_own(checked, settings.database, TABLES, environ=environ)
    store = Store(opened, chain_key=chain_key, entropy=entropy)
    return Installation(checked, settings, store, document, resource_key)


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """See keyfob.settings."""
    return homes.unknown_variables(SETTINGS, environ)


def _settings(plan: Plan) -> dict[str, homes.Value]:
    values: dict[str, homes.Value] = {"server.issuer": plan.issuer, "server.resource": plan.resource}
    if plan.ca_file is not None:
        values["server.ca_file"] = "ca.pem"
    if plan.database is not None:
        values[database_url.NAME] = database_url.write(plan.database)
    if plan.tls_certificate is not None and plan.tls_private_key is not None:
        values["tls.certificate"] = str(plan.tls_certificate.absolute())
        values["tls.private_key"] = str(plan.tls_private_key.absolute())
    return values


def _authority(plan: Plan) -> Path | None:
    """The folder of the throw-away authority that gives a loopback API its certificate."""
    if plan.ca_file is None or not homes.is_loopback(plan.resource):
        return None
    return tls.authority_beside(plan.ca_file)


def _create_tls(draft: Path, plan: Plan, *, now: int) -> None:
    authority = _authority(plan)
    if plan.tls_certificate is not None or authority is None:
        return
    (draft / "tls").mkdir(mode=0o700)
    certificate, private_key = tls.issue_certificate(authority, names=homes.LOOPBACK_NAMES, now=now)
    home.write_file(draft / "tls" / "server.pem", certificate, mode=0o644)
    home.write_file(draft / "tls" / "server.key", private_key.reveal_bytes())


def _open_key(checked: Home, name: str, wrapper: Wrapper) -> Secret:
    sealed = _read(_envelope_path(checked.path, name))
    return envelope.open(sealed, wrapper=wrapper, context=_context(checked.installation_id, name))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failed:
        raise Problem(
            "file-missing", f"{path} cannot be read: {failed.strerror}", hint="restore it from a backup"
        ) from failed


def _envelope_path(folder: Path, name: str) -> Path:
    return folder / "keys" / f"{name}.envelope"


def _context(installation_id: str, name: str) -> Context:
    return Context(installation_id=installation_id, purpose=name, record_id=name, key_version=1)

"""An operator's home: how it is made, and how it is opened for the commands and the server to stand on.

keyfob.toml  keyfob-home.json   settings; whose folder this is
keyfob.db                       the database (and its -wal, -shm, .lock and .leader), unless it is elsewhere
operator.asc                    the operator's OpenPGP certificate
operator-key.pem                the first operator's own private key, for the admin API: hers to take away
recovery.asc                    the key-encryption key, sealed to the recovery certificate
keys/kek                        the key-encryption key: all envelopes here and in the database open with it
keys/*.envelope                 the operator's OpenPGP key, the audit's chain key, the peppers, the webhook's secret
tls/                            on loopback only: a throw-away CA and the server's certificate
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from keyfob import database, database_url, databases, home, tls
from keyfob.ambient import Entropy
from keyfob.aws_kms import KeyArn
from keyfob.envelope import format as envelope
from keyfob.envelope.wrappers import Wrapper
from keyfob.home import Home, HomeKind
from keyfob.jose import keys
from keyfob.jose.keys import SigningKey
from keyfob.jose.remote_keys import RemoteKey
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.certificate import Certificate
from keyfob.postgresql import Place
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server import key_encryption, keys_at_rest, kms_keys
from keyfob.server import settings as setting_files
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.key_encryption import Kept
from keyfob.server.keys_at_rest import WEBHOOK
from keyfob.server.lifecycle import operators, signing_keys
from keyfob.server.secret_hash import Pepper
from keyfob.server.settings import Settings
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Operator, Purpose, Role, SigningKeyRecord
from keyfob.server.storage.schema import TABLES
from keyfob.server.storage.store import Store

_DATABASE = "keyfob.db"
OPERATOR_KEY = "operator-key.pem"
_OPERATOR_CERTIFICATE = "operator.asc"
_KEY_BYTES = 32
_FEED_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class Installation:
    """Whoever holds this holds the operator's keys. `close()` when done."""

    home: Home
    settings: Settings
    store: Store
    peppers: tuple[Pepper, ...] = field(repr=False)  # the first hashes new secrets, all verify
    operator_certificate: Certificate
    kek: Kept

    def rehearsing(self) -> "Installation":
        """The same, but no change of its database becomes true: see Store."""
        return replace(self, store=self.store.rehearsing())

    def operator_key(self) -> Secret:
        """The operator's OpenPGP private key, armored, out of its envelope. Only for sealing, and not kept."""
        return keys_at_rest.open_file(self.home, "operator", wrapper=self.kek.wrapper)

    def signing_key(self, record: SigningKeyRecord) -> SigningKey | RemoteKey:
        """One of `store.signing_keys(...)`."""
        return keys_at_rest.open_key(self.home, record, wrapper=self.kek.wrapper)

    def where_lies(self, record: SigningKeyRecord) -> KeyArn | None:
        """The key in KMS that signs; None for one that is here."""
        return keys_at_rest.where_lies(self.home, record, wrapper=self.kek.wrapper)

    def webhook_secret(self) -> Secret | None:
        """What signs alarms to the webhook, out of its envelope; None when none was made."""
        if not keys_at_rest.file_of(self.home, WEBHOOK).exists():
            return None
        return keys_at_rest.open_file(self.home, WEBHOOK, wrapper=self.kek.wrapper)

    def keep_webhook_secret(self, secret: Secret, *, entropy: Entropy) -> None:
        """In its envelope, in place of an earlier one."""
        _write_envelope(self.home, WEBHOOK, secret, wrapper=self.kek.wrapper, entropy=entropy)

    def new_signing_key(
        self, purpose: Purpose, *, place: KeyArn | None = None, not_before: int, now: int, entropy: Entropy
    ) -> SigningKeyRecord:
        """A key of the algorithm that the settings choose, to be added by a change; or the one that is at `place`."""
        chosen = self.settings.signing_algorithm if purpose is Purpose.ACCESS_TOKENS else _FEED_ALGORITHM
        made: SigningKey | RemoteKey
        if place is None:
            made = keys.generate(chosen)
            content = made.to_secret()
        else:
            made, pinned = kms_keys.take_up(place, chosen)
            content = Secret(str(pinned))
        return keys_at_rest.new_record(
            self.home,
            purpose,
            made,
            content,
            wrapper=self.kek.wrapper,
            not_before=not_before,
            now=now,
            entropy=entropy,
        )

    def close(self) -> None:
        self.store.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """What `create` is to make, all of it checked. On a loopback issuer the optional parts may be None."""

    issuer: str
    database: Path | Place | None = None  # None: in the home
    recovery: Certificate | None = None
    tls_certificate: Path | None = None
    tls_private_key: Path | None = None
    operator: str | None = None  # the first one's name; None: none is made
    kek: KeyArn | None = None


def check_plan(plan: Plan) -> Plan:
    """Raises Misuse that names what is missing, before anything is made."""
    setting_files.check_issuer(plan.issuer)
    if (plan.tls_certificate is None) != (plan.tls_private_key is None):
        raise Misuse("tls-files", "a TLS certificate and its key come together", hint="give --tls-cert and --tls-key")
    if not setting_files.is_loopback(plan.issuer):
        if plan.recovery is None:
            raise Misuse(
                "recovery-missing",
                "a lost key-encryption key loses everything: this issuer needs a recovery certificate",
                hint="add --recovery-cert FILE.asc, an OpenPGP certificate whose private key lies in a safe",
            )
        if plan.tls_certificate is None:
            raise Misuse(
                "tls-missing",
                "only a loopback issuer gets a throw-away TLS certificate",
                hint="add --tls-cert FILE --tls-key FILE with the certificate of the issuer's host",
            )
    if plan.tls_certificate is not None and plan.tls_private_key is not None:
        tls.server_context(plan.tls_certificate, plan.tls_private_key)  # loaded once, so that a wrong file shows now
    return plan


def create(
    path: Path,
    plan: Plan,
    *,
    now: int,
    entropy: Entropy,
    actor: Acting,
    environ: Mapping[str, str] | None = None,
    rehearses: bool = False,
) -> None:
    """A whole installation at `path`, or nothing. Raises Misuse when `path` or the database holds anything.

    `rehearses`: nothing in the end, with Rehearsed.
    """
    check_plan(plan)
    tls.check_believable(plan.tls_certificate, url=plan.issuer, now=now)
    installation_id = entropy(16).hex()
    with contextlib.ExitStack() as undo, home.building(path, HomeKind.SERVER, installation_id=installation_id) as draft:
        draft_home = Home(draft, HomeKind.SERVER, installation_id)
        (draft / "keys").mkdir(mode=0o700)
        home.write_file(draft / setting_files.FILE, setting_files.write(_settings(plan)))
        wrapper = key_encryption.create(draft_home, plan.kek, entropy=entropy)
        chain_key, operator_key = _create_keys(draft_home, plan, wrapper, entropy=entropy)
        if plan.recovery is not None:
            key_encryption.keep_recovery_copy(draft_home, wrapper, plan.recovery, operator_key)
        _create_tls(draft, plan, now=now)
        person = None if plan.operator is None else _create_operator(draft, plan.operator, now=now, entropy=entropy)
        where = plan.database if isinstance(plan.database, Place) else draft / _DATABASE
        made = undo.enter_context(databases.new(where, TABLES, installation_id=installation_id, environ=environ or {}))
        store = Store(made, chain_key=chain_key, entropy=entropy, rehearses=rehearses)
        with store.change(now=now, actor=actor) as change:
            _create_records(change, draft_home, wrapper, now=now, entropy=entropy, issuer=plan.issuer)
            if person is not None:
                operators.add(change, person)
        made.close()  # the last connection to a file folds the write-ahead log into it
        if isinstance(plan.database, Path):
            undo.enter_context(database.placed(draft / _DATABASE, plan.database))


def open(  # noqa: A001  # as in installation.open(home)
    path: Path, *, environ: Mapping[str, str], entropy: Entropy, patience: float | None = None
) -> Installation:
    """The installation at `path`, its schema brought up to date. Raises Misuse or Problem that says what to do.

    `patience`: see Store.
    """
    checked = home.check(path, HomeKind.SERVER)
    settings = setting_files.load(path, environ)
    kek = key_encryption.load(checked)
    chain_key = keys_at_rest.open_file(checked, "audit-chain", wrapper=kek.wrapper)
    peppers = keys_at_rest.open_peppers(checked, kek.wrapper)
    certificate = certificates.read_signer(keys_at_rest.read(path / _OPERATOR_CERTIFICATE))
    opened = databases.open_own(checked, settings.database, TABLES, environ=environ, patience=patience)
    store = Store(opened, chain_key=chain_key, entropy=entropy, patience=patience)
    return Installation(checked, settings, store, peppers, certificate, kek)


def _settings(plan: Plan) -> dict[str, setting_files.Value]:
    values: dict[str, setting_files.Value] = {"server.issuer": plan.issuer}
    if plan.database is not None:
        values[database_url.NAME] = database_url.write(plan.database)
    # Named where they lie, not copied: their owner renews them there, and the server takes up what changed.
    if plan.tls_certificate is not None and plan.tls_private_key is not None:
        values["tls.certificate"] = str(plan.tls_certificate.absolute())
        values["tls.private_key"] = str(plan.tls_private_key.absolute())
    return values


def _create_keys(draft: Home, plan: Plan, wrapper: Wrapper, *, entropy: Entropy) -> tuple[Secret, Secret]:
    """The first pepper, the audit's chain key and the operator's key, each in its envelope; returns the last two."""
    operator_key, certificate = openpgp_keys.generate_operator_key(f"Keyfob operator of {plan.issuer}")
    home.write_file(draft.path / _OPERATOR_CERTIFICATE, certificate.armored, mode=0o644)
    chain_key = Secret(entropy(_KEY_BYTES))
    for name, secret in (
        ("operator", operator_key),
        ("audit-chain", chain_key),
        ("pepper-1", Secret(entropy(_KEY_BYTES))),
    ):
        _write_envelope(draft, name, secret, wrapper=wrapper, entropy=entropy)
    return chain_key, operator_key


def _write_envelope(where: Home, name: str, secret: Secret, *, wrapper: Wrapper, entropy: Entropy) -> None:
    context = keys_at_rest.context_of_file(where, name)
    sealed = envelope.seal(secret, wrapper=wrapper, context=context, entropy=entropy)
    home.write_file(keys_at_rest.file_of(where, name), sealed)


def _create_tls(draft: Path, plan: Plan, *, now: int) -> None:
    if plan.tls_certificate is not None:
        return
    folder = draft / "tls"
    folder.mkdir(mode=0o700, exist_ok=True)
    tls.create_authority(folder, now=now)
    certificate, private_key = tls.issue_certificate(folder, names=setting_files.LOOPBACK_NAMES, now=now)
    home.write_file(folder / "server.pem", certificate, mode=0o644)
    home.write_file(folder / "server.key", private_key.reveal_bytes())


def _create_operator(draft: Path, name: str, *, now: int, entropy: Entropy) -> Operator:
    """The first operator, with a key of its own beside the rest."""
    made = keys.generate()
    home.write_file(draft / OPERATOR_KEY, made.to_secret().reveal_bytes())
    jwks = keys.write_jwks([made.public_jwk()]).decode()
    return operators.new(name, Role.OPERATOR, jwks, now=now, entropy=entropy)


def _create_records(change: Change, draft: Home, wrapper: Wrapper, *, now: int, entropy: Entropy, issuer: str) -> None:
    change.add_installation(draft.installation_id)
    change.record(Kind.INSTALLATION_CREATED, installation_id=draft.installation_id, issuer=issuer)
    for purpose in Purpose:
        made = keys.generate("ES256")
        one = keys_at_rest.new_record(
            draft, purpose, made, made.to_secret(), wrapper=wrapper, not_before=now, now=now, entropy=entropy
        )
        signing_keys.add(change, one)

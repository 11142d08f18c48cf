"""A further node of an installation: what its home needs comes in one message, sealed to a key that the node made.

    on the new machine      request   a key pair beside the home-to-be: DIR.node.asc, and DIR.node-key.asc for `join`
    where a node is         invite    the files below, signed by the operator's key, encrypted to DIR.node.asc
    on the new machine      join      opened, checked against the database, and a home; DIR.node-key.asc is gone

Each side confirms the other's fingerprint, so that nobody between them can put in a certificate or a message of their
own. What was opened is believed only when it opens the keys in the database, too: then it is this installation's.
"""

import base64
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyfob import database_url, databases, home, tls
from keyfob.ambient import Entropy
from keyfob.home import Home, HomeKind
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp import seal
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from keyfob.server import key_encryption, keys_at_rest
from keyfob.server import settings as setting_files
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.settings import Settings
from keyfob.server.storage.schema import TABLES
from keyfob.server.storage.store import Store

_OPERATOR = "operator.asc"
_PATTERNS = (
    setting_files.FILE, _OPERATOR, "recovery.asc", "keys/kek", "keys/*.envelope",
    "tls/ca.pem", "tls/server.pem", "tls/server.key",
)  # fmt: skip
"""What a node has of the others. Not the key of the throw-away CA, and no operator's own key."""
_NAME = re.compile(
    r"keyfob\.toml|(operator|recovery)\.asc|keys/kek|keys/[a-z0-9-]+\.envelope|tls/(ca|server)\.(pem|key)"
)
_OPEN_TO_ALL = 0o644
_LIFETIME = 7 * 24 * 3600
"""Seconds in which a node that was requested can be invited."""

Confirm = Callable[[Certificate], None]
"""Raises Misuse unless a person says that this is the certificate."""


@dataclass(frozen=True, slots=True)
class Request:
    """A new node's key pair, beside its home-to-be: the certificate may be shown to anybody."""

    certificate: Path
    private_key: Path

    @classmethod
    def beside(cls, where: Path) -> "Request":
        place = where.absolute()
        return cls(place.with_name(f"{place.name}.node.asc"), place.with_name(f"{place.name}.node-key.asc"))


@dataclass(frozen=True, slots=True)
class Differing:
    """What is another on the new machine; None: as on the node that invites."""

    database: Path | Place | None = None
    tls_certificate: Path | None = None
    tls_private_key: Path | None = None


@dataclass(frozen=True, slots=True)
class _Invitation:
    recipient: str
    installation_id: str
    files: Mapping[str, bytes] = field(repr=False)


def request(where: Path) -> Certificate:
    """A new key pair for the node whose home will be `where`. Raises Misuse when there is one, or a home."""
    if where.exists():
        raise Misuse("home-exists", f"{where} already exists", hint="name a new folder")
    files = Request.beside(where)
    private_key, certificate = openpgp_keys.generate_node_key(f"Keyfob node {where.absolute().name}", _LIFETIME)
    files.private_key.parent.mkdir(parents=True, exist_ok=True)
    home.write_new_file(files.private_key, private_key.reveal_bytes())
    home.write_new_file(files.certificate, certificate.armored, mode=_OPEN_TO_ALL)
    return certificate


def invite(found: Installation, node: Certificate, *, now: int, actor: Acting) -> bytes:
    """The sealed message for the node with that certificate, as the audit now says. Raises Misuse, Problem."""
    if not isinstance(found.settings.database, Place):
        raise Misuse(
            "database-of-one-machine",
            "a file cannot be the database of two machines",
            hint="first keyfob-server move-store --to postgresql://USER@HOST/NAME",
        )
    if key_encryption.is_changing(found.home):
        raise Misuse("kek-changing", "another key-encryption key is being put in place", hint="end key rewrap first")
    files = {
        str(path.relative_to(found.home.path)): path.read_bytes()
        for pattern in _PATTERNS
        for path in sorted(found.home.path.glob(pattern))
    }
    plaintext = _write(_Invitation(node.fingerprint, found.home.installation_id, files))
    message = seal.seal(plaintext, recipient=node, operator_key=found.operator_key())
    with found.store.change(now=now, actor=actor) as change:
        change.record(Kind.NODE_INVITED, fingerprint=node.fingerprint)
    return message


def join(
    where: Path,
    message: bytes,
    differing: Differing,
    *,
    confirm: Confirm,
    now: int,
    entropy: Entropy,
    actor: Acting,
    environ: Mapping[str, str],
    rehearses: bool = False,
) -> Settings:
    """A home at `where` out of an invitation, recorded; or nothing. The node's private key is used up.

    `confirm` is asked for the operator's certificate. `rehearses`: nothing in the end, with Rehearsed. Raises Misuse,
    Problem.
    """
    files = Request.beside(where)
    private_key = _read_private_key(files.private_key, where)
    opener = PrivateKeyUnsealer(private_key)
    unverified = _read(opener.unseal_unverified(message))
    operator = certificates.read_signer(unverified.files[_OPERATOR])
    confirm(operator)
    invitation = _read(opener.unseal(message, signer=operator))
    node = openpgp_keys.certificate_of(private_key).fingerprint
    if invitation.recipient != node:
        raise Problem("not-for-us", "the invitation is for another node", hint="have this one invited")
    with home.building(where, HomeKind.SERVER, installation_id=invitation.installation_id) as draft:
        for name, content in _differing(invitation.files, differing).items():
            (draft / name).parent.mkdir(mode=0o700, exist_ok=True)
            is_public = name.endswith((".asc", ".pem"))
            home.write_file(draft / name, content, **({"mode": _OPEN_TO_ALL} if is_public else {}))
        settings = setting_files.load(draft, environ)
        _check_tls(settings)
        _enter(
            Home(draft, HomeKind.SERVER, invitation.installation_id),
            settings,
            node,
            now=now,
            entropy=entropy,
            actor=actor,
            environ=environ,
            rehearses=rehearses,
        )
    for path in (files.private_key, files.certificate):
        path.unlink(missing_ok=True)
    return settings


def _enter(
    draft: Home,
    settings: Settings,
    node: str,
    *,
    now: int,
    entropy: Entropy,
    actor: Acting,
    environ: Mapping[str, str],
    rehearses: bool,
) -> None:
    """Recorded, once the keys of the home and those of the database have proven to be of one installation."""
    wrapper = key_encryption.load(draft).wrapper
    chain_key = keys_at_rest.open_file(draft, "audit-chain", wrapper=wrapper)
    keys_at_rest.open_peppers(draft, wrapper)
    with contextlib.closing(databases.open_own(draft, settings.database, TABLES, environ=environ)) as opened:
        store = Store(opened, chain_key=chain_key, entropy=entropy, rehearses=rehearses)
        for record in store.signing_keys():
            keys_at_rest.open_key(draft, record, wrapper=wrapper)
        with store.change(now=now, actor=actor) as change:
            change.record(Kind.NODE_JOINED, fingerprint=node)


def _differing(files: Mapping[str, bytes], differing: Differing) -> dict[str, bytes]:
    """The files as this machine has them."""
    values: dict[str, str] = {}
    if differing.database is not None:
        values[database_url.NAME] = database_url.write(differing.database)
    if differing.tls_certificate is not None and differing.tls_private_key is not None:
        values["tls.certificate"] = str(differing.tls_certificate.absolute())
        values["tls.private_key"] = str(differing.tls_private_key.absolute())
    content = files[setting_files.FILE]
    for name, value in values.items():
        content = setting_files.replaced(content, name, value, where=setting_files.FILE)
    return {**files, setting_files.FILE: content}


def _check_tls(settings: Settings) -> None:
    """Loaded once, so that a file that is not on this machine shows now; where HTTP is plain there is none."""
    if settings.is_plain:
        return
    try:
        tls.server_context(settings.tls_certificate, settings.tls_private_key)
    except Problem as failed:
        hint = "add --tls-cert FILE --tls-key FILE with those of this machine"
        raise Misuse(failed.code, failed.message, hint=hint) from failed


def _read_private_key(path: Path, where: Path) -> Secret:
    if not path.exists():
        raise Misuse(
            "not-requested",
            f"{path} is not there: a node opens its invitation with the key that it asked with",
            hint=f"keyfob-server node request --home {where}",
        )
    home.check_private(path)
    return Secret(keys_at_rest.read(path))


def _write(invitation: _Invitation) -> Secret:
    document = {
        "keyfob": "node",
        "version": 1,
        "recipient": invitation.recipient,
        "installation_id": invitation.installation_id,
        "files": {name: base64.b64encode(content).decode() for name, content in invitation.files.items()},
    }
    return Secret(json.dumps(document).encode())


def _read(plaintext: Secret) -> _Invitation:
    try:
        document = json.loads(plaintext.reveal_bytes())
        if (document["keyfob"], document["version"]) != ("node", 1):
            raise ValueError
        files = {str(name): base64.b64decode(text, validate=True) for name, text in document["files"].items()}
        # Names become paths: none but ours.
        if not {setting_files.FILE, _OPERATOR, "keys/kek"} <= files.keys() or not all(map(_NAME.fullmatch, files)):
            raise ValueError
        return _Invitation(str(document["recipient"]), str(document["installation_id"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(
            "not-an-invitation",
            "the message is no invitation of a node, or of a newer version",
            hint="make it with keyfob-server node invite",
        ) from None

"""Key-encryption keys in the transit engine of HashiCorp Vault or OpenBao: they never leave it.

The only file that knows hvac (the extra `vault`), which is imported when a key is first used. Address, namespace
and authority come from the variables of Vault's own tools, and never from an envelope: whoever could write there would
else be sent the token. How that is come by: keyfob.envelope.vault_login.

Wrapped: the length of MOUNT/KEY in two bytes, MOUNT/KEY, and the engine's ciphertext ("vault:v1:..."). The Context is
its associated data, so a key must be of an AEAD kind. A key that was rotated in the engine opens what was wrapped
before.
"""

import base64
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from keyfob.envelope import vault_login
from keyfob.envelope.format import DATA_KEY_BYTES, Context, EnvelopeError
from keyfob.envelope.vault_login import first
from keyfob.problem import KeyProblem, Misuse
from keyfob.secret import Secret

KIND = "vault"
PREFIX = "vault:"
MOUNT = "transit"

_NAME = re.compile(r"vault:(?:([A-Za-z0-9_-]{1,60})/)?([A-Za-z0-9_-]{1,60})")
_CIPHERTEXT = re.compile(rb"vault:v[0-9]{1,9}:[A-Za-z0-9+/=]{1,1000}")
_KINDS = ("aes256-gcm96", "chacha20-poly1305", "aes128-gcm96")
_PATIENCE = (3, 5)
"""Seconds for a connection, and for an answer."""


class TransitProblem(KeyProblem):
    """A call that failed. The text names the key and what kind of refusal it was, never what the engine said."""


@dataclass(frozen=True, slots=True)
class TransitWrapper:
    """`key`: MOUNT/KEY. `environ`: where Vault's variables stand."""

    key: str
    environ: Mapping[str, str] = field(repr=False)

    @property
    def kind(self) -> str:
        return KIND

    @property
    def name(self) -> str:
        return PREFIX + self.key

    @classmethod
    def choose(cls, name: str, environ: Mapping[str, str]) -> "TransitWrapper":
        """The key `vault:KEY` or `vault:MOUNT/KEY`, which is there and fits. Raises Misuse, TransitProblem."""
        chosen = cls.of(name, environ)
        mount, key = chosen.key.split("/")
        said = chosen._ask(lambda transit: transit.read_key(name=key, mount_point=mount))["data"]
        if said.get("type") not in _KINDS or said.get("derived"):
            hint = f"make one of the type {_KINDS[0]} that is not derived"
            raise Misuse("transit-key-use", f"{chosen.name} is no key that binds a place", hint=hint)
        return chosen

    @classmethod
    def of(cls, name: str, environ: Mapping[str, str]) -> "TransitWrapper":
        """The key `name`. Nothing is asked of it yet. Raises Misuse."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise Misuse("bad-transit-key", "the key in Vault is not named as it must be", hint="vault:MOUNT/KEY")
        return cls(f"{found[1] or MOUNT}/{found[2]}", environ)

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        mount, key = self.key.split("/")
        asked = {"plaintext": _base64(data_key.reveal_bytes()), "associated_data": _base64(context.associated_data())}
        said = self._ask(lambda transit: transit.encrypt_data(name=key, mount_point=mount, **asked))
        ciphertext = str(said["data"]["ciphertext"]).encode()
        if not _CIPHERTEXT.fullmatch(ciphertext):
            raise TransitProblem("transit-failed", f"{self.name} answers with no ciphertext", hint="is it Vault?")
        named = self.key.encode()
        return struct.pack(">H", len(named)) + named + ciphertext

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        """The data key. Raises EnvelopeError for another key's or place's, TransitProblem when the engine refuses."""
        end = 2 + int.from_bytes(wrapped[:2], "big")
        made_by, ciphertext = wrapped[2:end], wrapped[end:]
        if not _NAME.fullmatch("vault:" + made_by.decode("ascii", "replace")) or not _CIPHERTEXT.fullmatch(ciphertext):
            raise EnvelopeError("the envelope is damaged in its wrapped key")
        if made_by.decode() != self.key:
            raise EnvelopeError(
                f"the envelope does not open with {self.name}",
                code="envelope-other-key",
                hint=f"it needs {PREFIX}{made_by.decode()}",
            )
        mount, key = self.key.split("/")
        asked = {"ciphertext": ciphertext.decode(), "associated_data": _base64(context.associated_data())}
        try:
            said = self._ask(lambda transit: transit.decrypt_data(name=key, mount_point=mount, **asked))
            data_key = base64.b64decode(said["data"]["plaintext"], validate=True)
        except TransitProblem as refused:
            if refused.code != "transit-ciphertext":
                raise
            raise EnvelopeError("the envelope is damaged, or belongs to another place") from None
        except ValueError:
            data_key = b""
        if len(data_key) != DATA_KEY_BYTES:
            raise EnvelopeError("the envelope is damaged in its wrapped key")
        return Secret(data_key)

    def _ask(self, work: Callable[[Any], Any]) -> Any:
        hvac = _hvac()
        import requests

        login = vault_login.choose(self.environ)

        session = requests.Session()
        session.auth = lambda request: request  # nothing of a .netrc
        # hvac takes these two from a session that it is given, whatever else it is told.
        session.verify, session.cert = _authority(self.environ), _client_certificate(self.environ)
        client = hvac.Client(
            url=_address(self.environ),
            token="",  # None would have hvac look for one by itself
            namespace=first(self.environ, "NAMESPACE"),
            timeout=_PATIENCE,
            allow_redirects=False,  # the token would go along
            session=session,
        )
        try:
            with vault_login.entered(client, login, _not_let_in(hvac.exceptions)):
                return work(client.secrets.transit)
        except hvac.exceptions.VaultError as refused:
            raise self._refused(refused) from None
        except (requests.exceptions.RequestException, KeyError, ValueError, TypeError) as failed:
            kind = type(failed).__name__
            raise TransitProblem("transit-away", f"{self.name} cannot be reached ({kind})", hint=_AGAIN) from None
        finally:
            session.close()

    def _refused(self, refused: Exception) -> TransitProblem:
        kind = type(refused).__name__
        if "message authentication failed" in str(refused) or "invalid ciphertext" in str(refused):
            kind = "Ciphertext"
        code, what, hint = _REFUSALS.get(kind, ("transit-failed", "was refused", "ask who administers Vault"))
        return TransitProblem(code, f"{self.name} {what} ({kind})", hint=hint)


_AGAIN = "try again; are VAULT_ADDR and VAULT_CACERT right?"
_REFUSALS = {
    "Ciphertext": ("transit-ciphertext", "does not open this", "restore it from a backup"),
    "Forbidden": (
        "transit-denied",
        "may not be used with this token",
        "is the token good? its policy needs update on MOUNT/encrypt/KEY and MOUNT/decrypt/KEY, read on MOUNT/keys/KEY",
    ),
    "Unauthorized": ("transit-denied", "may not be used with this token", "is it good?"),
    "InvalidPath": ("transit-key-missing", "is not there", "mend MOUNT and KEY, or the namespace"),
    "VaultDown": ("transit-away", "cannot be used while Vault is sealed", "unseal it"),
    "VaultNotInitialized": ("transit-away", "cannot be used: Vault is not initialised", _AGAIN),
    "RateLimitExceeded": ("transit-away", "is asked too often", _AGAIN),
    "InternalServerError": ("transit-away", "cannot be used now", _AGAIN),
    "BadGateway": ("transit-away", "cannot be used now", _AGAIN),
}


def _not_let_in(exceptions: Any) -> tuple[type[Exception], ...]:
    return exceptions.InvalidRequest, exceptions.Unauthorized, exceptions.Forbidden, exceptions.InvalidPath


def _address(environ: Mapping[str, str]) -> str:
    url = first(environ, "ADDR")
    if url is None:
        raise Misuse("no-vault-address", "no server of Vault is named", hint="set VAULT_ADDR (or BAO_ADDR)")
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise Misuse("vault-address", "the server of Vault is not named by https", hint="mend VAULT_ADDR")
    return url


def _client_certificate(environ: Mapping[str, str]) -> tuple[str, str] | None:
    certificate, key = first(environ, "CLIENT_CERT"), first(environ, "CLIENT_KEY")
    return (certificate, key) if certificate and key else None


def _authority(environ: Mapping[str, str]) -> str | bool:
    """Never off, whatever VAULT_SKIP_VERIFY says."""
    return first(environ, "CACERT") or environ.get("KEYFOB_CA_FILE") or environ.get("SSL_CERT_FILE") or True


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _hvac() -> Any:
    try:
        import hvac
        import hvac.exceptions
    except ModuleNotFoundError:
        raise Misuse(
            "not-installed",
            "the packages for keys in Vault are not installed",
            hint='in the checkout: python -m pip install ".[vault]"',
        ) from None
    return hvac

"""From a secret to a key of one's own: made here, kept in the vault, and believed by the signature of the partner's
OpenPGP certificate (RFC 7523 in the place of RFC 6749 §2.3.1).

    1 a key is made, and goes into the vault beside the secret
    2 the issuer is asked to believe it, by a text that the partner's OpenPGP key signs
    3 the vault notes from when on it counts: both sides are told first

Killed after 1 or 2, the vault holds both, and whoever uses it tries the key first and the secret then: see issuer.py.
Refused, the key is forgotten again. The private key is never anywhere else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from keyfob.change_request import ChangeRequest
from keyfob.oauth.client_information import ClientInformation
from keyfob.partner import asking
from keyfob.partner.acknowledging import Signer
from keyfob.partner.client_key import ALGORITHM, ClientKey
from keyfob.partner.errors import VaultProblem
from keyfob.partner.steps import Transport
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.keeping import Keeper, Prepared
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The key's thumbprint, and from when on it counts, in seconds since 1970. `announcement_id` stops it before."""

    client_id: str
    credential_id: str
    key_id: str
    announcement_id: str
    takes_effect_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrader:
    """`prepared`: how the key is kept, which is never as a message."""

    vault: Vault
    keeper: Keeper
    prepared: Prepared
    signer: Signer
    transport: Transport
    new_key: Callable[[], ClientKey]

    def upgrade(self, client_id: str, *, now: int) -> Upgrade:
        """Raises Problem: the secret goes on working, and is all that is left."""
        current = self.vault.current(client_id, now=now)
        information = self.keeper.open(current)
        if information.client_secret is None:
            raise VaultProblem("has-key", f"{client_id} proves itself by a key already", hint="nothing is to be done")
        key = self.new_key()
        entry = self._entry(current, information, key)
        with self.vault.locked():
            self.vault.put(entry)
        try:
            done = self._ask(current, key, now)
        except Problem:
            self.vault.forget(client_id, [entry.credential_id])
            raise
        with self.vault.locked():
            self.vault.put(replace(entry, usable_from=done.takes_effect_at))
        # What was announced before and stopped never counts.
        announced = {one.credential_id for one in self.vault.entries(client_id) if one.usable_from > now}
        self.vault.forget(client_id, sorted(announced - {entry.credential_id}))
        return done

    def _ask(self, current: Entry, key: ClientKey, now: int) -> Upgrade:
        member = key.public_jwk() | {"kid": key.kid, "use": "sig", "alg": ALGORITHM}
        request = ChangeRequest(
            issuer=current.issuer,
            client_id=current.client_id,
            asked_at=now,
            jwks=json.dumps({"keys": [member]}),
        )
        said = asking.ask(
            request, signer=self.signer, fingerprint=current.recipient_fingerprint, transport=self.transport
        )
        at, announced = said.get("takes_effect_at"), said.get("announcement_id")
        if type(at) is not int or not isinstance(announced, str):
            raise Problem("malformed-response", "the issuer does not say from when on the key counts", hint="ask it")
        return Upgrade(current.client_id, _credential_id(key), key.kid, announced, at)

    def _entry(self, current: Entry, information: ClientInformation, key: ClientKey) -> Entry:
        with_key = replace(
            information,
            client_secret=None,
            client_key=key.to_secret(),
            client_secret_expires_at=0,
            credential_id=_credential_id(key),
            # Of a message that never was: the one that brought the secret cannot take the key's place any more.
            message_id=_credential_id(key),
        )
        ciphertext, opened_with = self.keeper.keep(self.prepared, with_key, b"")
        received = max(entry.received for entry in self.vault.entries(current.client_id)) + 1
        return replace(
            current,
            credential_id=with_key.credential_id,
            message_id=with_key.message_id,
            expires_at=0,
            received=received,
            keeping=self.prepared.keeping,
            opened_with=opened_with,
            ciphertext=ciphertext,
            key_version=1,
        )


def _credential_id(key: ClientKey) -> str:
    return f"key-{key.kid[:16]}"

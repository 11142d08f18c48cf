"""From a secret to a key of one's own, and from that to the next: made here, kept in the vault, and believed by the
signature of the partner's OpenPGP certificate (RFC 7523 in the place of RFC 6749 §2.3.1).

    1 a key is made, and goes into the vault beside what is in use
    2 the issuer is asked to believe it, by a text that the partner's OpenPGP key signs
    3 the vault notes from when on it counts: both sides are told first

In the place of a secret, which ends by itself after the key's first use: killed after 1 or 2, the vault holds both, and
whoever uses it tries the key first and the secret then, see issuer.py. In the place of a key, which goes on counting
until `retire`: nobody tries the new one before 3, so killed before that, it is never used, and `retire` ends it, too.

Refused, the key is forgotten again. The private key is never anywhere else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from keyfob.change_request import ChangeRequest
from keyfob.oauth.client_information import ClientInformation
from keyfob.partner import asking, client_key
from keyfob.partner.acknowledging import Signer
from keyfob.partner.asking import NotTaken
from keyfob.partner.client_key import ALGORITHM, ClientKey
from keyfob.partner.errors import VaultProblem
from keyfob.partner.steps import Transport
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.keeping import Keeper, Prepared
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem

_NEVER = 253402300799
_SETTLING = 3
"""Seconds that an issuer may take to let what was announced count; the key before counts meanwhile."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The key's thumbprint, and from when on it counts, in seconds since 1970. `announcement_id` stops it before."""

    client_id: str
    credential_id: str
    key_id: str
    announcement_id: str
    takes_effect_at: int


@dataclass(frozen=True, slots=True)
class Retired:
    """The credentials that do not count any more from then on, in seconds since 1970: they have left this vault."""

    client_id: str
    retired: tuple[str, ...]
    announcement_id: str | None
    takes_effect_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrader:
    """`prepared`: how the key is kept, which is never as a message. `prove`: gets a token by what it is given alone."""

    vault: Vault
    keeper: Keeper
    prepared: Prepared
    signer: Signer
    transport: Transport
    new_key: Callable[[], ClientKey]
    prove: Callable[[ClientInformation], None]

    def upgrade(self, client_id: str, *, now: int) -> Upgrade:
        """Raises Problem: the secret goes on working, and is all that is left."""
        current = self.vault.current(client_id, now=now)
        information = self.keeper.open(current)
        if information.client_secret is None:
            raise VaultProblem(
                "has-key", f"{client_id} proves itself by a key already", hint="keyfob rotate puts another in its place"
            )
        return self._put_beside(current, information, now)

    def renew(self, client_id: str, *, now: int) -> Upgrade:
        """Another key beside the one in use. Raises Problem: that one goes on working, and is all that is left."""
        current = self.vault.current(client_id, now=now)
        information = self.keeper.open(current)
        if information.client_key is None:
            raise VaultProblem("no-key", f"{client_id} proves itself by a secret", hint="keyfob upgrade-to-key")
        return self._put_beside(current, information, now)

    def retire(self, client_id: str, *, now: int) -> Retired:
        """The keys before the one in use are to count no more; that one is tried first. Raises Problem."""
        found = self.vault.entries(client_id)
        current = self.vault.current(client_id, now=now)
        older = [one for one in found[found.index(current) + 1 :] if one.is_own_key]
        if not current.is_own_key or not older:
            raise Problem("no_overlap", "there is no older key here to end", hint="keyfob rotate makes a new one")
        self.prove(self.keeper.open(current))
        names = tuple(_load(self.keeper.open(one)).kid for one in older)
        announced, at = None, now
        try:
            announced, at = self._ask(current, now, remove_keys=names)
        except NotTaken as refused:
            if refused.why != "unknown_key":  # it was asked for before, and this vault did not come to note it
                raise
        self.vault.forget(client_id, [one.credential_id for one in older])
        return Retired(client_id, tuple(one.credential_id for one in older), announced, at)

    def _put_beside(self, current: Entry, information: ClientInformation, now: int) -> Upgrade:
        key = self.new_key()
        entry = self._entry(current, information, key)
        if information.client_key is not None:
            # Who asks with it too soon is refused, and asks with it no more for a minute: it is not to be found.
            entry = replace(entry, usable_from=_NEVER)
        with self.vault.locked():
            self.vault.put(entry)
        member = key.public_jwk() | {"kid": key.kid, "use": "sig", "alg": ALGORITHM}
        keys = json.dumps({"keys": [member]})
        try:
            if information.client_key is None:
                announced, at = self._ask(current, now, jwks=keys)
            else:
                announced, at = self._ask(current, now, add_keys=keys)
        except Problem:
            self.vault.forget(current.client_id, [entry.credential_id])
            raise
        counts_from = at if information.client_key is None else at + _SETTLING
        with self.vault.locked():
            self.vault.put(replace(entry, usable_from=counts_from))
        self._pass_over(entry, is_first=information.client_key is None, now=now)
        return Upgrade(current.client_id, entry.credential_id, key.kid, announced, counts_from)

    def _pass_over(self, entry: Entry, *, is_first: bool, now: int) -> None:
        """What was announced before and stopped never counts. A key that comes beside others may yet have come to count
        there, when this is too soon after: it is not used, and `retire` takes it away there, too.
        """
        found = [one for one in self.vault.entries(entry.client_id) if now < one.usable_from < _NEVER]
        waiting = [one for one in found if one.credential_id != entry.credential_id]
        if is_first:
            self.vault.forget(entry.client_id, [one.credential_id for one in waiting])
            return
        with self.vault.locked():
            for one in waiting:
                self.vault.put(replace(one, usable_from=_NEVER))

    def _ask(
        self, current: Entry, now: int, *, jwks: str | None = None, add_keys: str | None = None,
        remove_keys: tuple[str, ...] = (),
    ) -> tuple[str, int]:  # fmt: skip
        """The announcement, and from when on it holds."""
        request = ChangeRequest(
            issuer=current.issuer,
            client_id=current.client_id,
            asked_at=now,
            jwks=jwks,
            add_keys=add_keys,
            remove_keys=remove_keys,
        )
        said = asking.ask(
            request, signer=self.signer, fingerprint=current.recipient_fingerprint, transport=self.transport
        )
        at, announced = said.get("takes_effect_at"), said.get("announcement_id")
        if type(at) is not int or not isinstance(announced, str):
            raise Problem("malformed-response", "the issuer does not say from when on the key counts", hint="ask it")
        return announced, at

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


def _load(information: ClientInformation) -> ClientKey:
    assert information.client_key is not None
    return client_key.load(information.client_key)

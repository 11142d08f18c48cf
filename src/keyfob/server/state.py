"""What the running server stands on: its installation, and what it keeps in memory of one revision of the database."""

import json
from collections import OrderedDict

import sqlalchemy as sa

from keyfob.ambient import Clock, Entropy
from keyfob.jose.keys import SigningKey
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.server.group_commit import GroupCommit, NoteBook
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import signing_keys
from keyfob.server.lifecycle.signing_keys import Phase
from keyfob.server.peer import PeerReader
from keyfob.server.secret_hash import Pepper
from keyfob.server.settings import Settings
from keyfob.server.storage.records import ClientView, Resource, SigningKeyRecord, TokenIssued, TokenRefused
from keyfob.server.storage.store import SERVER
from keyfob.server.throttle import Throttle

_MAX_CLIENTS = 10_000


class ServerState:
    """Everything that is kept is of one revision, which is asked on every request.

    So a change by another process (a client suspended at the command line) holds from the next request on.
    """

    database_errors: type[Exception] = sa.exc.DBAPIError

    def __init__(self, installation: Installation, *, clock: Clock, entropy: Entropy) -> None:
        self._installation = installation
        self._store = installation.store
        self.settings: Settings = installation.settings
        self.peppers: tuple[Pepper, ...] = installation.peppers
        self.operator_certificate: Certificate = installation.operator_certificate
        self.clock = clock
        self.entropy = entropy
        self.grants: GroupCommit[TokenIssued] = GroupCommit(lambda batch: self._store.record_grants(batch, clock()))
        self.refusals: NoteBook[TokenRefused] = NoteBook(lambda batch: self._store.record_refusals(batch, clock()))
        self.peers = PeerReader(self.settings.trusted_proxy)
        self.throttle = Throttle(
            failures=self.settings.failures_per_network_per_minute,
            tokens=self.settings.tokens_per_client_per_minute,
            key=entropy(32),
        )
        self._revision = -1
        self._clients: OrderedDict[str, ClientView | None] = OrderedDict()
        self._signing_keys: tuple[SigningKeyRecord, ...] | None = None
        self._opened: dict[str, SigningKey] = {}
        self._resources: tuple[Resource, ...] | None = None

    def find_client(self, client_id: str) -> ClientView | None:
        """The client as of this moment. An unknown id is remembered, too: it must not take longer than a known one."""
        self._forget_what_changed()
        if client_id in self._clients:
            self._clients.move_to_end(client_id)
            return self._clients[client_id]
        view = self._store.find_client(client_id)
        self._clients[client_id] = view
        if len(self._clients) > _MAX_CLIENTS:
            self._clients.popitem(last=False)
        return view

    def signing_key(self, now: int) -> SigningKey:
        """The current one. Raises Problem when there is none."""
        for record, phase in self._phases(now):
            if phase is Phase.CURRENT:
                if record.kid not in self._opened:
                    self._opened[record.kid] = self._installation.signing_key(record)
                return self._opened[record.kid]
        raise Problem("no-signing-key", "there is no active signing key")

    def published_jwks(self, now: int) -> tuple[dict[str, object], ...]:
        """The public keys that tokens may be checked with, the next one among them."""
        return tuple(json.loads(record.public_jwk) for record, phase in self._phases(now) if phase is not Phase.GONE)

    def rotate_signing_key_if_due(self) -> str | None:
        """The id of the successor, if one was made. Blocking: for a thread."""
        return self._installation.rotate_signing_key(
            now=self.clock(), actor=SERVER, entropy=self.entropy, due_only=True
        )

    def _phases(self, now: int) -> list[tuple[SigningKeyRecord, Phase]]:
        self._forget_what_changed()
        if self._signing_keys is None:
            self._signing_keys = self._store.signing_keys()
        return signing_keys.phases(self._signing_keys, now)

    def resources(self) -> tuple[Resource, ...]:
        self._forget_what_changed()
        if self._resources is None:
            self._resources = self._store.resources()
        return self._resources

    async def close(self) -> None:
        """Write what waits, then let the database go."""
        await self.grants.close()
        await self.refusals.close()
        self._installation.close()

    def _forget_what_changed(self) -> None:
        revision = self._store.revision()
        if revision != self._revision:
            # The number is read before what it stands for: a change in between is seen at the next request.
            self._clients.clear()
            self._signing_keys = self._resources = None
            self._revision = revision

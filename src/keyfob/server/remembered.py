"""What the running server keeps in memory of the database, and how it knows that it is still so.

Everything that is kept is of one revision, which is asked on every request. So a change by another process (a client
suspended at the command line, on whichever node) holds from the next request on. Requests of one turn of the event loop
had all come before it began: one question is enough for them.
"""

import asyncio
import contextlib
from collections import OrderedDict

from keyfob.server.lifecycle import operators, signing_keys
from keyfob.server.lifecycle.signing_keys import Phase
from keyfob.server.settings import Settings
from keyfob.server.storage.records import ClientView, Operator, Purpose, Resource, RevocationRecord, SigningKeyRecord
from keyfob.server.storage.store import Store
from keyfob.serving.rates import network_of

Phased = list[tuple[SigningKeyRecord, Phase]]


class Remembered:
    """The store's answers, as of this moment."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._revision = -1
        self._is_asked = False
        self._clients: OrderedDict[tuple[str, str], ClientView | None] = OrderedDict()
        self._signing_keys: dict[Purpose, tuple[SigningKeyRecord, ...]] = {}
        self._phased: dict[Purpose, tuple[int, Phased]] = {}
        self._resources: tuple[Resource, ...] | None = None
        self._revocations: tuple[RevocationRecord, ...] | None = None

    def find_client(self, client_id: str, *, address: str) -> ClientView | None:
        """The client, for whoever asks from `address`; an operator stands as a client of its own.

        An unknown id is remembered, too, and each network has a memory of its own: else a stranger's first question
        would be answered faster for a client that is at work elsewhere than for one that does not exist.
        """
        self._forget_what_changed()
        key = (network_of(address), client_id)
        if key in self._clients:
            self._clients.move_to_end(key)
            return self._clients[key]
        operator = self.find_operator(client_id) if client_id.startswith(operators.CLIENT_ID) else None
        view = (
            self._store.find_client(client_id)
            if operator is None
            else operators.as_client(operator, self._settings.issuer)
        )
        self._clients[key] = view
        if len(self._clients) > self._settings.clients_in_memory:
            self._clients.popitem(last=False)
        return view

    def find_operator(self, client_id: str) -> Operator | None:
        """The living operator whom the token endpoint knows by that id."""
        with self._store.reading() as reading:
            return reading.find_operator(client_id.removeprefix(operators.CLIENT_ID))

    def signing_keys(self, purpose: Purpose, now: int) -> Phased:
        """Each key with its phase, the newest first."""
        self._forget_what_changed()
        if purpose not in self._signing_keys:
            self._signing_keys[purpose] = self._store.signing_keys(purpose)
        if self._phased.get(purpose, (None,))[0] != now:
            self._phased[purpose] = now, signing_keys.phases(self._signing_keys[purpose], now)
        return self._phased[purpose][1]

    def resources(self) -> tuple[Resource, ...]:
        self._forget_what_changed()
        if self._resources is None:
            self._resources = self._store.resources()
        return self._resources

    def revocations(self) -> tuple[tuple[RevocationRecord, ...], int]:
        """What is withdrawn; and the revision that was asked before it: what comes meanwhile has a higher one."""
        self._forget_what_changed()
        if self._revocations is None:
            self._revocations = self._store.revocations()
        return self._revocations, self._revision

    def _forget_what_changed(self) -> None:
        if self._is_asked:
            return
        revision = self._store.revision()
        if revision != self._revision:
            # The number is read before what it stands for: a change in between is seen at the next request.
            self._clients.clear()
            self._signing_keys.clear()
            self._phased.clear()
            self._resources = self._revocations = None
            self._revision = revision
        with contextlib.suppress(RuntimeError):  # without a loop there are no turns
            asyncio.get_running_loop().call_soon(self._ask_again)
            self._is_asked = True

    def _ask_again(self) -> None:
        self._is_asked = False

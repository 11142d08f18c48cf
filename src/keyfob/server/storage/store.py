"""The server's view of its database: what a token request reads, and what it must record."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from keyfob import backups, moving
from keyfob.ambient import Entropy
from keyfob.database import Database
from keyfob.leading import Lead, lead_of
from keyfob.secret import Secret
from keyfob.server.audit import chain
from keyfob.server.audit.events import Acting, Field, Kind
from keyfob.server.lifecycle import first_use, rotation
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.storage import explanations, journal, operators, refusals
from keyfob.server.storage.change import Change
from keyfob.server.storage.journal import Journal
from keyfob.server.storage.outbox import Outbox
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import (
    ClientView,
    Credential,
    DoubtfulFirstUse,
    Purpose,
    Resource,
    RevocationRecord,
    SigningKeyRecord,
    TokenIssued,
    TokenRefused,
    Used,
)
from keyfob.server.storage.rehearsal import Rehearsed
from keyfob.server.storage.schema import TABLES, installation
from keyfob.server.storage.spending import Exchange

_REVISION = str(sa.select(installation.c.revision))
_GLANCE = 1000
"""Records of each chain."""
SERVER = "server"
"""The actor of what the server does by itself."""


@dataclass(frozen=True, slots=True)
class Within:
    """For whom a store makes its changes: what is looked at first inside each, and what each of its records says."""

    first: Callable[[Change], None] = lambda _change: None
    facts: Mapping[str, Field] = field(default_factory=dict)


class Store:
    """Reads are snapshots; each write is one transaction that holds its audit records. Safe to use from threads.

    `patience`: seconds that a write waits for its turn before it raises Problem `database-busy`; None: for ever.
    """

    def __init__(
        self,
        database: Database,
        *,
        chain_key: Secret,
        entropy: Entropy,
        patience: float | None = None,
        journal: Journal | None = None,
        acting: Within | None = None,
        rehearses: bool = False,
    ) -> None:
        self._database = database
        self._patience = patience
        self._chain_key = chain_key
        self._journal = journal or Journal(chain_key, entropy)
        self._acting = acting or Within()
        self._rehearses = rehearses
        self.outbox = Outbox(database, patience=patience)

    def lead(self) -> Lead:
        """Who does what nobody asked for, of all processes that use this database."""
        return lead_of(self._database)

    def exchange(self, process: str) -> Exchange | None:
        """Where `process` tells what it let through; None where the processes have no more than a file in common."""
        return Exchange(self._database, process) if self._database.has_many_writers else None

    def revision(self) -> int:
        """A number that grows with each change of rights: a cache that saw the same number is not stale."""
        return self._database.number(_REVISION)

    def find_client(self, client_id: str) -> ClientView | None:
        return self._database.ask(lambda connection: Reading(connection).find_client(client_id))

    def certificate_sets(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The JWK sets by value, and the URLs of others, of clients whose certificates may be among their keys."""
        with self.reading() as reading:
            return reading.certificate_sets()

    def resources(self) -> tuple[Resource, ...]:
        with self.reading() as reading:
            return reading.resources()

    def signing_keys(self, purpose: Purpose = Purpose.ACCESS_TOKENS) -> tuple[SigningKeyRecord, ...]:
        """All of one purpose that are not revoked, the newest first."""
        with self.reading() as reading:
            return reading.signing_keys(purpose)

    def revocations(self) -> tuple[RevocationRecord, ...]:
        with self.reading() as reading:
            return reading.revocations()

    def record_grants(
        self, batch: Sequence[TokenIssued], now: int, *, doubtful: list[DoubtfulFirstUse] | None = None
    ) -> dict[int, Used]:
        """The evidence of tokens that may leave when this has returned: one transaction for all of them.

        Returns the places in `batch` of those that may not, and what of theirs was used before. The first use of a
        successor starts the overlap of the credential that it replaces, in the same transaction. `doubtful` gets each
        first use that came from an unexpected place: it counts only when this has returned.
        """
        seen = [] if doubtful is None else doubtful
        with self._writing(now=now, actor=SERVER) as change:
            if any(one.may_be_first for one in batch):
                change.take_rights()
            # In one order each, so that no two writers wait for each other's rows.
            replayed = _used_before(change, batch)
            granted = [one for place, one in enumerate(batch) if place not in replayed]
            for one in sorted(granted, key=lambda each: each.credential_id):
                _record_grant(change, one)
                if one.may_be_first and change.observe_first_use(one):
                    seen += _begin(change, one, now)
            change.observe_uses({one.credential_id: one.address for one in granted})
        return replayed

    def record_refusals(
        self, batch: Sequence[TokenRefused], now: int, *, explained: Sequence[Explanation] = ()
    ) -> None:
        """Counts every refusal, records a sample, and keeps for a day why each was.

        Books that are only useful: they never hold up an answer.
        """
        with self._database.write(patience=self._patience) as connection:
            change = Change(connection, self._journal, now=now, actor=SERVER)
            change.take_rights()  # two that count the same at once would both count from what was before
            refusals.record(connection, change, batch, chain_key=self._chain_key, now=now)
            explanations.keep(connection, explained, now=now)
            change.finish()

    def find_explanation(self, error_id: str, *, now: int, client_id: str | None = None) -> Explanation | None:
        """Why a request was refused less than a day ago; with `client_id`, only if it was that client's."""
        with self._database.read() as connection:
            return explanations.find(connection, error_id, now=now, client_id=client_id)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reading]:
        """Several questions in a row."""
        with self._database.read() as connection:
            yield Reading(connection)

    @contextlib.contextmanager
    def change(self, *, now: int, actor: Acting) -> Iterator[Change]:
        """One transaction: the changes and their audit records come together or not at all. No slow work inside."""
        with self._writing(now=now, actor=actor) as change:
            change.take_rights()
            self._acting.first(change)
            yield change
            if self._rehearses:
                change.finish()
                raise Rehearsed(change.events)

    @contextlib.contextmanager
    def change_alone(self, *, now: int, actor: Acting) -> Iterator[Change]:
        """A change while no other node is connected. Raises Problem when one is."""
        with self.change(now=now, actor=actor) as change:
            change.take_alone()
            yield change

    @contextlib.contextmanager
    def _writing(self, *, now: int, actor: Acting) -> Iterator[Change]:
        with self._database.write(patience=self._patience) as connection:
            change = Change(connection, self._journal, now=now, actor=actor, facts=self._acting.facts)
            yield change
            change.finish()

    def audit_tail(self, count: int) -> tuple[journal.Record, ...]:
        """The last `count` audit records, the oldest first."""
        with self._database.read() as connection:
            return tuple(journal.tail(connection, count))

    def audit_page(
        self, count: int, before: Mapping[str, int] | None
    ) -> tuple[list[journal.Record], dict[str, int] | None]:
        """See journal.page."""
        with self._database.read() as connection:
            return journal.page(connection, count, before)

    def audit_head(self) -> chain.Heads:
        """The newest record of each chain, short enough to be noted elsewhere."""
        with self._database.read() as connection:
            return chain.Heads(journal.heads(connection))

    def audit_verdict(self, *, expect: chain.Heads | None = None, since: chain.Heads | None = None) -> chain.Verdict:
        """Whether the audit trail is whole; with `expect` also whether it still has all that was seen before.

        `since`: what was found whole up to there before is not walked again, but must be there.
        """
        with self._database.read() as connection:
            return journal.verify(connection, self._chain_key, expect, since)

    def audit_glance(self) -> chain.Verdict:
        """Whether the newest records of the trail are whole: quick, however long it is."""
        with self._database.read() as connection:
            return journal.glance(connection, self._chain_key, _GLANCE)

    def copy_to(self, path: Path) -> None:
        """See backups.copy_sqlite."""
        backups.copy_sqlite(self._database, path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Nobody else writes for the block. Raises Problem when other nodes are connected."""
        with self._database.write() as connection:
            moving.take_alone(connection, TABLES)
            yield connection

    def acting(self, acting: Within) -> "Store":
        """The same, for somebody."""
        return self._like(acting, rehearses=self._rehearses)

    def rehearsing(self) -> "Store":
        """The same, but each change ends in Rehearsed as it is about to become true."""
        return self._like(self._acting, rehearses=True)

    def _like(self, acting: Within, *, rehearses: bool) -> "Store":
        return Store(
            self._database,
            chain_key=self._chain_key,
            entropy=self._journal.entropy,
            patience=self._patience,
            journal=self._journal,
            acting=acting,
            rehearses=rehearses,
        )

    def keep_answer(self, operator_id: str, key: str, document: str) -> None:
        """What the act under that Idempotency-Key came to. No right changes, and nothing is recorded."""
        with self._database.write(patience=self._patience) as connection:
            connection.execute(operators.put_answer(operator_id, key, document))

    def on(self, database: Database) -> "Store":
        """The same on another database: the same keys, to which the same audit trail belongs."""
        return Store(
            database,
            chain_key=self._chain_key,
            entropy=self._journal.entropy,
            patience=self._patience,
            acting=self._acting,
            rehearses=self._rehearses,
        )

    def close(self) -> None:
        self._database.close()


def _used_before(change: Change, batch: Sequence[TokenIssued]) -> dict[int, Used]:
    """Uses up what the grants present; says, by their places, what of it somebody had used up before."""
    presented = [(place, grant.client_id, one) for place, grant in enumerate(batch) for one in grant.single_uses]
    if not presented:
        return {}
    change.forget_used()
    rows = [(client_id, f"{one.what} {one.name}", one.until) for _, client_id, one in presented]
    replayed: dict[int, Used] = {}
    for (place, _, one), is_first in zip(presented, change.use_once(rows), strict=True):
        if not is_first:
            replayed.setdefault(place, one.what)
    return replayed


def _record_grant(change: Change, grant: TokenIssued) -> None:
    change.record(
        Kind.TOKEN_ISSUED,
        f"client:{grant.client_id}",
        jti=grant.jti,
        client_id=grant.client_id,
        credential_id=grant.credential_id,
        resource=grant.resource,
        scope=sorted(grant.scope),
        authorization_details=write_details(grant.authorization_details),
        kid=grant.kid,
        expires_at=grant.expires_at,
        address=grant.address,
        request_id=grant.request_id,
    )


def _begin(change: Change, grant: TokenIssued, now: int) -> list[DoubtfulFirstUse]:
    """What a credential's first use brings with it; and that it came from an unexpected place, if it did."""
    view = change.reading.find_client(grant.client_id)
    credential = None if view is None else view.credential(grant.credential_id)
    doubt = None if view is None or credential is None else first_use.find_doubt(view.client, credential)
    ids = {"client_id": grant.client_id, "credential_id": grant.credential_id}
    unexpected: dict[str, Field] = {} if doubt is None else {"unexpected": doubt}
    client = f"client:{grant.client_id}"
    change.record(Kind.CREDENTIAL_FIRST_USED, client, address=grant.address, **ids, **unexpected)
    if view is not None:
        _begin_overlap(change, grant, view.credentials, now)
    return [] if doubt is None else [DoubtfulFirstUse(**ids, address=grant.address, doubt=doubt)]


def _begin_overlap(change: Change, grant: TokenIssued, credentials: Sequence[Credential], now: int) -> None:
    retirement = rotation.on_first_use(credentials, grant.credential_id, now)
    if retirement is None:
        return
    ends = retirement.overlap_ends_at
    change.set_credential_state(retirement.credential_id, retirement.state, overlap_ends_at=ends)
    change.record(
        Kind.CREDENTIAL_RETIRING,
        client_id=grant.client_id,
        credential_id=retirement.credential_id,
        successor=grant.credential_id,
        overlap_ends_at=ends,
    )

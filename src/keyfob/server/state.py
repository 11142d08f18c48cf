"""What the running server stands on: its installation, what it remembers of it, and what it writes and tells."""

import asyncio
import functools
import json
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from keyfob.ambient import Clock, Entropy
from keyfob.group_commit import GroupCommit, NoteBook
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.jws import Signer
from keyfob.jose.keys import KeySet, MalformedKeySet, write_jwks
from keyfob.jose.tokens import verify_access_token
from keyfob.oauth import dpop
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.oauth.errors import InvalidClient, InvalidToken, OAuthError
from keyfob.oauth.revocation_feed import Feed, Revocations, Subject
from keyfob.oauth.usage_report import Report
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.admin.desk import Actor, Desk
from keyfob.server.alarms.bell import Bell
from keyfob.server.alarms.courier import Sink
from keyfob.server.alarms.watch import Watch
from keyfob.server.client_trust import ClientTrust, anchors_of
from keyfob.server.endpoints.request import Request
from keyfob.server.installation import Installation
from keyfob.server.key_sets import KeySets
from keyfob.server.lifecycle import key_rotation, revocations
from keyfob.server.lifecycle.registration import Registrar
from keyfob.server.lifecycle.signing_keys import Phase
from keyfob.server.notices.calendar import Calendar
from keyfob.server.notices.channels import Channels
from keyfob.server.notices.post import Post
from keyfob.server.peer import PeerReader
from keyfob.server.refusals import book
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.refusals.sighting import Sighting, see
from keyfob.server.remembered import Remembered
from keyfob.server.scanner import Scanner
from keyfob.server.secret_hash import Pepper
from keyfob.server.self_service import SelfService
from keyfob.server.settings import Settings
from keyfob.server.signing import Signing
from keyfob.server.storage.records import (
    ClientView,
    DoubtfulFirstUse,
    Operator,
    Purpose,
    Resource,
    RevocationRecord,
    TokenIssued,
    Used,
)
from keyfob.server.storage.store import SERVER
from keyfob.server.throttle import Throttle
from keyfob.serving import Anchors

_HERE = ""
"""Where the server itself asks from."""

_REPLAYED: dict[Used, Callable[[], OAuthError]] = {
    Used.ASSERTION: lambda: InvalidClient(detail=Cause.ASSERTION_USED),
    Used.PROOF: lambda: InvalidDpopProof(detail=Cause.PROOF_USED),
}


# To check that a key is a point of its curve takes as long as to verify a signature by it.
@functools.lru_cache(1024)
def read_keys(jwks: str) -> ClientKeys | None:
    try:
        return ClientKeys.parse(jwks.encode())
    except MalformedKeySet:
        return None  # checked when it was registered: a newer program may be stricter


class ServerState:
    """What an endpoint asks, as of this moment: see keyfob.server.remembered."""

    database_errors: type[Exception] = sa.exc.DBAPIError

    def __init__(
        self,
        installation: Installation,
        *,
        clock: Clock,
        entropy: Entropy,
        sinks: Sequence[Sink] = (),
        key_sets: KeySets | None = None,
        channels: Channels | None = None,
        anchors: Anchors | None = None,
        scanner: Scanner | None = None,
    ) -> None:
        self._installation = installation
        self._store = installation.store
        self.settings: Settings = installation.settings
        self.peppers: tuple[Pepper, ...] = installation.peppers
        self.operator_certificate: Certificate = installation.operator_certificate
        self.clock = clock
        self.entropy = entropy
        self.grants: GroupCommit[TokenIssued] = GroupCommit(self._write_grants)
        self.refusals: NoteBook[Sighting] = NoteBook(self._write_refusals)
        self.self_service = SelfService(installation, clock=clock, entropy=entropy)
        self.signing = Signing()
        self.peers = PeerReader(self.settings.trusted_proxies)
        self.throttle = Throttle(
            failures=self.settings.failures_per_network_per_minute,
            tokens=self.settings.tokens_per_client_per_minute,
            key=entropy(32),
        )
        watch = Watch(
            network_failures=self.settings.alarms.network_failures, repeat_after=self.settings.alarms.repeat_after
        )
        self.alarms = Bell(watch, sinks, issuer=self.settings.issuer, entropy=entropy)
        self._sinks = sinks
        self._channels = channels
        self._lead = self._store.lead()
        self._exchange = self._store.exchange(entropy(16).hex())
        self.post = None if channels is None else self._new_post(channels)
        self._key_sets = key_sets
        self.scanner = scanner
        self.registrar = Registrar(installation, entropy)
        self._anchors = anchors
        self._anchored = -1
        self._anchored_urls: tuple[str, ...] = ()
        self.trust = ClientTrust(self.settings.client_ca if self.settings.asks_for_certificates else None)
        self._remembered = Remembered(self._store, self.settings)
        self._opened: dict[str, Signer] = {}
        self._verifying: tuple[bytes, KeySet] | None = None
        self._compared: tuple[tuple[RevocationRecord, ...], Revocations] | None = None

    def find_client(self, client_id: str, *, address: str) -> ClientView | None:
        """The client, for whoever asks from `address`."""
        return self._remembered.find_client(client_id, address=address)

    def find_operator(self, client_id: str) -> Operator | None:
        """The living operator whom the token endpoint knows by that id."""
        return self._remembered.find_operator(client_id)

    def desk(self, actor: Actor, *, expected: str | None) -> Desk:
        """Where an operator's operation is performed, in a thread."""
        return Desk(
            installation=self._installation,
            actor=actor,
            clock=self.clock,
            entropy=self.entropy,
            sinks=lambda: self._sinks,
            ways=lambda: self._channels,
            key_sets=self._key_sets,
            expected=expected,
        )

    async def keys_of(self, view: ClientView | None, now: int) -> ClientKeys | None:
        """The keys that a client registered for its assertions; None when it has none, or they cannot be had."""
        if view is not None and view.client.jwks_uri is not None and self._key_sets is not None:
            return await self._key_sets.get(view.client.jwks_uri, now)
        return None if view is None or view.client.jwks is None else read_keys(view.client.jwks)

    async def newer_keys_of(self, view: ClientView | None, now: int) -> ClientKeys | None:
        """The same, after one more fetch; None when there is nothing newer."""
        if view is None or view.client.jwks_uri is None or self._key_sets is None:
            return None
        return await self._key_sets.newer(view.client.jwks_uri, now)

    async def fetch_keys(self, jwks_uri: str, now: int) -> ClientKeys | None:
        """The keys at that URL; None when there are none."""
        return None if self._key_sets is None else await self._key_sets.get(jwks_uri, now)

    async def renew_anchors(self, *, with_urls: bool) -> None:
        """The certificates that a handshake may lead to, as they are registered by now.

        `with_urls`: also what clients publish at their jwks_uri, which takes its time where one is away.
        """
        if self._anchors is None:
            return
        await asyncio.to_thread(self._renew_registered, self._anchors)
        if with_urls and self._key_sets is not None:
            now = self.clock()
            for keys in await asyncio.gather(*(self._key_sets.get(url, now) for url in self._anchored_urls)):
                self._anchors.add(anchors_of(keys))

    def _renew_registered(self, anchors: Anchors) -> None:
        self.trust.reload()
        anchors.add(self.trust.anchors())
        revision = self._store.revision()
        if revision != self._anchored:
            sets, self._anchored_urls = self._store.certificate_sets()
            for one in sets:
                anchors.add(anchors_of(read_keys(one)))
            self._anchored = revision

    def note_refusal(
        self,
        request: Request,
        refused: OAuthError,
        *,
        presented: PresentedCredential | None = None,
        client_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
        now: int,
    ) -> None:
        """For the audit, and for whoever asks for the reason. The same few steps for every refusal.

        `client_id`: the client that a token speaks for, where none presents a credential.
        """
        named = client_id if presented is None else presented.client_id
        view = None if named is None else self.find_client(named, address=request.address)
        seen = see(request, refused, presented=presented, parameters=parameters or {}, view=view, now=now)
        self.refusals.note(seen)

    async def find_explanation(self, error_id: str, *, client_id: str) -> Explanation | None:
        """Why a request of that client was refused less than a day ago; also one of this very moment."""
        now = self.clock()
        found = self._store.find_explanation(error_id, now=now, client_id=client_id)
        if found is None:
            await self.refusals.flush()
            found = self._store.find_explanation(error_id, now=now, client_id=client_id)
        return found

    def dpop_nonce(self, now: int) -> str:
        """RFC 9449 §8: for the client's next proof; every node that has the pepper knows it as ours."""
        return dpop.new_nonce(self.peppers[0].key, now)

    def is_fresh_nonce(self, nonce: object, now: int) -> bool:
        return any(dpop.is_fresh(nonce, pepper.key, now) for pepper in self.peppers)

    def signing_key(self, now: int, purpose: Purpose = Purpose.ACCESS_TOKENS) -> Signer:
        """The current one. Raises Problem when there is none."""
        for record, phase in self._remembered.signing_keys(purpose, now):
            if phase is Phase.CURRENT:
                if record.kid not in self._opened:
                    self._opened[record.kid] = self._installation.signing_key(record)
                return self._opened[record.kid]
        raise Problem("no-signing-key", f"there is no active signing key for {purpose}")

    def published_jwks(self, now: int, purpose: Purpose = Purpose.ACCESS_TOKENS) -> tuple[dict[str, object], ...]:
        """The public keys to check with, the next one among them."""
        found = self._remembered.signing_keys(purpose, now)
        return tuple(json.loads(record.public_jwk) for record, phase in found if phase is not Phase.GONE)

    def verify(self, token: Secret, now: int) -> AccessToken | None:
        """A token of ours, for whatever resource, that is good now and not withdrawn; else None."""
        published = write_jwks(self.published_jwks(now))
        if self._verifying is None or self._verifying[0] != published:
            self._verifying = (published, KeySet.parse(published))
        try:
            found = verify_access_token(token, self._verifying[1], issuer=self.settings.issuer, audience=None, now=now)
        except InvalidToken:
            return None
        # RFC 7662 §4: what was revoked is not active.
        return None if self._withdrawn().find(found) is not None else found

    def feed(self, resource: str, *, since: int, now: int) -> Feed:
        """What concerns `resource` and is new after `since`."""
        # What comes meanwhile has a higher number, and comes with the next feed.
        listed, sequence = self._remembered.revocations()
        new = tuple(
            record.revocation
            for record in listed
            if record.sequence > since and record.revocation.forget_at > now and self._concerns(record, resource)
        )
        return Feed(since=since, sequence=sequence, issued_at=now, revocations=new)

    def revoke(self, token: AccessToken) -> None:
        """By the client that has it, in effect here with the next request. Blocking: for a thread."""
        actor = f"client:{token.client_id}"
        with self._store.change(now=self.clock(), actor=actor) as change:
            revocations.of_token(change, token)

    def take_report(self, resource: str, report: Report) -> bool:
        """What a resource tells of its use; False when it was told before. Blocking: for a thread."""
        with self._store.change(now=self.clock(), actor=SERVER) as change:
            return change.take_report(resource, report)

    async def exchange_counts(self) -> None:
        """Tells the other nodes what was let through here, and hears it of them; while they cannot be told, nothing."""
        if self._exchange is not None:
            now, news = self.clock(), self.throttle.shared.news()
            for counts in await asyncio.to_thread(self._exchange.tell, news, now):
                self.throttle.shared.hear(counts, now)

    def find_resource(self, url: str) -> Resource | None:
        return next((one for one in self.resources() if one.url == url), None)

    def rotate_keys_if_due(self) -> tuple[str, ...]:
        """The ids of the successors that were made, where this process leads. Blocking: for a thread."""
        if not self._lead.is_mine():
            return ()
        made = [
            key_rotation.rotate_if_due(
                self._installation, purpose, now=self.clock(), entropy=self.entropy, actor=SERVER
            )
            for purpose in Purpose
        ]
        return tuple(kid for kid in made if kid is not None)

    def _concerns(self, record: RevocationRecord, resource: str) -> bool:
        """A resource learns of nobody whom it does not serve."""
        if record.client_id is None and record.revocation.subject is Subject.TOKEN:
            return False  # an operator's
        if record.resource is not None or record.client_id is None:
            return record.resource in (resource, None)
        view = self.find_client(record.client_id, address=_HERE)
        return view is not None and any(grant.resource == resource for grant in view.client.grants)

    def _withdrawn(self) -> Revocations:
        listed, _ = self._remembered.revocations()
        if self._compared is None or self._compared[0] is not listed:
            entries = [record.revocation for record in listed]
            self._compared = (listed, Revocations().plus(entries, now=0))
        return self._compared[1]

    def resources(self) -> tuple[Resource, ...]:
        return self._remembered.resources()

    async def close(self) -> None:
        """Write what waits, then let the database go."""
        await self.grants.close()
        await self.refusals.close()
        if self.post is not None:
            await asyncio.to_thread(self.post.close)
        await asyncio.to_thread(self._lead.close)
        self.signing.close()
        await asyncio.to_thread(self.alarms.close)
        self._installation.close()

    def _new_post(self, channels: Channels) -> Post:
        calendar = Calendar(self._installation, entropy=self.entropy)
        return Post(self._store.outbox, calendar, channels, clock=self.clock, lead=self._lead)

    def _write_grants(self, batch: Sequence[TokenIssued]) -> Mapping[int, Exception]:
        doubtful: list[DoubtfulFirstUse] = []
        now = self.clock()
        replayed = self._store.record_grants(batch, now, doubtful=doubtful)
        self.alarms.first_used(doubtful, now)
        return {place: _REPLAYED[what]() for place, what in replayed.items()}

    def _write_refusals(self, batch: Sequence[Sighting]) -> None:
        """In a thread. Alarms go out first, and also when the disk is the trouble."""
        now = self.clock()
        try:
            resources = self._store.resources()
        except (Problem, self.database_errors):
            resources = ()
        explained = book.explain(batch, resources)
        self.alarms.refused(explained, now)
        refused = [book.audited(seen, found) for seen, found in zip(batch, explained, strict=True)]
        try:
            self._store.record_refusals(refused, now, explained=explained)
        except Exception:
            self.alarms.audit_failed(now)
            raise

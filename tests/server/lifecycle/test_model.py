"""The real store and the real acts against a simple model, thousands of steps on each database, crashes included."""

import contextlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from databases import name_of
from keyfob import database_url
from keyfob.ambient import system_entropy
from keyfob.oauth import client_information
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.client_authentication import Method, PresentedCredential
from keyfob.oauth.errors import InvalidClient
from keyfob.oauth.revocation_feed import Revocation, Revocations
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.problem import Problem
from keyfob.server import installation as installations
from keyfob.server import settings as setting_files
from keyfob.server.audit import events
from keyfob.server.audit.events import Kind
from keyfob.server.authenticate import authenticate
from keyfob.server.installation import Plan
from keyfob.server.lifecycle import clients, credentials, endings, partners
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.rotation import unopened_successors
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.records import ClientView, Confirmation, Resource, TokenIssued
from server.lifecycle import crashes
from server.lifecycle.lifecycle_model import DAY, REMEMBERED, UNOPENED, YEAR, Client, Credential, Feed, Partner, Token

pytestmark = [
    pytest.mark.on("sqlite", "postgresql"),
    pytest.mark.skipif(not hasattr(crashes.os, "fork"), reason="no fork"),
]

STEPS = 5000
EXAMPLE = 50
FAULTS, KILLS = 20, 2
"""Of a hundred acts so many die by a fault, and so many in a process that is killed."""
CRASHED, KILLED = 60, 10
"""More than so many must have died. Chance may give fewer: then ten examples are added, at most MORE times."""
MORE = 20
MOMENTS = ["commit", "after", *map(str, range(2, 14))]
API = "https://api.example"
START = 1_800_000_000
BY = "operator:model"
ADDRESS = "192.0.2.7"
EVENTS = {"suspend": Event.SUSPEND, "resume": Event.RESUME, "revoke": Event.REVOKE}
ALLOWED = {("active", "suspend"): "suspended", ("suspended", "resume"): "active"} | {
    (state, "revoke"): "revoked" for state in ("active", "suspended")
}


@dataclass
class World:
    """A home that has been made once, how a copy of it is made for each example, and what was done to them all."""

    home: Path
    new_url: object
    keys: list[tuple[object, object]]
    folder: Path
    counts: Counter[str] = field(default_factory=Counter)


class Lifecycle(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.world.folder))
        self.home = self.folder / "home"
        shutil.copytree(self.world.home, self.home)
        if self.world.new_url is not None:
            values = setting_files.read((self.home / setting_files.FILE).read_bytes(), where=setting_files.FILE)
            values["database.url"] = self.world.new_url()
            (self.home / setting_files.FILE).write_bytes(setting_files.write(values))
        self.opened = self.open()
        self.now = START
        self.partners: list[Partner] = []
        self.gone: list[Credential] = []  # of deleted clients, and such as were sealed and never came to count
        self.in_flight: list[tuple[Credential, TokenIssued]] = []
        self.tokens: list[Token] = []
        self.feed = Feed()
        self.ids: set[str] = set()
        self.numbers = 0
        self.since_opened, self.seen = 0, -1
        self.views: dict[str, ClientView | None] = {}
        self.entries: list[Revocation] = []
        self.recorded = self.opened.store.audit_verdict().count
        self.expected: list[tuple[str, str]] = []

    def open(self):
        return installations.open(self.home, environ={}, entropy=system_entropy)

    def teardown(self) -> None:
        self.opened.close()
        shutil.rmtree(self.folder)

    # What there is

    def clients(self) -> list[Client]:
        return [client for partner in self.partners for client in partner.clients]

    def credentials(self) -> list[Credential]:
        return [one for client in self.clients() for one in client.credentials]

    def choose(self, data, what, label):
        return data.draw(st.sampled_from(what), label=label)

    def choose_client(self, data) -> Client:
        """Mostly one that works, or little would happen; and one whose request is still under way."""
        racing = [one.client for one, _ in self.in_flight if one.client in self.clients()] * 8
        return self.choose(data, racing + [one for one in self.clients() if one.works()] * 4 + self.clients(), "client")

    def choose_credential(self, data) -> Credential:
        found = self.credentials()
        waiting = [one for one in found if one.waits(self.now)] * 8
        return self.choose(data, waiting + [one for one in found if one.works(self.now)] * 4 + found, "credential")

    # How an act is done

    def act(self, data, do, refused: str | None = None) -> bool:
        """Whether `do(installation)` took effect. `refused`: the code of the Problem that it must end in."""
        if refused is not None:
            self.world.counts["refused"] += 1
            with pytest.raises(Problem) as caught:
                do(self.opened)
            assert caught.value.code == refused, caught.value
            return False
        how = data.draw(st.integers(0, 99), label="dies")
        if how < 100 - FAULTS - KILLS:
            do(self.opened)
            return True
        moment = self.choose(data, MOMENTS, "at")
        if how >= 100 - KILLS:
            return self.killed(do, moment)
        try:
            with crashes.dying(self.opened, moment, crashes.fault):
                do(self.opened)
        except crashes.Crashed:
            self.world.counts["crashed"] += 1
            self.reopen()
            return moment == "after"
        return True

    def killed(self, do, moment: str) -> bool:
        self.opened.close()

        def in_child() -> None:
            opened = self.open()
            with crashes.dying(opened, moment, crashes.kill):
                do(opened)

        died = crashes.in_a_process_that_is_killed(in_child)
        self.world.counts["killed"] += died
        self.opened = self.open()
        return moment == "after" or not died

    def change(self, data, do, refused: str | None = None) -> bool:
        def inside(opened) -> None:
            with opened.store.change(now=self.now, actor=BY) as change:
                do(change)

        return self.act(data, inside, refused)

    def record(self, kind: Kind, name: str) -> None:
        self.expected.append((kind.value, name))

    def reopen(self) -> None:
        self.opened.close()
        self.opened = self.open()
        self.since_opened, self.seen = 0, -1

    def sealed(self, out: Path, client: Client) -> Credential:
        """What the partner finds in the message."""
        unsealer = PrivateKeyUnsealer(self.world.keys[client.partner.key][0])
        told = client_information.read(unsealer.unseal(out.read_bytes(), signer=self.opened.operator_certificate))
        client.id = told.client_id
        assert told.credential_id not in self.ids, "an id came back"
        self.ids.add(told.credential_id)
        return Credential(told.credential_id, told.client_secret, client, self.now + YEAR)

    def message(self) -> Path:
        self.numbers += 1
        return self.folder / f"{self.numbers}.asc"

    # The acts

    @initialize()
    def begins_with_a_client(self) -> None:
        self.add_partner_named("Acme", 0)

    def add_partner_named(self, name: str, key: int) -> None:
        certificate = self.world.keys[key][1]
        with self.opened.store.change(now=self.now, actor=BY) as change:
            partners.add(
                change, name, certificate, email="a@b.example", confirmed=Confirmation.FLAG, now=self.now,
                entropy=system_entropy,
            )  # fmt: skip
        self.partners.append(Partner(name, key))
        self.record(Kind.PARTNER_ADDED, name)
        self.check()

    def add_partner(self, _data) -> None:
        key = ({0, 1} - {one.key for one in self.partners}).pop()
        self.add_partner_named(("Acme", "Beta")[key], key)

    def create(self, data) -> None:
        name = self.choose(data, ["one", "two"], "name")
        partner = self.choose(data, self.partners, "partner")
        taken = any(one.name == name and one.state != "revoked" for one in partner.clients)
        refused = "partner-not-active" if partner.state != "active" else "client-exists" if taken else None
        application = Application(
            partner=partner.name, name=name, scope=frozenset({"a:read"}), resources=(API,), default_scope=None,
            details=(), token_lifetime=900, auth_method=Method.CLIENT_SECRET_BASIC,
        )  # fmt: skip
        out, client = self.message(), Client("", name, partner)

        def do(opened) -> None:
            credentials.create_client(
                opened, application, outlet=lambda _: out, now=self.now, entropy=system_entropy, actor=BY
            )

        happened = self.act(data, do, refused)
        if out.exists():
            made = self.sealed(out, client)
            made.use_by = self.now + UNOPENED
            if happened:
                client.credentials.append(made)
                partner.clients.append(client)
                self.record(Kind.CLIENT_CREATED, client.id)
                self.record(Kind.CREDENTIAL_SEALED, made.id)
            else:
                self.gone.append(made)
        assert out.exists() or not happened
        self.check()

    def rotate(self, data) -> None:
        overlap = self.choose(data, [0, 3600, 7 * DAY], "overlap")
        client = self.choose_client(data)
        refused = None
        if client.state == "revoked":
            refused = "client-revoked"
        elif client.partner.state != "active":
            refused = "partner-not-active"
        out = self.message()

        def do(opened) -> None:
            credentials.rotate(
                opened, client.id, overlap=overlap, outlet=lambda _: out, now=self.now, entropy=system_entropy, actor=BY
            )

        happened = self.act(data, do, refused)
        if out.exists():
            made = self.sealed(out, client)
            made.overlap, made.use_by = overlap, self.now + UNOPENED
            made.replaces = client.replaced_by_a_rotation(self.now)
            if happened:
                for waiting in [one for one in client.credentials if one.waits(self.now)]:
                    waiting.ended = True
                    self.record(Kind.CREDENTIAL_REPLACED, waiting.id)
                client.credentials.append(made)
                self.record(Kind.CREDENTIAL_SEALED, made.id)
            else:
                self.gone.append(made)
        assert out.exists() or not happened
        self.check()

    def use(self, data) -> None:
        """A token request, which is recorded at once, or after others have done something."""
        credential = self.choose_credential(data)
        at_once = self.choose(data, [True, False], "recorded at once")
        with self.opened.store.reading() as reading:
            works = self.authenticates(reading.find_client(credential.client.id), credential)
        assert works is credential.works(self.now)
        if not works:
            self.check()
            return
        self.numbers += 1
        grant = TokenIssued(
            jti=f"jti{self.numbers}", client_id=credential.client.id, credential_id=credential.id, resource=API,
            scope=frozenset({"a:read"}), authorization_details=(), kid="kid", expires_at=self.now + 900,
            address=ADDRESS, request_id="r",
        )  # fmt: skip
        self.tokens.append(Token(credential.client.id, credential.id, self.now))
        self.world.counts["first uses"] += not credential.used
        if at_once:
            self.is_recorded(data, credential, grant)
        else:
            self.in_flight.append((credential, grant))

    def a_request_ends(self, data) -> None:
        credential, grant = self.in_flight.pop(0)
        self.world.counts["overtaken"] += not credential.works(self.now)
        self.is_recorded(data, credential, grant)

    def is_recorded(self, data, credential: Credential, grant: TokenIssued) -> None:
        if self.act(data, lambda opened: opened.store.record_grants([grant], self.now)):
            self.record(Kind.TOKEN_ISSUED, grant.jti)
            if not credential.used:
                self.record(Kind.CREDENTIAL_FIRST_USED, credential.id)
            retiring = credential.is_used(self.now)
            if retiring is not None:
                self.record(Kind.CREDENTIAL_RETIRING, retiring.id)
        self.check()

    def finish(self, data) -> None:
        client = self.choose_client(data)
        ending = [one for one in client.credentials if one.lives(self.now) and one.dies_at is not None]
        refused = None if ending else "no-overlap"
        if self.change(data, lambda change: credentials.finish(change, client.id, now=self.now), refused):
            for one in ending:
                one.ended = True
                self.record(Kind.CREDENTIAL_RETIRED, one.id)
        self.check()

    def time_passes(self, data) -> None:
        """Often to the very second of a date, or to the one before it."""
        dates = {one.expires_at for one in self.credentials()} | {self.now + 1, self.now + 3600, self.now + 15 * DAY}
        dates |= {date for one in self.credentials() for date in (one.use_by, one.dies_at) if date is not None}
        dates |= {one.revoked_until for one in self.clients()}
        coming = sorted(date for date in dates if self.now < date < self.now + 2 * YEAR)
        # The far dates are rare, or little would be alive in the next steps.
        date = self.choose(data, coming[:4] * 4 + coming, "date")
        self.now = max(self.now, date - data.draw(st.integers(0, 1), label="before"))
        self.check()

    def change_client(self, data) -> None:
        client = self.choose_client(data)
        usual = {"active": ["suspend", "suspend", "resume", "revoke"], "suspended": ["resume"] * 4}
        verb = self.choose(data, [*usual.get(client.state, []), *EVENTS], "verb")
        state = ALLOWED.get((client.state, verb))
        do = lambda change: clients.set_state(change, client.id, EVENTS[verb], now=self.now)  # noqa: E731
        if self.change(data, do, None if state else "wrong-state"):
            client.state = state
            self.client_withdrawn(client, verb)
            kinds = {"suspend": Kind.CLIENT_SUSPENDED, "resume": Kind.CLIENT_RESUMED, "revoke": Kind.CLIENT_REVOKED}
            self.record(kinds[verb], client.id)
        self.check()

    def client_withdrawn(self, client: Client, verb: str) -> None:
        if verb != "resume":
            self.feed.withdraw("client_id", client.id, self.now + 30)
            client.revoked_until = self.now + REMEMBERED
        elif client.works():
            self.feed.withdraw("client_id", client.id, self.now - 1)
            client.revoked_until = self.now - 31 + REMEMBERED

    def revoke_credential(self, data) -> None:
        credential = self.choose_credential(data)
        client = credential.client
        do = lambda change: endings.revoke_credential(change, client.id, credential.id, now=self.now)  # noqa: E731
        if self.change(data, do, "wrong-state" if credential.revoked else None):
            credential.ended = credential.revoked = True
            self.feed.withdraw("credential_id", credential.id, self.now + 30)
            client.revoked_until = max(client.revoked_until, self.now + REMEMBERED)
            self.record(Kind.CREDENTIAL_REVOKED, credential.id)
        self.check()

    def delete_client(self, data) -> None:
        client = self.choose_client(data)
        refused = None
        if client.state != "revoked":
            refused = "wrong-state"
        elif self.now < client.revoked_until:
            refused = "tokens-alive"
        if self.change(data, lambda change: endings.delete_client(change, client.id, now=self.now), refused):
            self.is_deleted(client)
        self.check()

    def is_deleted(self, client: Client) -> None:
        client.partner.clients.remove(client)
        self.gone += client.credentials
        self.record(Kind.CLIENT_DELETED, client.id)

    def stop_partner(self, data) -> None:
        """Half-heartedly: most of what can be done to its clients needs one that is active."""
        partner = self.choose(data, self.partners, "partner")
        really = self.choose(data, [False, False, True], "really")
        verb = "suspend" if partner.state == "active" and really else "resume"
        state = ALLOWED.get((partner.state, verb))
        do = lambda change: partners.set_state(change, partner.name, EVENTS[verb], now=self.now)  # noqa: E731
        if self.change(data, do, None if state else "wrong-state"):
            partner.state = state
            for client in partner.clients:
                if client.state == "active":
                    self.client_withdrawn(client, verb)
            self.record(Kind.PARTNER_SUSPENDED if verb == "suspend" else Kind.PARTNER_RESUMED, partner.name)
        self.check()

    def revoke_partner(self, data) -> None:
        """Mostly only what `--dry-run` shows."""
        partner = self.choose(data, self.partners, "partner")
        really = self.choose(data, [False, False, False, True], "really")
        if not really and partner.state != "revoked":
            with self.opened.store.reading() as reading:
                shown = endings.of_partner(reading, partner.name, now=self.now)
            assert set(shown.clients) == {one.id for one in partner.clients if one.state != "revoked"}
            living = [one for client in partner.clients for one in client.credentials if one.lives(self.now)]
            assert set(shown.credentials) == {one.id for one in living}
            assert set(shown.unopened) == {one.id for one in living if not one.used}
            self.check()
            return
        refused = "wrong-state" if partner.state == "revoked" else None
        if self.change(data, lambda change: endings.revoke_partner(change, partner.name, now=self.now), refused):
            partner.state = "revoked"
            self.record(Kind.PARTNER_REVOKED, partner.name)
            for client in partner.clients:
                if client.state != "revoked":
                    client.state = "revoked"
                    self.client_withdrawn(client, "revoke")
                    self.record(Kind.CLIENT_REVOKED, client.id)
                for one in client.credentials:
                    if one.lives(self.now):
                        one.ended = one.revoked = True
                        self.record(Kind.CREDENTIAL_REVOKED, one.id)
        self.check()

    def delete_partner(self, data) -> None:
        partner = self.choose(data, self.partners, "partner")
        refused = None
        if partner.state != "revoked":
            refused = "wrong-state"
        elif any(self.now < client.revoked_until for client in partner.clients):
            refused = "tokens-alive"
        if self.change(data, lambda change: endings.delete_partner(change, partner.name, now=self.now), refused):
            for client in [*partner.clients]:
                self.is_deleted(client)
            self.record(Kind.PARTNER_DELETED, partner.name)
            self.partners.remove(partner)
        self.check()

    def the_store_is_opened_anew(self, _data) -> None:
        self.world.counts["reopened"] += 1
        self.reopen()
        self.check()

    # What may come next, and how often

    @rule(data=st.data())
    def something_happens(self, data) -> None:
        has_clients, has_credentials = bool(self.clients()), bool(self.credentials())
        possible = {
            self.use: 8 * has_credentials,
            self.rotate: 4 * has_clients,
            self.create: 2 * (bool(self.partners) and len(self.clients()) < 5),
            self.time_passes: 3 * (not self.in_flight),
            self.a_request_ends: 3 * bool(self.in_flight),
            self.finish: has_clients,
            self.change_client: 2 * has_clients,
            self.revoke_credential: has_credentials,
            self.delete_client: has_clients,
            self.stop_partner: bool(self.partners),
            self.revoke_partner: bool(self.partners),
            self.delete_partner: 3 * any(one.state == "revoked" for one in self.partners),
            self.add_partner: 2 * (len(self.partners) < 2),
            self.the_store_is_opened_anew: self.since_opened >= 20,
        }
        weighted = [act for act, weight in possible.items() for _ in range(weight)]
        names = [act.__name__ for act in weighted]
        getattr(self, self.choose(data, names, "what"))(data)

    # What must hold after each of them

    def authenticates(self, view, credential: Credential) -> bool:
        presented = PresentedCredential(credential.client.id, Method.CLIENT_SECRET_BASIC, credential.secret)
        try:
            found = authenticate(view, presented, self.opened.peppers, address=ADDRESS, now=self.now)
        except InvalidClient:
            return False
        return found.credential.id == credential.id

    def check(self) -> None:
        self.world.counts["steps"] += 1
        self.since_opened += 1
        self.see()
        for client in self.clients():
            view = self.views[client.id]
            assert {one.id for one in view.credentials} == {one.id for one in client.credentials}
            for one in client.credentials:
                assert self.authenticates(view, one) is one.works(self.now), one
            assert len(unopened_successors(view.credentials, self.now)) <= 1
        for one in self.gone[-6:]:
            assert not self.authenticates(self.views[one.client.id], one), "a secret that never counted"
        feed = Revocations().plus(self.entries, now=self.now)
        for token in self.tokens[-20:]:
            if self.now < token.issued_at + 900:
                assert (feed.find(_access_token(token)) is not None) is self.feed.refuses(token), token
        self.check_audit()

    def see(self) -> None:
        """As the server does: what it keeps in memory holds for as long as the revision is the same."""
        ids = {one.id for one in self.clients()} | {one.client.id for one in self.gone[-6:]}
        with self.opened.store.reading() as reading:
            revision = reading.revision()
            if revision != self.seen or not ids <= self.views.keys():
                self.seen = revision
                self.views = {client_id: reading.find_client(client_id) for client_id in ids}
                self.entries = [record.revocation for record in reading.revocations()]

    def check_audit(self) -> None:
        verdict = self.opened.store.audit_verdict()
        assert verdict.findings == ()
        count, self.recorded = verdict.count - self.recorded, verdict.count
        new = [events.read(entry.payload) for entry in self.opened.store.audit_tail(count)] if count else []
        said = [(one["kind"], one[_NAMED.get(one["kind"], "credential_id")]) for one in new]
        assert sorted(said) == sorted(self.expected), "each act is in the audit exactly once"
        self.expected = []


_NAMED = {
    "token_issued": "jti",
    **{f"client_{verb}": "client_id" for verb in ("created", "suspended", "resumed", "revoked", "deleted")},
    **{f"partner_{verb}": "name" for verb in ("added", "suspended", "resumed", "revoked", "deleted")},
}


def _access_token(token: Token) -> AccessToken:
    return AccessToken(
        issuer="https://localhost:8443", subject=token.client_id, client_id=token.client_id, audience=API, jti="j",
        scope=frozenset({"a:read"}), issued_at=token.issued_at, expires_at=token.issued_at + 900,
        authorization_details=(), credential_id=token.credential_id,
    )  # fmt: skip


@pytest.fixture
def world(request, database_kind, new_database_url, tmp_path):
    """In memory, where there is room: no example is kept."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path
    folder = Path(tempfile.mkdtemp(prefix="keyfob-model-", dir=memory))
    url = new_database_url()
    plan = Plan("https://localhost:8443", None if url is None else database_url.choose(url, where="a test"))
    home = folder / "template"
    installations.create(home, plan, now=START, entropy=system_entropy, actor="operator:test", environ={})
    with contextlib.closing(installations.open(home, environ={}, entropy=system_entropy)) as opened:
        with opened.store.change(now=START, actor=BY) as change:
            change.put_resource(Resource(API, (("a:read", "Read a"),), (), '{"keys": []}', START))
            change.record(Kind.RESOURCE_ADDED, resource=API)
    keys = [openpgp_keys.generate_operator_key(f"Partner {number}") for number in range(2)]
    new_url = None if url is None else lambda: request.getfixturevalue("postgresql").new_url(name_of(url))
    yield World(home, new_url, keys, folder)
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
def test_no_secret_works_that_must_not_and_none_is_lost(world, capsys, database_kind):
    machine = type("Machine", (Lifecycle,), {"world": world})
    rounds = settings(
        max_examples=STEPS // EXAMPLE + 3,
        stateful_step_count=EXAMPLE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    run_state_machine_as_test(machine, settings=rounds)
    counts = world.counts
    for _ in range(MORE):
        if counts["crashed"] <= CRASHED or counts["killed"] <= KILLED:
            run_state_machine_as_test(machine, settings=settings(rounds, max_examples=10))
    with capsys.disabled():
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        click.echo(f"\nmodel on {database_kind}: {told}")
    assert counts["steps"] >= STEPS
    assert counts["crashed"] > CRASHED and counts["killed"] > KILLED

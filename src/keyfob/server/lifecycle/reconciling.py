"""From what there is to what is declared: a plan of acts, each of which is one of the usual ones, in one transaction.

Nothing is written for what is so already. A plan that was broken off is finished by making it anew: each act that was
done is then no difference any more. A secret is made last in its act and by `handoff`: its file first, the commit last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from keyfob.ambient import Clock, Entropy
from keyfob.oauth import scope as scopes
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.server.audit.events import Acting
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import alterations, clients, credentials, partners
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.credentials import Issued
from keyfob.server.lifecycle.declaration import DeclaredClient, DeclaredPartner
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import Client, Confirmation, Partner, State
from keyfob.settings import Fault

RIGHTS, FINGERPRINTS = "rights", "fingerprints"


@dataclass(frozen=True, slots=True)
class Doing:
    """Who acts on what, when; `outlet`: where sealed messages go."""

    installation: Installation
    outlet: Outlet
    clock: Clock
    entropy: Entropy
    actor: Acting

    def change(self, act: Callable[[Change, int], object]) -> None:
        now = self.clock()
        with self.installation.store.change(now=now, actor=self.actor) as change:
            # As of here, where nobody else writes.
            act(change, self.clock())


@dataclass(frozen=True, slots=True)
class Step:
    """One act. `lines`: what will be different. `application`: of a client that is to be made. `needs`: what it gives
    or confirms, as the setting operators.second_for calls it.
    """

    act: str
    partner: str
    client: str | None
    lines: tuple[str, ...]
    do: Callable[[Doing], Issued | None] = field(repr=False)
    application: Application | None = None
    needs: tuple[str, ...] = ()

    @property
    def makes_secret(self) -> bool:
        return self.application is not None and self.application.auth_method not in clients.METHODS_WITHOUT_SECRET

    @property
    def subject(self) -> str:
        return self.partner if self.client is None else f"{self.partner} / {self.client}"


@dataclass(frozen=True, slots=True)
class Plan:
    """`undeclared`: what is there and not in the file, and is left alone, (partner, client or None)."""

    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]
    undeclared: tuple[tuple[str, str | None], ...]


def plan(
    reading: Reading,
    installation: Installation,
    declared: Sequence[DeclaredPartner],
    *,
    suspend_undeclared: bool = False,
    now: int,
) -> Plan:
    """What is to be done, and every mistake that only the database shows. Nothing is written."""
    planner = _Planner(reading, installation, now)
    for one in declared:
        planner.partner(one)
    planner.find_undeclared(declared, suspend=suspend_undeclared)
    return Plan(tuple(planner.steps), tuple(planner.faults), tuple(planner.undeclared))


class _Planner:
    def __init__(self, reading: Reading, installation: Installation, now: int) -> None:
        self._reading = reading
        self._installation = installation
        self._now = now
        self._known = {one.name: one for one in reading.partners()}
        self._fingerprints = {one.fingerprint: one.name for one in self._known.values()}
        self.steps: list[Step] = []
        self.faults: list[Fault] = []
        self.undeclared: list[tuple[str, str | None]] = []

    def partner(self, declared: DeclaredPartner) -> None:
        known = self._known.get(declared.name)
        try:
            usable = self._certificate(declared, known)
        except Problem as refused:
            self._refuse(declared.place, f"certificate: {refused.message}", refused)
            usable = None
        if known is not None and known.state is State.REVOKED:
            hint = f"to take it up anew, first: keyfob-server partner delete {known.name!r}"
            self.faults.append(Fault(declared.place, "partner-revoked", "the partner is revoked, for good", hint))
            return
        state = State.ACTIVE if known is None else known.state
        if declared.state is State.ACTIVE and state is not State.ACTIVE:
            self._set_partner(declared.name, Event.RESUME)
        found = () if known is None else self._reading.clients(partner_id=known.id)
        present = {one.name: one for one in found if one.state is not State.REVOKED}
        for program in declared.clients:
            try:
                self._client(declared, program, known, present.get(str(program.application.name)), usable)
            except Problem as refused:
                self._refuse(program.place, refused.message, refused)
        if declared.state is State.SUSPENDED and state is not State.SUSPENDED:
            self._set_partner(declared.name, Event.SUSPEND)

    def _certificate(self, declared: DeclaredPartner, known: Partner | None) -> Certificate | None:
        """The certificate that will be the partner's, with the act that makes it so. None: it is not usable now."""
        presented = certificates.read_signer(declared.certificate)
        partners.check_confirmed(presented, declared.fingerprint)
        owner = self._fingerprints.setdefault(presented.fingerprint, declared.name)
        if owner != declared.name:
            raise Problem("certificate-known", f"that certificate is the partner {owner!r}'s")
        is_same = known is not None and known.certificate == presented.armored
        try:
            checked = certificates.check(declared.certificate, now=self._now)
        except Problem:
            # One that has run out since it was taken up is no difference: only a secret needs it.
            if not is_same:
                raise
            checked = None
        if known is None or checked is None or not is_same or known.email != declared.email:
            self._take_up(declared, known, checked or presented, is_same=is_same)
        return checked

    def _take_up(self, declared: DeclaredPartner, known: Partner | None, found: Certificate, *, is_same: bool) -> None:
        name, email = declared.name, declared.email
        if known is None:
            told = (f"email        {email}", f"fingerprint  {found.fingerprint}")

            def add(doing: Doing) -> None:
                doing.change(
                    lambda change, now: partners.add(
                        change, name, found, email=email, confirmed=Confirmation.FLAG, now=now, entropy=doing.entropy
                    )
                )

            self.steps.append(Step("add partner", name, None, told, add, needs=(FINGERPRINTS,)))
            return
        lines: tuple[str, ...] = ()
        if known.email != email:
            lines = (f"email        {known.email} -> {email}",)
        if known.fingerprint != found.fingerprint:
            lines = (*lines, f"fingerprint  {known.fingerprint} -> {found.fingerprint}")
        elif not is_same:
            if certificates.signed_at(found.armored) < certificates.signed_at(known.certificate):
                hint = f"ask for a fresh export: gpg --armor --output FILE.asc --export {known.fingerprint}"
                raise Problem("certificate-older", "a newer form of this certificate is known", hint=hint)
            lines = (*lines, "certificate  a newer form of the same key")
        if not lines:
            return

        def renew(doing: Doing) -> None:
            def act(change: Change, now: int) -> None:
                if partners.get(change.reading, name) != known:
                    raise Problem("partner-changed", "the partner was changed meanwhile", hint="apply the file again")
                if known.fingerprint != found.fingerprint:
                    how = Confirmation.FLAG
                    partners.replace_key(change, known, found, email=email, confirmed=how, now=now)
                else:
                    partners.renew(change, known, found, email=email, now=now)

            doing.change(act)

        needs = () if known.fingerprint == found.fingerprint else (FINGERPRINTS,)
        self.steps.append(Step("change partner", name, None, lines, renew, needs=needs))

    def _client(
        self,
        declared: DeclaredPartner,
        program: DeclaredClient,
        owner: Partner | None,
        present: Client | None,
        usable: Certificate | None,
    ) -> None:
        application = program.application
        clients.check_asking(self._installation.settings, application)
        if present is None:
            made = clients.described(self._reading, application, client_id="", partner_id="", now=self._now)
            if declared.state is State.SUSPENDED:
                raise Problem("partner-not-active", "the partner is suspended: it gets no new client")
            if usable is None and application.auth_method not in clients.METHODS_WITHOUT_SECRET:
                raise Problem(
                    "certificate-unusable",
                    "its secret cannot be sealed to the partner's certificate, as that is now",
                    hint="put a renewed one beside the file: gpg --armor --output FILE.asc --export FPR",
                )
            self._create(application, made)
        else:
            if self._reading.find_registration(present.id) is not None:
                raise Problem("client-registered", f"{present.id} registered itself: what it may do is its partner's")
            self._change(application, present)
        state = State.ACTIVE if present is None else present.state
        if program.state is not state:
            self._set_client(
                declared.name, str(application.name), Event.SUSPEND if state is State.ACTIVE else Event.RESUME
            )

    def _create(self, application: Application, made: Client) -> None:
        def create(doing: Doing) -> Issued:
            now, where = doing.clock(), doing.installation
            if application.auth_method in clients.METHODS_WITHOUT_SECRET:
                return credentials.create_key_client(
                    where, application, now=now, entropy=doing.entropy, actor=doing.actor
                )
            return credentials.create_client(
                where, application, outlet=doing.outlet, now=now, entropy=doing.entropy, actor=doing.actor
            )

        lines = [f"{grant.resource}: {scopes.write(grant.scope)}" for grant in made.grants]
        lines.append(f"authorization_details: {write_details(made.authorization_details)}")
        lines.append(f"auth_method: {application.auth_method}")
        name = str(application.name)
        self.steps.append(
            Step("create client", application.partner, name, tuple(lines), create, application, needs=(RIGHTS,))
        )

    def _change(self, application: Application, present: Client) -> None:
        wanted = alterations.altered(self._reading, present, application, now=self._now)
        different = alterations.differences(present, wanted)
        if not different:
            return

        def change(doing: Doing) -> None:
            doing.change(lambda change, now: alterations.alter(change, present, wanted, now=now))

        lines = tuple(f"{name}: {_text(old)} -> {_text(new)}" for name, (old, new) in different.items())
        needs = (RIGHTS,) if alterations.gives(present, wanted) else ()
        self.steps.append(Step("change client", application.partner, present.name, lines, change, needs=needs))

    def _set_partner(self, name: str, event: Event) -> None:
        def act(doing: Doing) -> None:
            doing.change(lambda change, now: partners.set_state(change, name, event, now=now))

        needs = (RIGHTS,) if event is Event.RESUME else ()
        self.steps.append(Step(f"{event} partner", name, None, (), act, needs=needs))

    def _set_client(self, partner: str, name: str, event: Event) -> None:
        """By name: it may be made by an earlier act of the same plan."""

        def act(doing: Doing) -> None:
            def set_state(change: Change, now: int) -> None:
                owner = partners.get(change.reading, partner)
                same = [one for one in change.reading.clients(partner_id=owner.id) if one.name == name]
                alive = [one for one in same if one.state is not State.REVOKED]
                if not alive:
                    raise Problem("client-gone", "the client is gone meanwhile", hint="apply the file again")
                clients.set_state(change, alive[0].id, event, now=now)

            doing.change(set_state)

        needs = (RIGHTS,) if event is Event.RESUME else ()
        self.steps.append(Step(f"{event} client", partner, name, (), act, needs=needs))

    def find_undeclared(self, declared: Sequence[DeclaredPartner], *, suspend: bool) -> None:
        """What the file does not name. A whole partner may stand in another file, and is never suspended."""
        by_name = {one.name: one for one in declared}
        for known in self._known.values():
            if known.state is State.REVOKED:
                continue
            if known.name not in by_name:
                self.undeclared.append((known.name, None))
                continue
            named = {program.application.name for program in by_name[known.name].clients}
            for one in self._reading.clients(partner_id=known.id):
                if one.state is State.REVOKED or one.name in named:
                    continue
                if self._reading.find_registration(one.id) is not None:
                    continue
                if suspend and one.state is State.ACTIVE:
                    self._set_client(known.name, one.name, Event.SUSPEND)
                else:
                    self.undeclared.append((known.name, one.name))

    def _refuse(self, place: str, message: str, refused: Problem) -> None:
        self.faults.append(Fault(place, refused.code, message, refused.hint))


def apply(made: Plan, doing: Doing, *, told: Callable[[Step, Issued | None], None]) -> None:
    """Do it, one act after another; `told` of each that is done. Raises Problem that says how far it came."""
    for number, step in enumerate(made.steps):
        try:
            issued = step.do(doing)
        except Problem as refused:
            raise type(refused)(
                refused.code,
                f"{step.act} {step.subject}: {refused.message} ({number} of {len(made.steps)} acts are done)",
                hint=refused.hint or "apply the file again: what is done is not done twice",
            ) from refused
        told(step, issued)


def _text(words: object) -> str:
    if isinstance(words, list):
        return ", ".join(map(str, words)) or "none"
    return "none" if words is None else str(words)

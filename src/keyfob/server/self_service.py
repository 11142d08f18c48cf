"""What others do by themselves at the running server: fetch a message, sign for it, replace a secret, report a leak.

Everything here writes to the database, or seals: it is blocking, for a thread.
"""

import logging

from keyfob.ambient import Clock, Entropy
from keyfob.problem import Problem
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import (
    acknowledgements,
    change_requests,
    clients,
    leaks,
    links,
    replacement,
    succession,
    usage,
)
from keyfob.server.lifecycle.leaks import Report, Reported
from keyfob.server.lifecycle.links import Offered
from keyfob.server.lifecycle.succession import Asking, Successor
from keyfob.server.lifecycle.usage import Advice

_log = logging.getLogger("keyfob.server")

_STRANGER = "stranger"
"""The actor of what anybody does who has a link."""


class SelfService:
    def __init__(self, installation: Installation, *, clock: Clock, entropy: Entropy) -> None:
        self._installation = installation
        self._store = installation.store
        self._clock = clock
        self._entropy = entropy

    def offered(self, token: str) -> Offered | None:
        """What a link leads to. Uses nothing up."""
        with self._store.reading() as reading:
            return links.find(reading, token, now=self._clock())

    def fetch(self, token: str, *, address: str) -> tuple[Offered, bytes] | None:
        """The ciphertext behind a link, one fetch less."""
        now = self._clock()
        if self.offered(token) is None:
            return None  # what strangers guess waits for no lock
        with self._store.change(now=now, actor=_STRANGER) as change:
            return links.fetch(change, token, address=address, now=now)

    def acknowledge(self, signed: bytes, *, address: str) -> str:
        """The client whose message was signed for. Raises NotBelieved."""
        now = self._clock()
        issuer, decoy = self._installation.settings.issuer, self._installation.operator_certificate
        with self._store.reading() as reading:
            done = acknowledgements.check(reading, signed, issuer=issuer, decoy=decoy, now=now)
        with self._store.change(now=now, actor=f"client:{done.client_id}") as change:
            acknowledgements.record(change, done, address=address)
        return done.client_id

    def ask_for_change(self, signed: bytes) -> dict[str, object]:
        """What came of what a partner asked for by its signature. Raises NotBelieved, NotAnnounced."""
        now, settings = self._clock(), self._installation.settings
        decoy = self._installation.operator_certificate
        with self._store.reading() as reading:
            asked = change_requests.check(reading, signed, issuer=settings.issuer, decoy=decoy, now=now)
        announced_for = settings.credentials.announced_for
        with self._store.change(now=now, actor=f"partner:{asked.partner.id}") as change:
            return change_requests.carry_out(change, asked, now=now, announced_for=announced_for)

    def report_leak(self, report: Report) -> Reported:
        """What became of something that somebody found. What is withdrawn stays so, whether or not another comes."""
        done = leaks.handle(self._installation, report, now=self._clock())
        if done.is_dark and done.client_id is not None and done.credential_id is not None:
            self._replace(done.client_id, done.credential_id)
        return done

    def _replace(self, client_id: str, leaked: str) -> None:
        """Whatever goes wrong here, the secret is withdrawn, and that is what is told."""
        try:
            made = replacement.offer(self._installation, client_id, leaked, now=self._clock(), entropy=self._entropy)
            _log.info("replacement_sealed client_id=%s credential_id=%s", client_id, made)
        except Problem as refused:
            _log.warning("replacement_not_sealed client_id=%s reason=%s", client_id, refused.message)
        except Exception:
            _log.exception("replacement_not_sealed client_id=%s", client_id)

    def successor(self, asking: Asking) -> Successor:
        """Raises NotPossible."""
        return succession.ask(self._installation, asking, now=self._clock(), entropy=self._entropy)

    def granted(self, client_id: str) -> Advice:
        """What a client holds, and whether it was used within the usual time. Raises Misuse when it is no more."""
        with self._store.reading() as reading:
            client = clients.get(reading, client_id).client
            return usage.advise(reading, client, unused_for=usage.UNUSED_FOR, now=self._clock())

    def finish(self, asking: Asking) -> tuple[str, ...]:
        """The ids of the credentials whose overlap was ended. Raises NotPossible."""
        now = self._clock()
        with self._store.change(now=now, actor=asking.actor) as change:
            return tuple(one.id for one in succession.finish(change, asking, now=now))

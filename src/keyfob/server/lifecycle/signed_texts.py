"""What a partner sends signed in clear: believed by the signature of its confirmed certificate, and by nothing else.

In this order; nothing is believed before 3:
    1 it is one text signed in clear; the client that it names is UNVERIFIED and serves only to find the certificate
    2 its date is of now, and its issuer is this one
    3 the confirmed certificate of the client's partner, usable today, has signed it, and nobody else
Whoever is refused learns nothing of which it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import clearsigned
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import ClientView, Partner

MAX_AGE, LEEWAY = 600, 60
"""Seconds since it was written, and how far a clock may be ahead."""


class NotBelieved(Problem):
    """Nobody is known to have signed it. The text is for the operator's log, not for whoever sent it."""


class Claim(Protocol):
    """A text that was read: see keyfob.acknowledgement, keyfob.change_request."""

    @property
    def client_id(self) -> str: ...

    @property
    def issuer(self) -> str: ...

    @property
    def written_at(self) -> int: ...


T = TypeVar("T", bound=Claim)


@dataclass(frozen=True, slots=True)
class Believed(Generic[T]):
    """What was signed (`text`, as bytes too), by whose certificate; only `check` makes one."""

    claim: T
    text: bytes
    view: ClientView
    partner: Partner
    certificate: Certificate


def check(
    reading: Reading, signed: bytes, read: Callable[[bytes], T], *, issuer: str, decoy: Certificate, now: int
) -> Believed[T]:
    """`read` raises ValueError or Problem for what is no such text. Raises NotBelieved.

    `decoy` is checked against where there is no such client: the time tells nothing.
    """
    try:
        claimed = read(clearsigned.read_unverified(signed))
        if claimed.issuer != issuer or not now - MAX_AGE <= claimed.written_at <= now + LEEWAY:
            raise NotBelieved("wrong-time-or-issuer", "its date or issuer is another")
        view = reading.find_client(claimed.client_id)
        partner = None if view is None else reading.partner_of(view.client)
        certificate = decoy if partner is None else certificates.read_signer(partner.certificate, now=now)
        text = clearsigned.verify(signed, signer=certificate)
        verified = read(text)
    except NotBelieved:
        raise
    except (Problem, ValueError) as refused:
        raise NotBelieved("not-believed", str(refused)) from refused
    if view is None or partner is None or verified != claimed:
        raise NotBelieved("no-such-client", "it names no client that is known here")
    return Believed(verified, text, view, partner, certificate)

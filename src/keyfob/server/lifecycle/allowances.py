"""How a partner is let to register clients by itself (RFC 7591): by an initial access token, sealed to its certificate.

The token says whose the client will be, and what is the most that it may have; it works so often and so long as the
operator says. The file is written first and the database commits last, as in `handoff`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.client_secret import Prefix
from keyfob.oauth import registration_invitation, scope
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.registration_invitation import Delivery, Invitation, Renewal
from keyfob.oauth.scope import Scope
from keyfob.openpgp import seal
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from keyfob.server import profiles
from keyfob.server.audit.events import Acting, Field, Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import clients, handoff, partners
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.server.lifecycle.names import near_miss
from keyfob.server.refusals.causes import Cause
from keyfob.server.secret_hash import Pepper, hash_secret, matches
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import Allowance, Partner, Profile, State

DAY = 24 * 3600
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a client which registers itself may have. `lifetime`: of the token that allows it, in seconds."""

    partner: str
    scope: Scope
    resources: tuple[str, ...]
    details: Details
    token_lifetime: int
    dpop_bound: bool
    profile: Profile
    uses: int
    lifetime: int


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token of ours in a sealed message; the token itself is gone."""

    armored: bytes
    evidence: dict[str, Field]


@dataclass(frozen=True, slots=True)
class Allowed:
    """An allowance, and its token in the message `name`; `path`: where that is, if it was written here."""

    allowance: Allowance
    armored: bytes
    name: str
    path: Path | None


def allow(
    installation: Installation, bounds: Bounds, *, outlet: Outlet, now: int, entropy: Entropy, actor: Acting
) -> Allowed:
    """An allowance with its sealed token (ID.asc). Raises Misuse or Problem."""
    with installation.store.reading() as reading:
        partner = check(reading, bounds)
    secret_id = client_secret.new_id("", entropy(partners.ID_BYTES))
    secret = client_secret.make(secret_id, entropy(_SECRET_BYTES), prefix=Prefix.INITIAL_ACCESS_TOKEN)
    allowance = Allowance(
        id=secret_id,
        partner_id=partner.id,
        state=State.ACTIVE,
        token_hash=hash_secret(secret, installation.peppers[0]),
        scope=bounds.scope,
        resources=bounds.resources,
        authorization_details=bounds.details,
        profile=bounds.profile,
        token_lifetime=bounds.token_lifetime,
        dpop_bound=bounds.dpop_bound,
        uses_left=bounds.uses,
        expires_at=now + bounds.lifetime,
        created_at=now,
    )
    sealed = seal_to(installation, partner, _invitation(installation, allowance, secret), now=now, entropy=entropy)
    name = f"{secret_id}.asc"
    path = outlet(name)
    with (
        handoff.in_file(path, sealed.armored, counts=lambda: _counts(installation, secret_id)),
        installation.store.change(now=now, actor=actor) as change,
    ):
        change.add_allowance(allowance)
        change.record(Kind.REGISTRATION_ALLOWED, **_evidence(allowance), **sealed.evidence)
    return Allowed(allowance, sealed.armored, name, path)


def check(reading: Reading, bounds: Bounds) -> Partner:
    """The partner that may be allowed so much. Raises Misuse or Problem."""
    profiles.check_lifetime(bounds.profile, bounds.token_lifetime)
    partner = partners.get(reading, bounds.partner)
    clients.grants(reading, _widest(bounds))
    if partner.state is not State.ACTIVE:
        raise Problem("partner-not-active", f"the partner {partner.name} is {partner.state}")
    return partner


def withdraw(change: Change, allowance_id: str) -> None:
    """Its token registers nobody any more; who registered with it stays. Raises Misuse."""
    found = get(change.reading, allowance_id)
    if found.state is State.REVOKED:
        raise Misuse("already-withdrawn", f"{allowance_id} is withdrawn already", hint="nothing was changed")
    change.set_allowance_state(allowance_id, State.REVOKED)
    change.record(Kind.REGISTRATION_WITHDRAWN, allowance_id=allowance_id, partner_id=found.partner_id)


def get(reading: Reading, allowance_id: str) -> Allowance:
    """Raises Misuse that names the nearest id."""
    found = reading.find_allowance(allowance_id)
    if found is None:
        known = [one.id for one in reading.allowances()]
        raise Misuse(
            "unknown-allowance", "no registration was allowed under that id", hint=near_miss(allowance_id, known)
        )
    return found


def admit(
    reading: Reading, presented: Secret | None, peppers: Sequence[Pepper], *, now: int
) -> tuple[Allowance, Partner]:
    """Whom the token lets register, and how far. Raises InvalidToken, the same whatever the reason (RFC 7591 §3)."""
    if presented is None:
        raise InvalidToken(detail=Cause.REGISTRATION_TOKEN_MISSING)
    named = client_secret.credential_id(presented, prefix=Prefix.INITIAL_ACCESS_TOKEN)
    found = None if named is None else reading.find_allowance(named)
    if not matches(presented, None if found is None else found.token_hash, peppers) or found is None:
        raise InvalidToken(detail=Cause.REGISTRATION_TOKEN_UNKNOWN)
    owner = next(one for one in reading.partners() if one.id == found.partner_id)
    for refused, cause in (
        (found.state is not State.ACTIVE, Cause.REGISTRATION_WITHDRAWN),
        (found.uses_left < 1, Cause.REGISTRATION_USED_UP),
        (now >= found.expires_at, Cause.REGISTRATION_TOKEN_EXPIRED),
        (owner.state is not State.ACTIVE, Cause.PARTNER_NOT_ACTIVE),
    ):
        if refused:
            raise InvalidToken(detail=cause)
    return found, owner


def seal_to(
    installation: Installation, partner: Partner, content: Invitation | Renewal, *, now: int, entropy: Entropy
) -> SealedToken:
    """`content`, sealed to the partner and signed by the operator. Raises Problem: its certificate is not usable."""
    recipient = partners.usable_certificate(partner, now=now)
    message_id = client_secret.new_id("msg_", entropy(partners.ID_BYTES))
    delivery = Delivery(message_id, now, installation.settings.issuer, recipient.fingerprint)
    plaintext = registration_invitation.write(content, delivery)
    armored = seal.seal(plaintext, recipient=recipient, operator_key=installation.operator_key())
    evidence: dict[str, Field] = {
        "message_id": message_id,
        "recipient_fingerprint": recipient.fingerprint,
        "signer_fingerprint": installation.operator_certificate.fingerprint,
        "digest": hashlib.sha256(armored).hexdigest(),
    }
    return SealedToken(armored, evidence)


def _widest(bounds: Bounds) -> Application:
    """A client with all of it: what cannot be granted then, nobody could be granted."""
    return Application(
        partner=bounds.partner,
        name=None,
        scope=bounds.scope,
        resources=bounds.resources,
        default_scope=None,
        details=bounds.details,
        token_lifetime=bounds.token_lifetime,
        auth_method=Method.PRIVATE_KEY_JWT,
        dpop_bound=bounds.dpop_bound,
        profile=bounds.profile,
    )


def _invitation(installation: Installation, allowance: Allowance, secret: Secret) -> Invitation:
    return Invitation(
        initial_access_token=secret,
        registration_endpoint=installation.settings.registration_endpoint,
        expires_at=allowance.expires_at,
        uses=allowance.uses_left,
        scope=allowance.scope,
        resource=allowance.resources,
        authorization_details=allowance.authorization_details,
        profile=allowance.profile.value,
        token_lifetime=allowance.token_lifetime,
        dpop_bound=allowance.dpop_bound,
    )


def _evidence(allowance: Allowance) -> dict[str, Field]:
    return {
        "allowance_id": allowance.id,
        "partner_id": allowance.partner_id,
        "scope": scope.write(allowance.scope),
        "resources": list(allowance.resources),
        "authorization_details": write_details(allowance.authorization_details),
        "profile": allowance.profile.value,
        "token_lifetime": allowance.token_lifetime,
        "dpop_bound": int(allowance.dpop_bound),
        "uses": allowance.uses_left,
        "expires_at": allowance.expires_at,
    }


def _counts(installation: Installation, allowance_id: str) -> bool:
    with installation.store.reading() as reading:
        return reading.find_allowance(allowance_id) is not None

"""The records that the server keeps, as values. Dates are seconds since 1970 UTC; a date that has not come is None.

Rights (states and their dates) are apart from observations (what was seen to happen): an observation never grants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.mutual_tls import CertificateSubject
from keyfob.oauth.revocation_feed import Revocation
from keyfob.oauth.scope import Scope
from keyfob.secret import Secret


class State(StrEnum):
    """What a partner, a client or a credential may do; `lifecycle.states` has the table of transitions.

    No row is DELETED: it is what has no row any more.
    """

    ACTIVE = "active"
    RETIRING = "retiring"
    SUSPENDED = "suspended"
    RETIRED = "retired"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DELETED = "deleted"


class Confirmation(StrEnum):
    """How the operator confirmed a partner's fingerprint, after having compared it out of band."""

    FLAG = "flag"
    TERMINAL = "terminal"
    CERTIFIED = "certified"
    """By the former key's signature, and the operator approved it."""


class Profile(StrEnum):
    """Which published profile a client follows."""

    DEFAULT = "default"
    SMART = "smart"
    FAPI2 = "fapi2"


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation, and the OpenPGP certificate that its operator confirmed out of band."""

    id: str
    name: str
    email: str
    state: State
    certificate: bytes  # armored
    fingerprint: str
    fingerprint_confirmed_at: int
    fingerprint_confirmed_how: Confirmation
    created_at: int
    webhook: str | None = field(default=None, repr=False)  # whoever knows it may be able to post there
    webhook_key: bytes | None = field(default=None, repr=False)  # an envelope


@dataclass(frozen=True, slots=True)
class Resource:
    """A registered API: RFC 9728 metadata, and which scopes and detail types may be granted for it."""

    url: str
    scopes: tuple[tuple[str, str], ...]  # (scope, description)
    authorization_details_types: tuple[str, ...]
    jwks: str  # its public keys, as a JWK set
    added_at: int

    @property
    def scope(self) -> Scope:
        return frozenset(name for name, _ in self.scopes)


@dataclass(frozen=True, slots=True)
class ResourceGrant:
    """What a client may ask for at one resource. `default_scope` None: a request without scope is refused."""

    resource: str
    scope: Scope
    default_scope: Scope | None


@dataclass(frozen=True, slots=True)
class Client:
    """A partner's piece of software. `grants` is in the order given: the first is the default resource.

    `networks`: where it may come from, as CIDR; none is anywhere. A client that authenticates by key has one of `jwks`
    (a JWK set by value) and `jwks_uri`. `dpop_bound`: it gets no token without proof of a key (RFC 9449 §5.2).
    `tls_subject`: what the authorities' certificate names for a client of TLS_CLIENT_AUTH. `certificate_bound`: it gets
    no token without a certificate, which the token is bound to (RFC 8705 §3.4).
    """

    id: str
    partner_id: str
    name: str
    state: State
    auth_method: Method
    token_lifetime: int
    profile: Profile
    grants: tuple[ResourceGrant, ...]
    authorization_details: Details
    created_at: int
    networks: tuple[str, ...] = ()
    jwks: str | None = None
    jwks_uri: str | None = None
    dpop_bound: bool = False
    tls_subject: CertificateSubject | None = None
    certificate_bound: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret of a client (as its hash), its rights, and what was observed of it.

    `first_use_by`: one that was never used by then has expired. `overlap`: how many seconds the credential
    that it replaces lives on after the successor's first use. `overlap_ends_at` stands in the replaced one.
    `emergency`: break-glass, of a few hours; nothing follows it, and each use rings an alarm.
    """

    id: str
    client_id: str
    state: State
    secret_hash: str = field(repr=False)
    not_before: int
    expires_at: int
    created_at: int
    replaces: str | None
    overlap: int
    first_use_by: int | None
    overlap_ends_at: int | None
    sealed_at: int | None
    delivered_at: int | None
    acknowledged_at: int | None
    first_used_at: int | None
    first_used_from: str | None
    last_used_at: int | None
    last_used_from: str | None
    delivered_from: str | None = None
    acknowledged_from: str | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class HandoffLink:
    """That a sealed message may be fetched by whoever knows the token: of it there is only the hash."""

    token_hash: str
    credential_id: str
    expires_at: int
    fetches_left: int


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """That a credential was sealed, to whom and by whom. Never what is inside."""

    id: str
    credential_id: str
    recipient_fingerprint: str
    signer_fingerprint: str
    issued_at: int
    digest: str  # SHA-256 of the armored message, in hex: which file was handed over


class Role(StrEnum):
    """What an operator may do: everything, or look."""

    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who acts for this installation. `public_jwk` and its thumbprint `key_id`: None where it has no key."""

    id: str
    name: str
    role: Role
    state: State
    public_jwk: str | None
    key_id: str | None
    created_at: int


class Decision(StrEnum):
    """What became of a proposal. That its time is over is a matter of its date."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that waits for a second operator. `asked`: its input, as JSON."""

    id: str
    operation: str
    asked: str
    state: Decision
    proposed_by: str
    reason: str | None
    created_at: int
    expires_at: int
    decided_by: str | None = None
    decided_at: int | None = None


class Announced(StrEnum):
    """What became of an announced change. LAPSED: there was nothing left that it could change."""

    WAITING = "waiting"
    DONE = "done"
    STOPPED = "stopped"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Announcement:
    """Other keys of a client that its partner asked for. They count from `takes_effect_at` on, unless it is stopped.

    One of `jwks` and `jwks_uri`. `before`: what the keys were called then, so that no later change is undone by it.
    """

    id: str
    client_id: str
    jwks: str | None
    jwks_uri: str | None
    before: str
    state: Announced
    announced_at: int
    takes_effect_at: int
    settled_at: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An act that was performed under an Idempotency-Key: of which input, and the answer, once that is kept."""

    digest: str
    document: dict[str, object] | None


class Purpose(StrEnum):
    """What a signing key signs, and nothing else."""

    ACCESS_TOKENS = "access-tokens"
    REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A signing key: its public half in clear, its private half in an envelope."""

    kid: str
    purpose: Purpose
    algorithm: str
    state: State
    public_jwk: str
    envelope: bytes = field(repr=False)
    not_before: int
    created_at: int


@dataclass(frozen=True, slots=True)
class RevocationRecord:
    """A revocation and whom it concerns: `client_id` None is everybody; `resource` None is all that the client has."""

    revocation: Revocation
    client_id: str | None
    resource: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class ClientView:
    """All that a token request needs to know of a client, of one revision of the database."""

    client: Client
    partner_state: State
    credentials: tuple[Credential, ...]

    def credential(self, credential_id: str) -> Credential | None:
        return next((one for one in self.credentials if one.id == credential_id), None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What lets a partner register clients (RFC 7591), `uses_left` times until `expires_at`; the rest is the most that
    each may have.
    """

    id: str
    partner_id: str
    state: State
    token_hash: str = field(repr=False)
    scope: Scope
    resources: tuple[str, ...]
    authorization_details: Details
    profile: Profile
    token_lifetime: int
    dpop_bound: bool
    uses_left: int
    expires_at: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Registration:
    """That a client registered itself, and what it says to people. Ended: none of its tokens is good any more."""

    client_id: str
    allowance_id: str
    described: Mapping[str, object]
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """One of a client's chain of registration access tokens (RFC 7592): given for the one of generation `parent`."""

    id: str
    client_id: str
    generation: int
    parent: int | None
    token_hash: str = field(repr=False)
    created_at: int
    expires_at: int
    used_at: int | None = None


class Used(StrEnum):
    """What a client presents only once."""

    ASSERTION = "assertion"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class SingleUse:
    """Something that this grant uses up; until `until` nobody can use it again."""

    what: Used
    name: str
    until: int


@dataclass(frozen=True, slots=True)
class TokenIssued:
    """A grant, to be recorded before its token leaves. `address` is the peer's, as text.

    `may_be_first`: False where what was read of the credential says that it was used before, which stays true.
    """

    jti: str
    client_id: str
    credential_id: str
    resource: str
    scope: Scope
    authorization_details: Details
    kid: str
    expires_at: int
    address: str
    request_id: str
    single_uses: tuple[SingleUse, ...] = ()
    may_be_first: bool = True


@dataclass(frozen=True, slots=True)
class DoubtfulFirstUse:
    """A secret that was used for the first time from where nobody expected it; `doubt` says what was compared."""

    client_id: str
    credential_id: str
    address: str
    doubt: str


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """A refusal: `error` as said on the wire, `reason` for the operator alone.

    `client_id` is a registered one; any other presented id is `unknown_client_id`, which may be a mis-pasted secret
    and is recorded only as a keyed hash.
    """

    error: str
    reason: str
    client_id: str | None
    unknown_client_id: Secret | None
    address: str
    request_id: str

"""What is asked for, and the token that is held for it. Values only."""

from dataclasses import dataclass

from keyfob.oauth import authorization_details
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.scope import Scope
from keyfob.partner.possession import Prover
from keyfob.partner.renewal import Times
from keyfob.secret import Secret


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants a token for. `details`: RFC 9396 §2 as it is sent; "" is none."""

    scope: Scope | None
    resource: str
    details: str

    @classmethod
    def of(cls, scope: Scope | None, resource: str, details: Details | None) -> "Wish":
        return cls(scope, resource, "" if details is None else authorization_details.write(details))


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a token was asked for: `key_id` is the thumbprint of the DPoP key that it is bound to, or "" ."""

    credential_id: str
    method: Method
    key_id: str


@dataclass(frozen=True, slots=True, eq=False)
class HeldToken:
    """A token and what it is good for. `prover` makes the proof that goes with it; None for a bearer token."""

    access_token: Secret
    identity: Identity
    scope: Scope
    authorization_details: Details
    times: Times
    prover: Prover | None = None

    @property
    def credential_id(self) -> str:
        return self.identity.credential_id

    @property
    def expires_at(self) -> float:
        """A reading of the source's clock."""
        return self.times.expires_at

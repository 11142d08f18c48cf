"""RFC 7591 §1.2, RFC 7592 §1.2: the plaintext of the message that lets a partner register, or look after, a client.

It is read by a person, with gpg, and carries the one token that is inside to the endpoint that is beside it.
"""

import json
from dataclasses import dataclass

from keyfob.oauth import authorization_details, scope
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.scope import Scope
from keyfob.secret import Secret


@dataclass(frozen=True, slots=True)
class Delivery:
    """What binds a message to one certificate and one hand-off, as in `client_information`."""

    message_id: str
    issued_at: int
    issuer: str
    recipient_fingerprint: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """An initial access token, and the most that a client may be registered with. Dates in seconds since 1970."""

    initial_access_token: Secret
    registration_endpoint: str
    expires_at: int
    uses: int
    scope: Scope
    resource: tuple[str, ...]
    authorization_details: Details
    profile: str
    token_lifetime: int
    dpop_bound: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """A new registration access token, for a client whose own is lost, expired or no longer believed."""

    registration_access_token: Secret
    registration_client_uri: str
    client_id: str
    expires_at: int


def write(content: Invitation | Renewal, delivery: Delivery) -> Secret:
    """The JSON text to seal."""
    document: dict[str, object] = {
        "issuer": delivery.issuer,
        "message_id": delivery.message_id,
        "issued_at": delivery.issued_at,
        "recipient_fingerprint": delivery.recipient_fingerprint,
        "expires_at": content.expires_at,
    }
    if isinstance(content, Invitation):
        document |= {
            "initial_access_token": content.initial_access_token.reveal(),
            "registration_endpoint": content.registration_endpoint,
            "uses": content.uses,
            "scope": scope.write(content.scope),
            "resource": list(content.resource),
            "authorization_details": authorization_details.write_claim(content.authorization_details),
            "profile": content.profile,
            "keyfob_token_lifetime": content.token_lifetime,
            "dpop_bound_access_tokens": content.dpop_bound,
        }
    else:
        document |= {
            "registration_access_token": content.registration_access_token.reveal(),
            "registration_client_uri": content.registration_client_uri,
            "client_id": content.client_id,
        }
    return Secret(json.dumps(document, indent=2).encode() + b"\n")

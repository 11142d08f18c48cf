"""What ends before its time, and for how long everybody must remember it. Its record is the caller's act's own."""

from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.revocation_feed import Revocation, Subject
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import operators
from keyfob.server.storage.change import Change

STALENESS = 30
"""Seconds within which a token request that began before a revocation may still end in a token, on any node."""
_LONGEST_TOKEN = 900
_CLOCKS = 90
"""Seconds by which the clock of a resource may be behind ours."""
_KEY_REMEMBERED = 7 * 24 * 3600
"""Longer than any verifier goes on with an old key set."""


def of_client(change: Change, client_id: str, *, now: int) -> None:
    """Every token that the client has."""
    change.revoke(_until(Subject.CLIENT, client_id, now + STALENESS), client_id=client_id)


def of_credential(change: Change, credential_id: str, *, client_id: str, now: int) -> None:
    """Every token that one credential of the client obtained."""
    change.revoke(_until(Subject.CREDENTIAL, credential_id, now + STALENESS), client_id=client_id)


def allow_again(change: Change, client_id: str, *, now: int) -> None:
    """After `resume`: tokens from now on are good at once; those from before stay withdrawn."""
    change.revoke(_until(Subject.CLIENT, client_id, now - 1), client_id=client_id)


def of_token(change: Change, token: AccessToken) -> None:
    """One token, with its record."""
    revoked = Revocation(Subject.TOKEN, token.jti, None, token.expires_at + _CLOCKS)
    # An operator's concerns nobody: the one that takes it is this server.
    is_operators = token.client_id.startswith(operators.CLIENT_ID)
    owner, resource = (None, None) if is_operators else (token.client_id, token.audience)
    change.revoke(revoked, client_id=owner, resource=resource)
    change.record(Kind.TOKEN_REVOKED, jti=token.jti, client_id=token.client_id, resource=token.audience)


def of_key(change: Change, kid: str, *, now: int) -> None:
    """Whatever the key signed or will sign: whoever stole it may sign with any date."""
    change.revoke(Revocation(Subject.KEY, kid, None, now + _KEY_REMEMBERED), client_id=None)


def _until(subject: Subject, name: str, cutoff: int) -> Revocation:
    return Revocation(subject, name, cutoff, cutoff + _LONGEST_TOKEN + _CLOCKS)

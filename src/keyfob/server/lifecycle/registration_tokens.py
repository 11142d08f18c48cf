"""The chain of tokens by which a registered client looks after itself (RFC 7592 §1.2), and what its misuse is.

Each use gives the next token. An answer may get lost after the commit, and with it the token that nobody has then, so
the one that was used stays good until its successor is:

    generation   5 ----- used ----> 6          good: 6, and 5 while 6 was never used
                 5 ----- used again ----> 7    good: 7, and 5 while 7 was never used; 6 is out
                           7 -- used --> 8     good: 8, and 7 while 8 was never used; 5 and 6 are out

Whoever shows one that is out has it from somewhere: two hold what belongs to one, and nobody can tell which is the
client. So the chain ends, an alarm rings, and the operator, who can ask, gives the client a new one.
"""

from collections.abc import Sequence

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.client_secret import Prefix
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret
from keyfob.server.lifecycle import partners
from keyfob.server.refusals.causes import Cause
from keyfob.server.secret_hash import Pepper, hash_secret, matches
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Registration, RegistrationToken

LIFETIME = 90 * 24 * 3600
"""Seconds from the last use: who never looks asks the operator for a new token."""
KEPT = 1000
"""Of so many generations a token is known as one that was ours."""
_SECRET_BYTES = 32


class Replayed(InvalidToken):
    """A token that is out was shown; the chain is to end."""


def first(client_id: str, pepper: Pepper, *, now: int, entropy: Entropy) -> tuple[RegistrationToken, Secret]:
    """The first of a chain: what is kept of it, and itself."""
    return _new(client_id, 1, None, pepper, now=now, entropy=entropy)


def after(
    newest: RegistrationToken, parent: RegistrationToken | None, pepper: Pepper, *, now: int, entropy: Entropy
) -> tuple[RegistrationToken, Secret]:
    """The next of a chain, given for `parent`; None: by the operator, and then no other is good any more."""
    came_for = None if parent is None else parent.generation
    return _new(newest.client_id, newest.generation + 1, came_for, pepper, now=now, entropy=entropy)


def find(reading: Reading, presented: Secret, peppers: Sequence[Pepper]) -> RegistrationToken:
    """The token that was issued as `presented`, whatever has become of it. Raises InvalidToken."""
    named = client_secret.credential_id(presented, prefix=Prefix.REGISTRATION_ACCESS_TOKEN)
    found = None if named is None else reading.find_registration_token(named)
    if not matches(presented, None if found is None else found.token_hash, peppers) or found is None:
        raise InvalidToken(detail=Cause.REGISTRATION_TOKEN_UNKNOWN)
    return found


def check(token: RegistrationToken, newest: RegistrationToken, registration: Registration, *, now: int) -> None:
    """Raises InvalidToken, or Replayed."""
    if registration.ended_at is not None:
        raise InvalidToken(detail=Cause.REGISTRATION_ENDED)
    # RFC 7592 §5: a token that is out, and known to somebody, is a stolen one.
    if token.generation != newest.generation and (newest.parent != token.generation or newest.used_at is not None):
        raise Replayed(detail=Cause.REGISTRATION_TOKEN_REPLAYED)
    if now >= token.expires_at:
        raise InvalidToken(detail=Cause.REGISTRATION_TOKEN_EXPIRED)


def _new(
    client_id: str, generation: int, parent: int | None, pepper: Pepper, *, now: int, entropy: Entropy
) -> tuple[RegistrationToken, Secret]:
    token_id = client_secret.new_id("", entropy(partners.ID_BYTES))
    secret = client_secret.make(token_id, entropy(_SECRET_BYTES), prefix=Prefix.REGISTRATION_ACCESS_TOKEN)
    record = RegistrationToken(
        id=token_id,
        client_id=client_id,
        generation=generation,
        parent=parent,
        token_hash=hash_secret(secret, pepper),
        created_at=now,
        expires_at=now + LIFETIME,
    )
    return record, secret

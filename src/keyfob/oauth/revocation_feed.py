"""The signed list of what was withdrawn before its time, which resources poll. Ours: no RFC has such a document.

RFC 7662 would ask about every token; this asks once in two seconds about all of them, and goes on without the issuer
for a bounded while. A feed says what is new since a sequence number that the reader had; entries add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidRequest

JWT_TYPE = "revocations+jwt"
MEDIA_TYPE = f"application/{JWT_TYPE}"
LIFETIME = 60
LEEWAY = 90
"""Seconds by which the two clocks may differ: a reader whose clock is off must not lose sight of revocations."""
_MAX_NUMBER = 2**53


class Subject(StrEnum):
    """What an entry names, by the claim (or header) of an access token that it is compared with."""

    CLIENT = "client_id"
    CREDENTIAL = "credential_id"
    TOKEN = "jti"  # noqa: S105  # the name of a claim
    KEY = "kid"


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of `subject` that were issued up to `cutoff` (None: ever) are refused.

    From `forget_at` on no such token can be alive, and nobody needs to remember. Dates in seconds since 1970.
    """

    subject: Subject
    id: str
    cutoff: int | None
    forget_at: int


@dataclass(frozen=True, slots=True)
class Feed:
    """What is new after `since`, up to `sequence`, as of `issued_at`."""

    since: int
    sequence: int
    issued_at: int
    revocations: tuple[Revocation, ...]


class MalformedFeed(ValueError):
    """The document cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Revocations:
    """Everything that is withdrawn now. Made anew for each change, so that it can be read while it grows."""

    entries: Mapping[tuple[Subject, str], Revocation] = field(default_factory=dict)
    ids: frozenset[str] = field(init=False)
    """Of all entries: nearly every token has none of them, which is quick to see."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", frozenset(name for _, name in self.entries))

    def plus(self, newer: Iterable[Revocation], *, now: int) -> "Revocations":
        """With what came since; a newer entry stands in place of the older one of the same subject."""
        merged = {**self.entries, **{(entry.subject, entry.id): entry for entry in newer}}
        return Revocations({key: entry for key, entry in merged.items() if entry.forget_at > now})

    def find(self, token: AccessToken) -> Revocation | None:
        """Why `token` is refused; None when it is not."""
        if self.ids.isdisjoint((token.client_id, token.credential_id, token.jti, token.key_id)):
            return None
        for subject, name in (
            (Subject.CLIENT, token.client_id),
            (Subject.CREDENTIAL, token.credential_id),
            (Subject.TOKEN, token.jti),
            (Subject.KEY, token.key_id),
        ):
            entry = None if name is None else self.entries.get((subject, name))
            if entry is not None and (entry.cutoff is None or token.issued_at <= entry.cutoff):
                return entry
        return None


def read_request(form: Mapping[str, str]) -> int:
    """The sequence number that the reader has; 0 for a reader that has nothing. Raises InvalidRequest."""
    since = form.get("since", "0")
    if not since.isascii() or not since.isdigit() or len(since) > 15:
        raise InvalidRequest("since must be a sequence number")
    return int(since)


def write_request(since: int) -> dict[str, str]:
    """The form's parameters."""
    return {"since": str(since)}


def write_claims(feed: Feed, *, issuer: str, audience: str) -> dict[str, object]:
    return {
        "iss": issuer,
        "aud": audience,
        "iat": feed.issued_at,
        "exp": feed.issued_at + LIFETIME,
        "since": feed.since,
        "seq": feed.sequence,
        "revocations": [_write(entry) for entry in feed.revocations],
    }


def read_claims(claims: Mapping[str, object], *, issuer: str, audience: str, now: int) -> Feed:
    """The feed of `issuer` for the resource `audience`, as of now. Raises MalformedFeed."""
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        raise MalformedFeed("the feed is another issuer's or another resource's")
    issued_at, expires_at = _number(claims, "iat"), _number(claims, "exp")
    if not issued_at - LEEWAY <= now < expires_at + LEEWAY:
        raise MalformedFeed(f"the feed is of another time, {now - issued_at} s ago: is a clock wrong?")
    listed = claims.get("revocations")
    if not isinstance(listed, list):
        raise MalformedFeed("revocations is missing")
    return Feed(_number(claims, "since"), _number(claims, "seq"), issued_at, tuple(map(_read, listed)))


def _write(entry: Revocation) -> dict[str, object]:
    cutoff = {} if entry.cutoff is None else {"cutoff": entry.cutoff}
    return {entry.subject.value: entry.id, **cutoff, "exp": entry.forget_at}


def _read(entry: object) -> Revocation:
    if not isinstance(entry, dict):
        raise MalformedFeed("an entry is no object")
    named = [(subject, entry[subject.value]) for subject in Subject if subject.value in entry]
    # An entry that cannot be understood withdraws something: to pass over it would be to admit it.
    if len(named) != 1 or not isinstance(named[0][1], str):
        raise MalformedFeed("an entry names no subject that is known here: is this program older than the issuer's?")
    cutoff = _number(entry, "cutoff") if "cutoff" in entry else None
    return Revocation(named[0][0], named[0][1], cutoff, _number(entry, "exp"))


def _number(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_NUMBER:
        raise MalformedFeed(f"{name} is missing or malformed")
    return value

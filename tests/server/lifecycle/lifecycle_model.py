"""What must be true of credentials, said once more and as simply as can be; knows nothing of the code under test."""

from dataclasses import dataclass, field

DAY = 24 * 3600
YEAR = 365 * DAY
UNOPENED = 14 * DAY
REMEMBERED = 30 + 900 + 90
"""Seconds after a revocation in which a token that it concerns may be alive somewhere."""


@dataclass(eq=False, repr=False)
class Partner:
    name: str
    key: int
    state: str = "active"
    clients: list["Client"] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"{self.name} ({self.state})"


@dataclass(eq=False, repr=False)
class Client:
    id: str
    name: str
    partner: Partner
    state: str = "active"
    credentials: list["Credential"] = field(default_factory=list)
    revoked_until: int = 0  # from then on it may be deleted

    def __repr__(self) -> str:
        return f"{self.id} ({self.state}) of {self.partner}"

    def works(self) -> bool:
        return self.state == self.partner.state == "active"

    def replaced_by_a_rotation(self, now: int) -> "Credential | None":
        lasting = [one for one in self.credentials if one.lives(now) and one.dies_at is None and not one.waits(now)]
        return lasting[-1] if lasting else None


@dataclass(eq=False, repr=False)
class Credential:
    id: str
    secret: object
    client: Client
    expires_at: int
    replaces: "Credential | None" = None
    overlap: int = 0
    use_by: int | None = None
    used: bool = False
    dies_at: int | None = None  # its overlap has begun
    ended: bool = False
    revoked: bool = False

    def __repr__(self) -> str:
        return f"{self.id}{', used' * self.used}{', ended' * self.ended} of {self.client}"

    def lives(self, now: int) -> bool:
        too_late = self.use_by is not None and not self.used and now >= self.use_by
        return not (
            self.ended or now >= self.expires_at or too_late or (self.dies_at is not None and now >= self.dies_at)
        )

    def waits(self, now: int) -> bool:
        """A successor that nobody has used so far: the first of all is none."""
        return self is not self.client.credentials[0] and self.lives(now) and self.use_by is not None and not self.used

    def works(self, now: int) -> bool:
        return self.lives(now) and self.client.works()

    def is_used(self, now: int) -> "Credential | None":
        """The credential whose overlap begins with this use, if one does."""
        first, self.used = not self.used, True
        old = self.replaces
        if not first or old is None or not self.lives(now) or not old.lives(now) or old.dies_at is not None:
            return None
        old.dies_at = now + self.overlap
        return old


@dataclass(eq=False)
class Token:
    client_id: str
    credential_id: str
    issued_at: int


@dataclass(eq=False)
class Feed:
    """What APIs are told: tokens of a client or a credential up to a second are refused."""

    cutoffs: dict[tuple[str, str], int] = field(default_factory=dict)

    def withdraw(self, kind: str, name: str, cutoff: int) -> None:
        self.cutoffs[kind, name] = cutoff

    def refuses(self, token: Token) -> bool:
        named = (("client_id", token.client_id), ("credential_id", token.credential_id))
        return any(token.issued_at <= self.cutoffs.get(one, -1) for one in named)

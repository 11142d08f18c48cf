"""What is looked for: the one definition that the scanner and the rules for other scanners are made from."""

import base64
from dataclasses import dataclass
from enum import StrEnum

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.oauth.access_token import TYPE


class Kind(StrEnum):
    """What was found. The value is its name in rules and in `--json`."""

    CLIENT_SECRET = "keyfob-client-secret"  # noqa: S105  # a name
    INITIAL_ACCESS_TOKEN = "keyfob-initial-access-token"  # noqa: S105
    REGISTRATION_ACCESS_TOKEN = "keyfob-registration-access-token"  # noqa: S105
    ACCESS_TOKEN = "keyfob-access-token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of secret: `pattern` is a regular expression that every engine reads alike (no look-around, no class
    beyond brackets), `keyword` the literal text that each begins with, `words` what a person calls it.
    """

    kind: Kind
    words: str
    keyword: str
    pattern: str
    has_checksum: bool


def _in_base64url(text: str) -> str:
    """A pattern for `text` inside base64url, wherever in a group of three bytes it begins."""
    forms = []
    for before in range(3):
        encoded = base64.urlsafe_b64encode(bytes(before) + text.encode()).decode().rstrip("=")
        # The first and the last character may hold bits of what stands beside it.
        forms.append(encoded[(0, 2, 3)[before] : len(encoded) - bool((before + len(text)) % 3)])
    return f"(?:{'|'.join(forms)})"


# RFC 7515 §3.1, RFC 9068 §2.1: header and claims are JSON objects, which begin with {" (eyJ in base64url), and the
# header says that it is an access token. No number is above 1000, which is the most that RE2 takes.
_TOKEN_PATTERN = (
    rf"eyJ[0-9A-Za-z_-]{{0,300}}{_in_base64url(TYPE)}[0-9A-Za-z_-]{{0,300}}"
    r"\.eyJ[0-9A-Za-z_-]{60,}\.[0-9A-Za-z_-]{40,}"
)

DEFINITIONS = (
    *(
        Definition(kind, words, f"{prefix}_", client_secret.pattern(prefix), has_checksum=True)
        for kind, words, prefix in (
            (Kind.CLIENT_SECRET, "client secret", Prefix.CLIENT_SECRET),
            (Kind.INITIAL_ACCESS_TOKEN, "initial access token", Prefix.INITIAL_ACCESS_TOKEN),
            (Kind.REGISTRATION_ACCESS_TOKEN, "registration access token", Prefix.REGISTRATION_ACCESS_TOKEN),
        )
    ),
    Definition(Kind.ACCESS_TOKEN, "access token", "eyJ", _TOKEN_PATTERN, has_checksum=False),
)
BY_KEYWORD = {definition.keyword: definition for definition in DEFINITIONS}
WORDS = {definition.kind: definition.words for definition in DEFINITIONS}

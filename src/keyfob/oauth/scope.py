"""RFC 6749 §3.3: the scope parameter. Scope-tokens are opaque and compared whole; nothing implies anything else."""

import functools
import re
from collections.abc import Iterable

from keyfob.oauth.errors import InvalidScope

Scope = frozenset[str]
"""A set of scope-tokens; order and repeats carry no meaning."""

# RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_MAX_CHARACTERS = 4096


# The same few come with every token of a client.
@functools.lru_cache(maxsize=256)
def parse(text: str) -> Scope:
    """The set of scope-tokens in `text`; order and repeats are ignored.

    RFC 6749 §3.3. An empty string is refused: "no scope" is spelled by leaving the parameter out.
    Raises InvalidScope naming the position, never the text.
    """
    if not text:
        raise InvalidScope("scope is empty: leave the parameter out to ask for the default")
    if len(text) > _MAX_CHARACTERS:
        raise InvalidScope(f"scope is longer than {_MAX_CHARACTERS} characters")
    position = 0
    for token in text.split(" "):
        if not _TOKEN.fullmatch(token):
            raise InvalidScope(f"scope is malformed at character {position + 1}: one space between visible characters")
        position += len(token) + 1
    # RFC 6749 §3.3: neither order nor repeats matter.
    return frozenset(text.split(" "))


def write(scope: Iterable[str]) -> str:
    """The scope as one string, its tokens in alphabetical order, so that equal scopes are equal strings."""
    return " ".join(sorted(set(scope)))

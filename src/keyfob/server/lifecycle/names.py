"""What a person may type as a name or an address: it comes back in tables, mails and audit records, so it is plain."""

import difflib
from collections.abc import Iterable

from keyfob.problem import Misuse

_MAX_CHARACTERS = 100
_MAX_EMAIL = 254


def check_name(name: str, *, of: str) -> str:
    """`name` of a partner or a client. Raises Misuse."""
    if not 0 < len(name) <= _MAX_CHARACTERS or not name.isprintable() or name != name.strip():
        raise Misuse(
            "bad-name",
            f"the name of the {of} is empty, too long or has characters that cannot be shown",
            hint=f"1 to {_MAX_CHARACTERS} printable characters, no space at the ends",
        )
    return name


def check_email(address: str) -> str:
    """An address that a mail could go to; whether it arrives, only a mail can tell. Raises Misuse."""
    local, _, domain = address.rpartition("@")
    plain = address.isprintable() and not any(character in ' <>,;:"()[]\\' for character in address)
    if not local or "@" in local or "." not in domain.strip(".") or len(address) > _MAX_EMAIL or not plain:
        raise Misuse("bad-email", "--email is no address", hint="for example --email data@partner.example")
    return address


def near_miss(typed: str, known: Iterable[str]) -> str:
    """A hint that names what may have been meant, else what there is."""
    known = sorted(known)
    if "," in typed and all(part in known for part in typed.split(",")):
        return "several are separated by spaces"
    close = difflib.get_close_matches(typed, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(known[:20])}" if known else "there is none yet"

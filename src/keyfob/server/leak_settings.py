"""[leaks] and [security]: whose scanner is known by its signature, and whom finders of other things may tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from keyfob.problem import Misuse
from keyfob.settings import Setting, Value, file_path, https_url, text

_CONTACT = re.compile(r"mailto:[^\s@]+@[^\s@]+|tel:[+0-9-]+|https://[!-~]+")


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """`keys`: the URL of the keys that a scanner signs with. `ca` None: the system's authorities."""

    keys: str
    ca: Path | None


@dataclass(frozen=True, slots=True)
class SecurityContact:
    """RFC 9116: `contacts` are URIs, the first preferred; `expires` is the day on which they are to be looked at."""

    contacts: tuple[str, ...]
    expires: date


def _keys(value: Value) -> str:
    return "" if value == "" else https_url(value)


def _contacts(value: Value) -> str:
    given = text(value).split()
    # RFC 9116 §2.5.3: contacts are URIs, and the web's begin with https.
    if not all(one.isascii() and _CONTACT.fullmatch(one) and _has_host(one) for one in given):
        raise ValueError("holds something that is no mailto:, https: or tel: URI")
    return " ".join(given)


def _has_host(uri: str) -> bool:
    return not uri.startswith("https:") or bool(urlsplit(uri).hostname)


def _day(value: Value) -> str:
    day = text(value)
    if not day:
        return ""
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise ValueError("is no date, such as 2030-06-30") from None


SETTINGS = (
    Setting(
        "leaks",
        "scanner_keys",
        "",
        "The https URL of the keys that a secret scanner signs its reports with, in GitHub's form.",
        _keys,
    ),
    Setting("leaks", "scanner_keys_ca", "", "The CA of its host (PEM); else the system's.", file_path),
    Setting(
        "security",
        "contact",
        "",
        "For security.txt (RFC 9116): mailto:, https: or tel: URIs, parted by blanks; empty: there is none.",
        _contacts,
    ),
    Setting("security", "expires", "", "The day, such as 2030-06-30, until which the contact holds.", _day),
)


def read_scanner(values: Mapping[str, Value], *, home: Path) -> ScannerSettings | None:
    """None without a URL."""
    keys, ca = str(values["leaks.scanner_keys"]), str(values["leaks.scanner_keys_ca"])
    return ScannerSettings(keys, home / ca if ca else None) if keys else None


def read_contact(values: Mapping[str, Value]) -> SecurityContact | None:
    """None without a contact. Raises Misuse for one that holds for ever."""
    contacts, expires = str(values["security.contact"]).split(), str(values["security.expires"])
    if not contacts:
        return None
    # RFC 9116 §2.5.5: until when it holds is always said.
    if not expires:
        raise Misuse(
            "security-contact-endless",
            "security.contact is set, but security.expires is not",
            hint="set a day, less than a year ahead",
        )
    return SecurityContact(tuple(contacts), date.fromisoformat(expires))

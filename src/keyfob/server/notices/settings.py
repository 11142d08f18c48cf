"""[mail]: how notices leave by e-mail. Without a host there is no e-mail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from keyfob.problem import Misuse
from keyfob.server.lifecycle.names import check_email
from keyfob.settings import LOOPBACK_NAMES, Setting, Value, file_path, optional_path, positive, text

PASSWORD_VARIABLE = "KEYFOB_MAIL_PASSWORD"  # noqa: S105  # the name of a variable
"""No setting: a secret never stands in the file."""

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[?[0-9a-fA-F:]+\]?")


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """`user` None: no log-in. `ca` None: the system's authorities."""

    host: str
    port: int
    security: Security
    ca: Path | None
    sender: str
    operator: str
    user: str | None
    password_file: Path | None


def _address(value: Value) -> str:
    address = text(value)
    try:
        return check_email(address) if address else ""
    except Misuse:
        raise ValueError("is no e-mail address") from None


def _host(value: Value) -> str:
    host = text(value)
    if host and not _HOST.fullmatch(host):
        raise ValueError("is no host's name: the port has a key of its own")
    return host


def _security(value: Value) -> str:
    try:
        return Security(text(value)).value
    except ValueError:
        raise ValueError(f"is none of {', '.join(Security)}") from None


SETTINGS = (
    Setting("mail", "host", "", "The SMTP server (RFC 6409) that notices leave by; empty: no e-mail.", _host),
    Setting("mail", "port", 587, "Its port: 587 with starttls, 465 with tls.", positive),
    Setting("mail", "security", "starttls", "starttls or tls, verified; none only on this machine.", _security),
    Setting("mail", "ca", "", "The CA of its certificate (PEM); else the system's.", file_path),
    Setting("mail", "from", "", "The address that notices come from.", _address),
    Setting("mail", "operator", "", "The operator's address, for the notices that are yours.", _address),
    Setting("mail", "user", "", f"The user to log in as; the password comes from {PASSWORD_VARIABLE} or a file.", text),
    Setting("mail", "password_file", "", "A file with the password alone, readable by its owner alone.", file_path),
)


def read(values: Mapping[str, Value], *, home: Path) -> MailSettings | None:
    """None without a host. Raises Misuse for what does not go together."""
    host = str(values["mail.host"])
    if not host:
        return None
    security = Security(str(values["mail.security"]))
    if security is Security.NONE and host not in LOOPBACK_NAMES:
        raise Misuse(
            "mail-in-the-clear",
            f"mail.security = none sends notices to {host} in the clear",
            hint="set mail.security to starttls or tls",
        )
    for key in ("from", "operator"):
        if not values[f"mail.{key}"]:
            raise Misuse("mail-address-missing", f"mail.host is set, but mail.{key} is not", hint="set an address")
    return MailSettings(
        host=host,
        port=int(values["mail.port"]),
        security=security,
        ca=optional_path(home, values["mail.ca"]),
        sender=str(values["mail.from"]),
        operator=str(values["mail.operator"]),
        user=str(values["mail.user"]) or None,
        password_file=optional_path(home, values["mail.password_file"]),
    )

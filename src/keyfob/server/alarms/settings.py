"""[alarms]: where alarms are told, and from when on something is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from keyfob.server.alarms.syslog import parse_address
from keyfob.settings import Setting, Value, file_path, https_url, optional_path, positive, text

WEBHOOK_SECRET_VARIABLE = "KEYFOB_ALARMS_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
"""No setting: a secret never stands in the file."""


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """`webhook`, `syslog` None: nothing goes there. A CA None: the system's. `repeat_after` in seconds."""

    webhook: str | None
    webhook_ca: Path | None
    syslog: str | None
    syslog_ca: Path | None
    network_failures: int
    repeat_after: int


def _webhook(value: Value) -> str:
    return "" if value == "" else https_url(value)


def _shown_webhook(value: Value) -> str:
    """Its host alone: whoever knows the whole of such a URL may often post to it."""
    parts = urlsplit(str(value))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..." if value else ""


def _syslog(value: Value) -> str:
    address = text(value)
    if address:
        parse_address(address)
    return address


SETTINGS = (
    Setting(
        "alarms",
        "webhook",
        "",
        "The https URL that alarms are posted to, signed; see `alarm secret`.",
        _webhook,
        shown=_shown_webhook,
    ),
    Setting("alarms", "webhook_ca", "", "The CA of the webhook's certificate (PEM); else the system's.", file_path),
    Setting(
        "alarms", "syslog", "", "unix:/dev/log, udp://HOST:514, tcp://HOST:601 or tls://HOST:6514 (RFC 5424).", _syslog
    ),
    Setting(
        "alarms", "syslog_ca", "", "The CA of the syslog daemon's certificate (PEM); else the system's.", file_path
    ),
    Setting(
        "alarms",
        "network_failures",
        200,
        "Failures of one network an hour that are nothing special yet.",
        positive,
        unit="an hour",
    ),
    Setting(
        "alarms",
        "repeat_after",
        900,
        "Seconds before the same kind about the same subject again.",
        positive,
        unit="seconds",
    ),
)


def read(values: Mapping[str, Value], *, home: Path) -> AlarmSettings:
    """The table [alarms]; relative paths start at `home`."""
    return AlarmSettings(
        webhook=str(values["alarms.webhook"]) or None,
        webhook_ca=optional_path(home, values["alarms.webhook_ca"]),
        syslog=str(values["alarms.syslog"]) or None,
        syslog_ca=optional_path(home, values["alarms.syslog_ca"]),
        network_failures=int(values["alarms.network_failures"]),
        repeat_after=int(values["alarms.repeat_after"]),
    )

"""Where a home's settings send its alarms."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from keyfob import tls
from keyfob.ambient import Clock
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server.alarms import webhook
from keyfob.server.alarms.courier import Sink
from keyfob.server.alarms.settings import WEBHOOK_SECRET_VARIABLE
from keyfob.server.alarms.syslog import Syslog, parse_address
from keyfob.server.alarms.webhook import Webhook
from keyfob.server.installation import Installation


def make(installation: Installation, *, environ: Mapping[str, str], clock: Clock) -> tuple[Sink, ...]:
    """The sinks of the settings, each usable. Raises Misuse or Problem that says what is missing."""
    settings = installation.settings.alarms
    found: list[Sink] = []
    if settings.webhook is not None:
        trusted = _Trust(settings.webhook_ca, environ)
        found.append(Webhook(settings.webhook, _key(installation, environ), trusted, clock=clock))
    if settings.syslog is not None:
        found.append(Syslog(parse_address(settings.syslog), _Trust(settings.syslog_ca, environ)))
    return tuple(found)


class _Trust:
    """A client's context, made anew for each delivery: a renewed CA file counts at once. Checked at the start."""

    def __init__(self, ca: Path | None, environ: Mapping[str, str]) -> None:
        self._ca = ca
        self._environ = environ
        self()

    def __call__(self) -> ssl.SSLContext:
        return tls.client_context(self._ca, environ=self._environ)


def _key(installation: Installation, environ: Mapping[str, str]) -> Secret:
    given = environ.get(WEBHOOK_SECRET_VARIABLE)
    secret = Secret(given) if given else installation.webhook_secret()
    if secret is None:
        raise Misuse(
            "webhook-secret-missing",
            "alarms.webhook is set, but there is no secret to sign its messages with",
            hint=f"keyfob-server alarm secret --out FILE, or set {WEBHOOK_SECRET_VARIABLE}",
        )
    try:
        return webhook.read_key(secret)
    except ValueError as wrong:
        raise Misuse("bad-webhook-secret", str(wrong), hint="let keyfob-server alarm secret make one") from None

"""The API's settings: the table of its keys, and what they are once read. How they are read: keyfob.settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import database_url
from keyfob import settings as homes
from keyfob.postgresql import Place
from keyfob.serving import limits
from keyfob.serving.limits import Limits
from keyfob.settings import Setting, Survey, Value, count, file_path, https_url, positive


def _off_or_required(value: Value) -> str:
    if value not in ("off", "required"):
        raise ValueError("must be off or required")
    return str(value)


SETTINGS = (
    Setting("server", "issuer", None, "The authorization server whose tokens are taken (RFC 8414).", https_url),
    Setting("server", "resource", None, "This API's own URL (RFC 8707): the audience of its tokens.", https_url),
    Setting(
        "server",
        "ca_file",
        "",
        "The authority that signed the issuer's TLS certificate; empty: the system's.",
        file_path,
    ),
    database_url.setting("cdms.db"),
    Setting("tls", "certificate", "tls/server.pem", "The API's certificate chain (PEM).", file_path),
    Setting("tls", "private_key", "tls/server.key", "Its private key (PEM, readable by its owner alone).", file_path),
    Setting(
        "tls",
        "client_ca",
        "",
        "Clients with tokens that are bound to a TLS certificate: their authorities, and self-signed ones (PEM).",
        file_path,
    ),
    Setting(
        "guard",
        "max_feed_age",
        60,
        "Seconds to go on without the issuer's revocation feed, before every request is answered 503.",
        positive,
        unit="seconds",
    ),
    Setting(
        "guard",
        "dpop_nonce",
        "off",
        "Whether a DPoP proof must hold a nonce of this API's, 5 minutes old at most (RFC 9449): off or required.",
        _off_or_required,
    ),
    Setting("limits", "max_body_bytes", 16 * 1024 * 1024, "The longest request body.", positive, unit="bytes"),
    Setting(
        "limits", "exports_per_client", 4, "How many exports of clinical data one client may run at once.", positive
    ),
    Setting(
        "limits",
        "requests_per_client_per_minute",
        12_000,
        "Of one client, at each worker; so many may come at once. 0: as many as it likes.",
        count,
    ),
    *limits.SETTINGS,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one home, with paths made absolute."""

    issuer: str
    resource: str
    ca_file: Path | None
    database: Path | Place
    tls_certificate: Path
    tls_private_key: Path
    client_ca: Path | None
    max_body_bytes: int
    exports_per_client: int
    requests_per_client_per_minute: int
    max_feed_age: int
    dpop_nonce: bool
    limits: Limits


def survey(home: Path, environ: Mapping[str, str]) -> Survey:
    """See keyfob.settings."""
    return homes.survey(SETTINGS, home, environ, together=((database_url.NAME, database_url.check_password),))


def load(home: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the home at `home`. Raises Misuse that names the key, the file or variable, and the mistake."""
    values = survey(home, environ).values()
    ca_file, client_ca = str(values["server.ca_file"]), str(values["tls.client_ca"])
    return Settings(
        issuer=str(values["server.issuer"]),
        resource=str(values["server.resource"]),
        ca_file=home / ca_file if ca_file else None,
        database=database_url.read(str(values[database_url.NAME]), home=home),
        tls_certificate=home / str(values["tls.certificate"]),
        tls_private_key=home / str(values["tls.private_key"]),
        client_ca=home / client_ca if client_ca else None,
        max_body_bytes=int(values["limits.max_body_bytes"]),
        exports_per_client=int(values["limits.exports_per_client"]),
        requests_per_client_per_minute=int(values["limits.requests_per_client_per_minute"]),
        max_feed_age=int(values["guard.max_feed_age"]),
        dpop_nonce=values["guard.dpop_nonce"] == "required",
        limits=limits.read(values),
    )


def write(values: Mapping[str, Value]) -> bytes:
    """See keyfob.settings."""
    return homes.write(SETTINGS, values)

"""The server's settings: the table of its keys, and what they are once read. How they are read: keyfob.settings.

What belongs to one part alone stands in that part's own table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import database_url
from keyfob import settings as homes
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.oauth import trusted_proxies
from keyfob.oauth.trusted_proxies import TrustedProxies
from keyfob.postgresql import Place
from keyfob.problem import Misuse
from keyfob.server import leak_settings as leaks
from keyfob.server import networks
from keyfob.server.alarms import settings as alarms
from keyfob.server.alarms.settings import WEBHOOK_SECRET_VARIABLE, AlarmSettings
from keyfob.server.leak_settings import ScannerSettings, SecurityContact
from keyfob.server.lifecycle import settings as credentials
from keyfob.server.lifecycle.settings import CredentialSettings
from keyfob.server.notices import settings as mail
from keyfob.server.notices.settings import PASSWORD_VARIABLE, MailSettings
from keyfob.serving import limits
from keyfob.serving.limits import Limits
from keyfob.settings import (
    FILE,
    LOOPBACK_NAMES,
    Setting,
    Survey,
    Together,
    Value,
    count,
    file_path,
    https_url,
    is_loopback,
    optional_path,
    positive,
    text,
)

__all__ = ["FILE", "LOOPBACK_NAMES", "SETTINGS", "Settings", "Value", "check_issuer", "is_loopback"]

SECOND_FOR = frozenset({"rights", "fingerprints"})
SECRET_VARIABLES = (PASSWORD_VARIABLE, WEBHOOK_SECRET_VARIABLE)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one home, with paths made absolute."""

    issuer: str
    service_documentation: str
    database: Path | Place
    tls_certificate: Path
    tls_private_key: Path
    asks_for_certificates: bool
    client_ca: Path | None
    trusted_proxies: TrustedProxies
    proxy_speaks: str
    max_body_bytes: int
    limits: Limits
    failures_per_network_per_minute: int
    tokens_per_client_per_minute: int
    clients_in_memory: int
    signing_algorithm: str
    signing_key_days: int
    jwks_uri_ca: Path | None
    jwks_uri_networks: tuple[str, ...]
    second_operator_for: frozenset[str]
    credentials: CredentialSettings
    alarms: AlarmSettings
    mail: MailSettings | None
    scanner: ScannerSettings | None
    security_contact: SecurityContact | None

    @property
    def registration_endpoint(self) -> str:
        return f"{self.issuer}/oauth2/register"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth2/token"

    @property
    def is_plain(self) -> bool:
        """Whether the server speaks plain HTTP, to its trusted proxies alone."""
        return bool(self.trusted_proxies) and self.proxy_speaks == "http"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.issuer)


def check_issuer(url: str) -> str:
    """The issuer identifier, as it will stand in every token.

    RFC 8414 §2: https, no query, no fragment; here also no user, and no slash at the end. Raises Misuse.
    """
    try:
        return https_url(url)
    except ValueError as wrong:
        raise Misuse("bad-issuer", f"the issuer {wrong}", hint="for example --issuer https://localhost:8443") from None


def _networks(value: Value) -> str:
    return " ".join(networks.parse(part) for part in text(value).split())


def _proxies(value: Value) -> str:
    return trusted_proxies.write(text(value))


def _second_for(value: Value) -> str:
    named = text(value).split()
    if not set(named) <= SECOND_FOR:
        raise ValueError(f"names something else than {', '.join(sorted(SECOND_FOR))}")
    return " ".join(sorted(set(named)))


def _asking(value: Value) -> str:
    if value not in ("off", "ask"):
        raise ValueError("is neither off nor ask")
    return str(value)


def _speaking(value: Value) -> str:
    if value not in ("http", "https"):
        raise ValueError("is neither http nor https")
    return str(value)


def _algorithm(value: Value) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"is none of {', '.join(ALGORITHMS)}")
    return str(value)


def _documentation(value: Value) -> str:
    return "" if value == "" else https_url(value)


SETTINGS = (
    Setting("server", "issuer", None, "The issuer identifier (RFC 8414): the https URL that partners know.", https_url),
    Setting(
        "server",
        "service_documentation",
        "",
        "The URL of a page for your partners' developers (RFC 8414); empty: /documentation at the issuer.",
        _documentation,
    ),
    database_url.setting("keyfob.db"),
    Setting("tls", "certificate", "tls/server.pem", "The server's certificate chain (PEM).", file_path),
    Setting("tls", "private_key", "tls/server.key", "Its private key (PEM, readable by its owner alone).", file_path),
    Setting(
        "tls",
        "client_certificates",
        "off",
        "`ask`: clients may authenticate, and have their tokens bound, by a TLS certificate (RFC 8705); or `off`.",
        _asking,
    ),
    Setting(
        "tls",
        "client_ca",
        "",
        "The authorities that issue certificates to your clients (PEM), for tls_client_auth.",
        file_path,
    ),
    Setting(
        "http",
        "trusted_proxy",
        "",
        "Addresses of the proxies that end TLS, and networks (CIDR, /16 or narrower, IPv6 /48), parted by commas or as"
        " a list: their word on a client counts.",
        _proxies,
        is_list=True,
    ),
    Setting(
        "http",
        "proxy_speaks",
        "http",
        "What the trusted proxies speak: `http` (on one machine, or a network that is yours alone) or `https`.",
        _speaking,
    ),
    Setting("limits", "max_body_bytes", 65536, "The longest request body.", positive, unit="bytes"),
    *limits.SETTINGS,
    Setting(
        "limits",
        "failures_per_network_per_minute",
        50,
        "Failed authentications from one network (an IPv4 address, an IPv6 /64) before further ones are slowed down.",
        positive,
        unit="a minute",
    ),
    Setting(
        "limits",
        "tokens_per_client_per_minute",
        600,
        "Tokens that one client may have a minute; 0: no limit.",
        count,
        unit="a minute",
    ),
    Setting(
        "limits",
        "clients_in_memory",
        10_000,
        "Clients that a worker keeps in memory; beyond, the one that it heard of longest ago is read anew.",
        positive,
    ),
    Setting(
        "keys", "algorithm", "ES256", f"What the next signing key signs with: {', '.join(ALGORITHMS)}.", _algorithm
    ),
    Setting(
        "keys", "rotation_days", 30, "Days after which a signing key gets its successor; 0: never.", count, unit="days"
    ),
    Setting(
        "keys",
        "jwks_uri_ca",
        "",
        "The CA of the hosts of your partners' URLs, jwks_uri and webhook (PEM); else the system's.",
        file_path,
    ),
    Setting(
        "keys",
        "jwks_uri_networks",
        "",
        "Inner networks (CIDR, parted by blanks) that partners' URLs may lead to; else only public addresses.",
        _networks,
    ),
    Setting(
        "operators",
        "second_for",
        "",
        "What another operator has to approve: rights (whatever gives one), fingerprints (of partners' keys).",
        _second_for,
    ),
    *credentials.SETTINGS,
    *alarms.SETTINGS,
    *mail.SETTINGS,
    *leaks.SETTINGS,
)


def survey(home: Path, environ: Mapping[str, str]) -> Survey:
    """All settings of the home at `home`, and every mistake in them; what does not go together once each is right."""
    return homes.survey(SETTINGS, home, environ, together=_TOGETHER)


_TOGETHER: tuple[Together, ...] = (
    (database_url.NAME, database_url.check_password),
    ("credentials.rotate_days_before", lambda _found, values: credentials.check(values)),
    ("mail.host", lambda _found, values: mail.read(values, home=Path())),
    ("security.contact", lambda _found, values: leaks.read_contact(values)),
)


def load(home: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the home at `home`. Raises Misuse that names each key, the file or variable, and the mistake."""
    values = survey(home, environ).values()
    issuer = str(values["server.issuer"])
    return Settings(
        issuer=issuer,
        service_documentation=str(values["server.service_documentation"]) or f"{issuer}/documentation",
        database=database_url.read(str(values[database_url.NAME]), home=home),
        tls_certificate=home / str(values["tls.certificate"]),
        tls_private_key=home / str(values["tls.private_key"]),
        asks_for_certificates=values["tls.client_certificates"] == "ask",
        client_ca=optional_path(home, values["tls.client_ca"]),
        trusted_proxies=trusted_proxies.read(str(values["http.trusted_proxy"])),
        proxy_speaks=str(values["http.proxy_speaks"]),
        max_body_bytes=int(values["limits.max_body_bytes"]),
        limits=limits.read(values),
        failures_per_network_per_minute=int(values["limits.failures_per_network_per_minute"]),
        tokens_per_client_per_minute=int(values["limits.tokens_per_client_per_minute"]),
        clients_in_memory=int(values["limits.clients_in_memory"]),
        signing_algorithm=str(values["keys.algorithm"]),
        signing_key_days=int(values["keys.rotation_days"]),
        jwks_uri_ca=optional_path(home, values["keys.jwks_uri_ca"]),
        jwks_uri_networks=tuple(str(values["keys.jwks_uri_networks"]).split()),
        second_operator_for=frozenset(str(values["operators.second_for"]).split()),
        credentials=credentials.read(values),
        alarms=alarms.read(values, home=home),
        mail=mail.read(values, home=home),
        scanner=leaks.read_scanner(values, home=home),
        security_contact=leaks.read_contact(values),
    )


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """See keyfob.settings."""
    found = homes.unknown_variables(SETTINGS, environ)
    return tuple(name for name in found if name not in SECRET_VARIABLES)


def read(content: bytes, *, where: str) -> dict[str, Value]:
    """See keyfob.settings."""
    return homes.read(SETTINGS, content, where=where)


def replaced(content: bytes, name: str, value: Value, *, where: str) -> bytes:
    """See keyfob.settings."""
    return homes.replaced(SETTINGS, content, name, value, where=where)


def write(values: Mapping[str, Value]) -> bytes:
    """See keyfob.settings."""
    return homes.write(SETTINGS, values)

"""Where a PostgreSQL database is, and what libpq is told to reach it safely; what went wrong, in words.

libpq reads the URL's query as its own parameters; those that could weaken or redirect the connection are not taken. A
password comes from a variable or from a pass file, and is never shown, written or logged.
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, quote, unquote, urlencode

from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.settings import LOOPBACK_NAMES

_URL = re.compile(r"postgres(?:ql)?://(?:([^/?#@:]*)(?::([^/?#@]*))?@)?([^/?#@]*)(?:/([^?#]*))?(?:\?([^#]*))?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]*)(?::([0-9]{1,5}))?")
_PATHS = frozenset({"passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"})
_TAKEN = _PATHS | {
    *("host", "port", "user", "password", "dbname", "sslmode", "sslnegotiation", "ssl_min_protocol_version"),
    *("channel_binding", "require_auth", "target_session_attrs", "load_balance_hosts", "connect_timeout"),
}
VERIFIED = "verify-full"
_SYSTEM_CAS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_SILENCE_MS = 5_000
"""Milliseconds after which a peer that acknowledges nothing is taken for dead, in the middle of a statement, too."""
_ALWAYS = {
    "application_name": "keyfob",
    "client_encoding": "utf8",
    "hostaddr": "",  # else PGHOSTADDR could send a verified name's connection somewhere else
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": str(_SILENCE_MS),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a PostgreSQL database is and how it is reached: libpq's parameters, checked. Its text holds no password."""

    parameters: Mapping[str, str]
    password: Secret | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Raises ValueError that continues "the database ..." and never repeats the URL."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError("is not of the form postgresql://USER@HOST:PORT/NAME")
        user, password, hosts, name, query = found.groups()
        parameters = {"user": unquote(user or ""), "dbname": unquote(name or "")}
        parameters |= _read_hosts(hosts)
        for key, value in parse_qsl(query or "", keep_blank_values=True):
            if key not in _TAKEN:
                # Not named: it may be a part of a password that holds a question mark.
                raise ValueError(f"has a parameter that is not taken; taken are {', '.join(sorted(_TAKEN))}")
            parameters[key] = value
        given = parameters.pop("password", None) if password is None else unquote(password)
        parameters.pop("password", None)
        plain = {key: value for key, value in parameters.items() if value}
        return cls(_checked(plain), None if given is None else Secret(given))

    def __str__(self) -> str:
        """As a URL, without a password."""
        rest = dict(self.parameters)
        hosts, ports = rest.pop("host").split(","), rest.pop("port", "").split(",")
        if len(ports) == 1:
            ports *= len(hosts)
        is_socket = any(host.startswith("/") for host in hosts)
        if is_socket:
            rest |= {"host": ",".join(hosts)} | ({"port": ",".join(ports)} if any(ports) else {})
        shown = [
            (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
            for host, port in zip(hosts, ports, strict=True)
        ]
        user, name = quote(rest.pop("user", ""), safe=""), quote(rest.pop("dbname"), safe="")
        authority = (f"{user}@" if user else "") + ("" if is_socket else ",".join(shown))
        return f"postgresql://{authority}/{name}" + (f"?{urlencode(rest, safe='/,')}" if rest else "")

    @property
    def is_local(self) -> bool:
        """Whether every host is this machine: no network in between that TLS must protect from."""
        return _is_local(self.parameters)

    def under(self, folder: Path) -> "Place":
        """With its files' paths absolute; a relative one starts at `folder`."""
        moved = {key: str((folder / value).absolute()) for key, value in self.parameters.items() if key in _PATHS}
        return replace(self, parameters={**self.parameters, **moved})


def _read_hosts(text: str) -> dict[str, str]:
    hosts, ports = [], []
    for one in text.split(",") if text else []:
        found = _HOST.fullmatch(unquote(one))
        if found is None:
            raise ValueError("is not of the form postgresql://USER@HOST:PORT/NAME")
        hosts.append(found[1].strip("[]"))
        ports.append(found[2] or "")
    return {"host": ",".join(hosts)} | ({"port": ",".join(ports)} if any(ports) else {})


def _checked(parameters: dict[str, str]) -> dict[str, str]:
    if not all(parameters.get("host", "").split(",")):
        raise ValueError("names no host: postgresql://USER@HOST/NAME, or ?host=/var/run/postgresql for a socket")
    if "dbname" not in parameters:
        raise ValueError("names no database: postgresql://USER@HOST/NAME")
    if not _is_local(parameters) and parameters.setdefault("sslmode", VERIFIED) != VERIFIED:
        raise ValueError(
            f"has an sslmode that would let anybody answer in its place: beyond this machine only {VERIFIED} is taken"
        )
    return parameters


def _is_local(parameters: Mapping[str, str]) -> bool:
    return all(host in LOOPBACK_NAMES or host.startswith("/") for host in parameters["host"].split(","))


def parameters(place: Place, *, environ: Mapping[str, str], patience: float) -> dict[str, str]:
    """What libpq is told, without a password. `patience`: seconds for a connection."""
    told = {"connect_timeout": str(int(patience)), **place.parameters, **_ALWAYS}
    if not place.is_local or place.parameters.get("sslmode") == VERIFIED:
        told["gssencmode"] = "disable"  # it would come in place of the verified TLS
        told.setdefault("sslrootcert", _ca_file(environ))
    return told


def explain(place: Place, said: str) -> tuple[str, str, str]:
    """Code, message and hint for what libpq said of a connection; its text holds no secret."""
    for words, code, hint in _WORDS:
        if words in said:
            return code, f"{place} cannot be used: {said}", hint
    return "database-away", f"{place} cannot be reached: {said}", _USUAL_HINT


def driver() -> ModuleType:
    try:
        import psycopg
    except ImportError:
        raise Misuse(
            "no-driver", "PostgreSQL needs a driver that is not installed", hint='pip install ".[postgres]"'
        ) from None
    return psycopg


def _ca_file(environ: Mapping[str, str]) -> str:
    named = environ.get("KEYFOB_CA_FILE") or environ.get("SSL_CERT_FILE")
    usual = (named, ssl.get_default_verify_paths().cafile, *_SYSTEM_CAS)
    return next((path for path in usual if path and os.path.exists(path)), "system")  # noqa: PTH110  # paths as libpq wants them


_WORDS = (
    ("no password supplied", "database-password", "put it into the variable with the URL, or a pass file (passfile=)"),
    ("password authentication failed", "database-password", "is it right, in the URL or the pass file?"),
    ("pg_hba.conf", "database-refused", "its pg_hba.conf must let this user in from here (hostssl)"),
    ("certificate", "database-certificate", "name its CA (sslrootcert=CA.pem), and the host as its certificate does"),
    ("does not support SSL", "database-tls", "the database must offer TLS: ssl = on"),
    ("SSL", "database-tls", "is the sslrootcert right, and does the database offer TLS?"),
    ("role ", "database-missing", "createuser NAME, and let it own the database"),
    ("does not exist", "database-missing", "createdb --owner USER --encoding UTF8 --template template0 NAME"),
)  # fmt: skip
_USUAL_HINT = "is it running, and are host, port and name right?"

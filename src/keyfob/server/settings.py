"""The server's settings: one table, from which the file's reader and the environment's are made.

Precedence: flag (applied by the command), environment, `keyfob.toml`, default. An unknown key in the file is an error.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from keyfob.oauth import resource_indicator
from keyfob.oauth.errors import InvalidTarget
from keyfob.problem import Misuse

FILE = "keyfob.toml"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_MAX_DIGITS = 12

Value = str | int


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `default` None: it must be set. `check` returns the value as it is used, or raises ValueError."""

    table: str
    key: str
    default: Value | None
    meaning: str
    check: Callable[[Value], Value]

    @property
    def variable(self) -> str:
        return f"KEYFOB_{self.table}_{self.key}".upper()

    @property
    def name(self) -> str:
        return f"{self.table}.{self.key}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one home, with paths made absolute."""

    issuer: str
    database_path: Path
    tls_certificate: Path
    tls_private_key: Path
    trusted_proxy: str | None
    max_body_bytes: int

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth2/token"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.issuer)


def check_issuer(url: str) -> str:
    """The issuer identifier, as it will stand in every token.

    RFC 8414 §2: https, no query, no fragment; here also no user, and no slash at the end. Raises Misuse.
    """
    try:
        return _issuer(url)
    except ValueError as wrong:
        raise Misuse("bad-issuer", f"the issuer {wrong}", hint="for example --issuer https://localhost:8443") from None


def is_loopback(issuer: str) -> bool:
    """Whether the issuer is this very machine, where a throw-away CA and no recovery copy are acceptable."""
    return urlsplit(issuer).hostname in LOOPBACK_NAMES


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    return value


def _issuer(value: Value) -> str:
    url = _text(value)
    try:
        plain = resource_indicator.check(url)
    except InvalidTarget as refused:
        raise ValueError(f"cannot be used: {refused.description}") from None
    parts = urlsplit(url)
    # RFC 8414 §3.3, RFC 9207 §2.4: issuers are compared as strings, so that there must be one way to write ours.
    if not url.startswith("https://") or parts.netloc != parts.netloc.lower():
        raise ValueError("must begin with https:// and have its host in lower case")
    if plain != url:
        raise ValueError("ends with a slash: leave it out")
    return url


def _database(value: Value) -> str:
    url = _text(value)
    if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
        raise ValueError("is not of the form sqlite:///PATH")
    return url


def _positive(value: Value) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0):
        raise ValueError("is not a whole number above 0")
    return int(text)


SETTINGS = (
    Setting("server", "issuer", None, "The issuer identifier (RFC 8414): the https URL that partners know.", _issuer),
    Setting("database", "url", "sqlite:///keyfob.db", "The database; a relative path starts at the home.", _database),
    Setting("tls", "certificate", "tls/server.pem", "The server's certificate chain (PEM).", _text),
    Setting("tls", "private_key", "tls/server.key", "Its private key (PEM, readable by its owner alone).", _text),
    Setting("http", "trusted_proxy", "", "Address of the proxy that ends TLS; only then plain HTTP is served.", _text),
    Setting("limits", "max_body_bytes", 65536, "The longest request body.", _positive),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_TABLES = frozenset(setting.table for setting in SETTINGS)


def load(home: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the home at `home`. Raises Misuse that names the key, the file or variable, and the mistake."""
    path = home / FILE
    values = {setting.name: setting.default for setting in SETTINGS}
    values |= read(path.read_bytes() if path.exists() else b"", where=str(path))
    for setting in SETTINGS:
        if setting.variable in environ:
            values[setting.name] = _checked(
                setting, environ[setting.variable], where=f"the variable {setting.variable}"
            )
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise Misuse("setting-missing", f"{path}: {missing[0]} is not set", hint="write it into the file")
    database = str(values["database.url"]).removeprefix("sqlite:///")
    return Settings(
        issuer=str(values["server.issuer"]),
        database_path=home / database,
        tls_certificate=home / str(values["tls.certificate"]),
        tls_private_key=home / str(values["tls.private_key"]),
        trusted_proxy=str(values["http.trusted_proxy"]) or None,
        max_body_bytes=int(values["limits.max_body_bytes"] or 0),
    )


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that look like settings of this program's tables and are none: worth a warning, never an error."""
    known = {setting.variable for setting in SETTINGS}
    prefixes = tuple(f"KEYFOB_{table.upper()}_" for table in sorted(_TABLES))
    return tuple(sorted(name for name in environ if name.startswith(prefixes) and name not in known))


def read(content: bytes, *, where: str) -> dict[str, Value]:
    """The `table.key` values in a settings file. Raises Misuse."""
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as broken:
        raise Misuse("bad-settings", f"{where} is not TOML: {broken}", hint="mend the line that it names") from None
    values: dict[str, Value] = {}
    for table, keys in document.items():
        if table not in _TABLES or not isinstance(keys, dict):
            raise Misuse(
                "unknown-setting", f"{where}: [{table}] is unknown", hint=f"tables: {', '.join(sorted(_TABLES))}"
            )
        for key, value in keys.items():
            setting = _BY_NAME.get(f"{table}.{key}")
            if setting is None:
                known = ", ".join(other.key for other in SETTINGS if other.table == table)
                raise Misuse(
                    "unknown-setting", f"{where}: {table}.{key} is unknown", hint=f"keys of [{table}]: {known}"
                )
            values[setting.name] = _checked(setting, value, where=where)
    return values


def write(values: Mapping[str, Value]) -> bytes:
    """A settings file of `values` (`table.key`), each with its meaning as a comment."""
    lines: list[str] = []
    for table in dict.fromkeys(setting.table for setting in SETTINGS):
        chosen = [setting for setting in SETTINGS if setting.table == table and setting.name in values]
        if chosen:
            lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        for setting in chosen:
            lines += [f"# {setting.meaning}", f"{setting.key} = {_toml(values[setting.name])}"]
    return ("\n".join(lines) + "\n").encode()


def _toml(value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = "".join(
        f"\\u{ord(character):04x}" if character < " " or character in '"\\\x7f' else character for character in value
    )
    return f'"{escaped}"'


def _checked(setting: Setting, value: object, *, where: str) -> Value:
    try:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ValueError("is neither a text nor a number")
        return setting.check(value)
    except ValueError as wrong:
        raise Misuse("bad-setting", f"{where}: {setting.name} {wrong}", hint=setting.meaning) from None

"""Settings of a home: one table of keys, from which the file's reader and the environment's are made.

Precedence: flag (applied by the command), environment, `keyfob.toml`, default. An unknown key in the file is an error;
an unknown variable is a warning, since the programs share the prefix.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
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


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this very machine, where a throw-away CA and no recovery copy are acceptable."""
    return urlsplit(url).hostname in LOOPBACK_NAMES


def text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    return value


def https_url(value: Value) -> str:
    """An issuer or resource, in the one way to write it: RFC 8414 §3.3 compares them as strings."""
    url = text(value)
    try:
        plain = resource_indicator.check(url)
    except InvalidTarget as refused:
        raise ValueError(f"cannot be used: {refused.description}") from None
    parts = urlsplit(url)
    if not url.startswith("https://") or parts.netloc != parts.netloc.lower():
        raise ValueError("must begin with https:// and have its host in lower case")
    if plain != url:
        raise ValueError("ends with a slash: leave it out")
    return url


def sqlite_url(value: Value) -> str:
    url = text(value)
    if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
        raise ValueError("is not of the form sqlite:///PATH")
    return url


def positive(value: Value) -> int:
    if (number := _whole_number(value)) is None or number == 0:
        raise ValueError("is not a whole number above 0")
    return number


def count(value: Value) -> int:
    if (number := _whole_number(value)) is None:
        raise ValueError("is neither 0 nor a whole number above it")
    return number


def _whole_number(value: Value) -> int | None:
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else None


def load(settings: Sequence[Setting], home: Path, environ: Mapping[str, str]) -> dict[str, Value]:
    """The `table.key` values of the home at `home`. Raises Misuse naming key, file or variable, and the mistake."""
    path = home / FILE
    values = {setting.name: setting.default for setting in settings}
    values |= read(settings, path.read_bytes() if path.exists() else b"", where=str(path))
    for setting in settings:
        if setting.variable in environ:
            values[setting.name] = _checked(
                setting, environ[setting.variable], where=f"the variable {setting.variable}"
            )
    found = {name: value for name, value in values.items() if value is not None}
    for name in values:
        if name not in found:
            raise Misuse("setting-missing", f"{path}: {name} is not set", hint="write it into the file")
    return found


def unknown_variables(settings: Sequence[Setting], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that look like settings of this program's tables and are none: worth a warning, never an error."""
    known = {setting.variable for setting in settings}
    prefixes = tuple(sorted({f"KEYFOB_{setting.table.upper()}_" for setting in settings}))
    return tuple(sorted(name for name in environ if name.startswith(prefixes) and name not in known))


def read(settings: Sequence[Setting], content: bytes, *, where: str) -> dict[str, Value]:
    """The `table.key` values in a settings file. Raises Misuse."""
    by_name = {setting.name: setting for setting in settings}
    tables = sorted({setting.table for setting in settings})
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as broken:
        raise Misuse("bad-settings", f"{where} is not TOML: {broken}", hint="mend the line that it names") from None
    values: dict[str, Value] = {}
    for table, keys in document.items():
        if table not in tables or not isinstance(keys, dict):
            raise Misuse("unknown-setting", f"{where}: [{table}] is unknown", hint=f"tables: {', '.join(tables)}")
        for key, value in keys.items():
            setting = by_name.get(f"{table}.{key}")
            if setting is None:
                known = ", ".join(other.key for other in settings if other.table == table)
                raise Misuse(
                    "unknown-setting", f"{where}: {table}.{key} is unknown", hint=f"keys of [{table}]: {known}"
                )
            values[setting.name] = _checked(setting, value, where=where)
    return values


def write(settings: Sequence[Setting], values: Mapping[str, Value]) -> bytes:
    """A settings file of `values` (`table.key`), each with its meaning as a comment."""
    lines: list[str] = []
    for table in dict.fromkeys(setting.table for setting in settings):
        chosen = [setting for setting in settings if setting.table == table and setting.name in values]
        if chosen:
            lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        for setting in chosen:
            lines += [f"# {setting.meaning}", f"{setting.key} = {_toml(values[setting.name])}"]
    return ("\n".join(lines) + "\n").encode()


def replaced(settings: Sequence[Setting], content: bytes, name: str, value: Value, *, where: str) -> bytes:
    """The settings file with one key (`table.key`) set, and all else as it stands, comments too. Raises Misuse."""
    table, _, key = name.partition(".")
    line, lines = f"{key} = {_toml(value)}", content.decode().splitlines()
    heading = old = None
    is_here = False
    for number, text in enumerate(lines):
        if text.lstrip().startswith("["):
            is_here = text.partition("#")[0].strip() == f"[{table}]"
            heading = number if is_here else heading
        elif is_here and text.partition("=")[0].strip() == key:
            old = number
    if old is not None:
        lines[old] = line
    elif heading is not None:
        lines.insert(heading + 1, line)
    else:
        lines += ["", f"[{table}]", line]
    made = ("\n".join(lines) + "\n").encode()
    try:
        is_right = read(settings, made, where=where) == read(settings, content, where=where) | {name: value}
    except Misuse:
        is_right = False
    if not is_right:
        raise Misuse("bad-settings", f"{name} cannot be set in {where}", hint="write it in a table, as init does")
    return made


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

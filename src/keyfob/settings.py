"""Settings of a home: one table of keys, from which the file's reader and the environment's are made.

Precedence: flag (applied by the command), environment, `keyfob.toml`, default. An unknown key in the file is an error;
an unknown variable is a warning, since the programs share the prefix. All mistakes are reported at once.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
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
    """One key. `default` None: it must be set. `check` returns the value as it is used, or raises ValueError.

    `unit` of a number. `is_list`: in the file it may also be a list of texts, which is one text with commas between
    them. `shown`: the value as anybody may see it, where it can hold a secret.
    """

    table: str
    key: str
    default: Value | None
    meaning: str
    check: Callable[[Value], Value]
    unit: str = ""
    shown: Callable[[Value], Value] = field(default=lambda value: value)
    is_list: bool = False

    @property
    def variable(self) -> str:
        return f"KEYFOB_{self.table}_{self.key}".upper()

    @property
    def name(self) -> str:
        return f"{self.table}.{self.key}"


class Source(StrEnum):
    """Whence a value comes; what stands later goes before."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, and where it stands: FILE:LINE, or the name of a variable."""

    where: str
    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of a setting that counts (None: there is none), whence it comes and where it stands."""

    setting: Setting
    value: Value | None
    source: Source
    where: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What all the settings of a home are, and every mistake in them."""

    effective: tuple[Effective, ...]
    faults: tuple[Fault, ...]

    def values(self) -> dict[str, Value]:
        """`table.key` values. Raises Misuse that names every mistake."""
        check_faultless(self.faults)
        return {one.setting.name: one.value for one in self.effective if one.value is not None}

    def find(self, name: str) -> Effective:
        return next(one for one in self.effective if one.setting.name == name)


def check_faultless(faults: Sequence[Fault], *, of: str = "the settings") -> None:
    """Raises Misuse with the first one's code that names every one of `faults`; a program finds them in `problems`."""
    if not faults:
        return
    if len(faults) == 1:
        raise Misuse(faults[0].code, str(faults[0]), hint=faults[0].hint)
    listed = [{"where": one.where, "code": one.code, "message": one.message, "hint": one.hint} for one in faults]
    lines = "".join(f"\n  {one}\n    hint: {one.hint}" for one in faults)
    raise Misuse(
        faults[0].code,
        f"{len(faults)} mistakes in {of}:{lines}",
        hint="mend each of them: nothing was done",
        more={"problems": listed},
    )


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this very machine, where a throw-away CA and no recovery copy are acceptable."""
    return urlsplit(url).hostname in LOOPBACK_NAMES


def text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    return value


def file_path(value: Value) -> str:
    """A file's place; a relative one starts at the home. Empty where it is optional."""
    return text(value)


def optional_path(home: Path, value: Value) -> Path | None:
    """What `file_path` let through, under `home`; None where nothing was named."""
    return home / str(value) if value != "" else None


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


Together = tuple[str, Callable[[Survey, Mapping[str, Value]], object]]
"""What does not show in one setting alone: whose name the mistake bears, and a check that raises Misuse."""


def survey(
    settings: Sequence[Setting], home: Path, environ: Mapping[str, str], *, together: Sequence[Together] = ()
) -> Survey:
    """All settings of the home at `home`, and every mistake in them; what goes `together` once each is right."""
    found = _survey(settings, home, environ)
    if found.faults:
        return found
    values, faults = found.values(), []
    for name, check in together:
        try:
            check(found, values)
        except Misuse as wrong:
            where = found.find(name).where or str(home / FILE)
            faults.append(Fault(where, wrong.code, wrong.message, wrong.hint))
    return replace(found, faults=tuple(faults))


def _survey(settings: Sequence[Setting], home: Path, environ: Mapping[str, str]) -> Survey:
    path = home / FILE
    written, faults = _read(settings, path.read_bytes() if path.exists() else b"", where=str(path))
    is_readable = not any(fault.message.startswith("is not TOML") for fault in faults)
    found = []
    for setting in settings:
        one = Effective(setting, setting.default, Source.DEFAULT, "")
        if setting.name in written:
            value, where = written[setting.name]
            one = Effective(setting, value, Source.FILE, where)
        if setting.variable in environ:
            checked = _checked(setting, environ[setting.variable], where=setting.variable)
            if isinstance(checked, Fault):
                faults.append(checked)
            counts = None if isinstance(checked, Fault) else checked
            one = Effective(setting, counts, Source.ENVIRONMENT, setting.variable)
        is_missing = one.value is None and one.source is Source.DEFAULT
        if is_missing and is_readable and not any(setting.name in fault.message for fault in faults):
            faults.append(Fault(str(path), "setting-missing", f"{setting.name} is not set", "write it into the file"))
        found.append(one)
    return Survey(tuple(found), tuple(faults))


def unknown_variables(settings: Sequence[Setting], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that look like settings of this program's tables and are none: worth a warning, never an error."""
    known = {setting.variable for setting in settings}
    prefixes = tuple(sorted({f"KEYFOB_{setting.table.upper()}_" for setting in settings}))
    return tuple(sorted(name for name in environ if name.startswith(prefixes) and name not in known))


def read(settings: Sequence[Setting], content: bytes, *, where: str) -> dict[str, Value]:
    """The `table.key` values in a settings file. Raises Misuse."""
    values, faults = _read(settings, content, where=where)
    check_faultless(faults)
    return {name: value for name, (value, _) in values.items()}


def _read(
    settings: Sequence[Setting], content: bytes, *, where: str
) -> tuple[dict[str, tuple[Value, str]], list[Fault]]:
    """The values of a file with the place of each, and every mistake in it."""
    by_name = {setting.name: setting for setting in settings}
    tables = sorted({setting.table for setting in settings})
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as broken:
        return {}, [Fault(where, "bad-settings", f"is not TOML: {broken}", "mend the line that it names")]
    lines = _lines(text)
    values: dict[str, tuple[Value, str]] = {}
    faults: list[Fault] = []
    for table, keys in document.items():
        if table not in tables or not isinstance(keys, dict):
            place = _place(where, lines, table)
            faults.append(Fault(place, "unknown-setting", f"[{table}] is unknown", f"tables: {', '.join(tables)}"))
            continue
        for key, value in keys.items():
            name = f"{table}.{key}"
            place, setting = _place(where, lines, name), by_name.get(name)
            if setting is None:
                known = ", ".join(other.key for other in settings if other.table == table)
                faults.append(Fault(place, "unknown-setting", f"{name} is unknown", f"keys of [{table}]: {known}"))
                continue
            checked = _checked(setting, value, where=place)
            if isinstance(checked, Fault):
                faults.append(checked)
            else:
                values[name] = checked, place
    return values, faults


_HEADING = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


def _lines(text: str) -> dict[str, int]:
    """On which line a table or a key stands, as TOML is usually written; what is written otherwise is not there."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if heading := _HEADING.match(line):
            table = heading[1]
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return found


def _place(where: str, lines: Mapping[str, int], name: str) -> str:
    return f"{where}:{lines[name]}" if name in lines else where


def write(settings: Sequence[Setting], values: Mapping[str, Value]) -> bytes:
    """A settings file of `values` (`table.key`), each with its meaning as a comment."""
    lines: list[str] = []
    for table in dict.fromkeys(setting.table for setting in settings):
        chosen = [setting for setting in settings if setting.table == table and setting.name in values]
        if chosen:
            lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        for setting in chosen:
            lines += [f"# {setting.meaning}", f"{setting.key} = {write_value(values[setting.name])}"]
    return ("\n".join(lines) + "\n").encode()


def replaced(settings: Sequence[Setting], content: bytes, name: str, value: Value, *, where: str) -> bytes:
    """The settings file with one key (`table.key`) set, and all else as it stands, comments too. Raises Misuse."""
    table, _, key = name.partition(".")
    line, lines = f"{key} = {write_value(value)}", content.decode().splitlines()
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


def write_value(value: Value) -> str:
    """As TOML says it; a text with everything escaped that could end it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    escaped = "".join(
        f"\\u{ord(character):04x}" if character < " " or character in '"\\\x7f' else character for character in value
    )
    return f'"{escaped}"'


def _checked(setting: Setting, value: object, *, where: str) -> Value | Fault:
    try:
        if setting.is_list and isinstance(value, list):
            value = _joined(value)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ValueError("is neither a text nor a number")
        return setting.check(value)
    except ValueError as wrong:
        return Fault(where, "bad-setting", f"{setting.name} {wrong}", setting.meaning)


def _joined(listed: Sequence[object]) -> str:
    parts = [part for part in listed if isinstance(part, str)]
    if len(parts) < len(listed) or any("," in part for part in parts):
        raise ValueError("is no list of texts, each without a comma")
    return ", ".join(parts)

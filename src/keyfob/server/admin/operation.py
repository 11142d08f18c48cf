"""An operation: what it takes, what it needs, and where it is found over HTTP. Its input is a frozen dataclass.

From the dataclass come the JSON Schema, the reading of what arrives, and the writing of what is sent.
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from keyfob.problem import Misuse
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.storage.reading import Reading

A = TypeVar("A")

MAX_PAGE = 500
MAX_TEXT = 512
MAX_FILE = 48 * 1024
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
File = Annotated[str, Meta(min_length=1, max_length=MAX_FILE)]
"""A document as a text, such as a certificate."""

_QUOTED = re.compile(r"Invalid enum value .*?(?= - at |$)", re.DOTALL)
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Needs(StrEnum):
    """What can be set to need a second operator."""

    RIGHTS = "rights"
    FINGERPRINTS = "fingerprints"


RIGHTS, FINGERPRINTS = frozenset({Needs.RIGHTS}), frozenset({Needs.FINGERPRINTS})


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """`command`: what does it at the command line. `needs`: where one of them is set, a second operator has to approve
    it; `second`: which of them such an input needs (None: all), and raises what `perform` would. `lists`: the member of
    its document that comes in pages. `versioned`: its document says a version, or it changes what has one.
    """

    name: str
    command: str
    method: str
    path: str
    scope: str
    asked: type[A]
    perform: Callable[[Desk, A], Document]
    summary: str
    needs: frozenset[Needs] = frozenset()
    second: Callable[[Desk, Reading, A], Collection[Needs]] | None = None
    lists: str | None = None
    versioned: bool = False

    @property
    def acts(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def names(self) -> tuple[str, ...]:
        """Members of the input that stand in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def others(self) -> tuple[str, ...]:
        """Members of the input that stand in the body, or in the query of a GET."""
        return tuple(one.name for one in _fields(self.asked) if one.name not in self.names)

    def read(self, members: Mapping[str, object], *, is_text: bool = False) -> A:
        """The input. `is_text`: its members came as texts, from a URL. Raises Misuse, which quotes nothing."""
        if set(members) - {one.name for one in _fields(self.asked)}:
            raise Misuse("unknown-parameter", "there is a parameter that is not known here", hint=self._known())
        if _has_nul(members):
            raise Misuse("nul-character", "a text holds a NUL character", hint="leave it out")
        try:
            return msgspec.convert(_whole(members), self.asked, strict=not is_text)
        except msgspec.ValidationError as wrong:
            raise Misuse(
                "bad-input", _QUOTED.sub("Not one of the known values", str(wrong)), hint=self._known()
            ) from None

    def write(self, asked: A) -> dict[str, object]:
        """What `read` reads, without members that were left to their default."""
        written: dict[str, object] = msgspec.to_builtins(asked)
        default = {one.name: one.default for one in _fields(self.asked)}
        return {name: value for name, value in written.items() if value != default[name]}

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the input as one object."""
        _, components = msgspec.json.schema_components([self.asked], ref_template="#/{name}")
        whole = _resolved(components[self.asked.__name__], components)
        return {**whole, "additionalProperties": False}

    def _known(self) -> str:
        names = [one.name for one in _fields(self.asked)]
        return f"known: {', '.join(names)}" if names else "it takes nothing"


def _resolved(schema: Any, components: Mapping[str, Any]) -> Any:
    """`schema` with what it refers to in the place of the reference: it stands alone."""
    if isinstance(schema, list):
        return [_resolved(one, components) for one in schema]
    if not isinstance(schema, dict):
        return schema
    referred = components[schema["$ref"].removeprefix("#/")] if "$ref" in schema else {}
    return {name: _resolved(one, components) for name, one in (referred | schema).items() if name != "$ref"}


def _fields(asked: type[object]) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(asked)  # type: ignore[arg-type]  # an input is a dataclass


def _whole(members: Mapping[str, object]) -> dict[str, object]:
    """JSON knows one kind of number: 7.0 is an integer (JSON Schema validation, section 6.1.1)."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in members.items()
    }


def _has_nul(value: object) -> bool:
    """Databases refuse it, and nobody means it."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(name) or _has_nul(one) for name, one in value.items())
    return isinstance(value, list | tuple) and any(map(_has_nul, value))


@dataclass(frozen=True, slots=True)
class Nothing:
    """The input of what takes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list: at most `limit`, going on where `cursor` says, which is the `next` of the part before."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100
    cursor: Annotated[str, Meta(min_length=1, max_length=8192, pattern="^[A-Za-z0-9_-]+$")] | None = None

"""Where the code cites a standard, and which tests cite the same place.

A tag is a comment of the form `# RFC 6749 §3.2: parameters come once.` directly above a statement, or above one element
of a collection: what it says must fail some test when that statement is taken away. A test cites by `RFC 6749 §3.2` in
its docstring or in a comment of its own.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_PLACE = r"(?:§[0-9]+(?:\.[0-9]+)*|appendix [A-Z](?:\.[0-9]+)*)"
_TAG = re.compile(rf"\s*# (RFC [0-9]+ {_PLACE}(?:, (?:RFC [0-9]+ )?{_PLACE})*): (.+)")
_CITED = re.compile(rf"RFC ([0-9]+)((?:,? (?:and )?{_PLACE})+)")


@dataclass(frozen=True)
class Requirement:
    """A tagged statement: `text` is what the comment says, `places` the sections, `node` what is taken away."""

    path: str
    places: tuple[tuple[int, str], ...]
    text: str
    function: str
    node: ast.AST

    @property
    def key(self) -> str:
        return f"{self.path}: {self.text}"

    @property
    def digest(self) -> str:
        return _digest(ast.dump(self.node))


@dataclass(frozen=True)
class Test:
    """A test function, by its pytest id, and what it cites."""

    id: str
    places: frozenset[tuple[int, str]]
    digest: str


def requirements() -> list[Requirement]:
    """Every tag in src, in the order of files. Raises ValueError for a tag that stands above nothing."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if re.search(r"# RFC [0-9]", source):
            found += list(_tags(path, source))
    return found


def tests() -> list[Test]:
    """Every test function that cites a place."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = ast.get_source_segment(source, node) or ""
                places = frozenset(cited(text))
                if places:
                    name = f"{path.relative_to(ROOT)}::{node.name}"
                    found.append(Test(name, places, _digest(ast.dump(node))))
    return found


def cited(text: str) -> Iterator[tuple[int, str]]:
    """(RFC, place) for each citation in a text."""
    for number, places in _CITED.findall(text):
        for place in re.findall(_PLACE, places):
            yield int(number), place


def _tags(path: Path, source: str) -> Iterator[Requirement]:
    lines, tree = source.splitlines(), ast.parse(source)
    for number, line in enumerate(lines, 1):
        tag = _TAG.match(line)
        if tag is None:
            continue
        text, below = tag[2], number
        while below < len(lines) and re.match(r"\s*# ", lines[below]) and not _TAG.match(lines[below]):
            text += " " + lines[below].strip(" #")
            below += 1
        node = _at(tree, below + 1)
        where = path.relative_to(ROOT)
        if node is None:
            raise ValueError(f"{where}:{number}: the tag stands above no statement and no element")
        yield Requirement(str(where), tuple(cited(tag[1])), text.rstrip("."), _function(tree, below + 1), node)


def _at(tree: ast.AST, line: int) -> ast.AST | None:
    """The outermost statement that begins at `line`; else the outermost element of a collection or a call."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno == line]
    if statements:
        return max(statements, key=lambda node: node.end_lineno or 0)
    elements = [
        element
        for node in ast.walk(tree)
        for element in [*getattr(node, "elts", []), *getattr(node, "keywords", []), *getattr(node, "args", [])]
        if isinstance(element, ast.expr | ast.keyword) and element.lineno == line
    ]
    keys = [
        value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key is not None and key.lineno == line
    ]
    return next(iter([*elements, *keys]), None)


def _function(tree: ast.AST, line: int) -> str:
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return ".".join(node.name for node in sorted(around, key=lambda node: node.lineno))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

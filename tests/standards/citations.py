"""Where the code cites a standard, and which tests cite the same place.

A tag is a comment of the form `# RFC 6749 §3.2: parameters come once.` directly above a statement, or above one element
of a collection, a call or a condition: what it says must fail some test when that is taken away. Several tags may stand
above one statement. A test cites by `RFC 6749 §3.2` in its docstring or in a comment of its own.
"""

import ast
import functools
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
        return f"{self.path}::{self.function}: {self.text}"

    @property
    def digest(self) -> str:
        return _digest(ast.dump(self.node))


@dataclass(frozen=True)
class Test:
    """A test function, by its pytest id, and what it cites."""

    id: str
    places: frozenset[tuple[int, str]]
    digest: str

    @property
    def path(self) -> str:
        return self.id.partition("::")[0]

    @property
    def name(self) -> str:
        return self.id.partition("::")[2]


class Item(ast.expr):
    """One `key: value` of a dict, which Python's tree keeps in two lists."""

    _fields = ("key", "value")


@functools.cache
def requirements() -> list[Requirement]:
    """Every tag in src, in the order of files. Raises ValueError for one above nothing, and for two that are alike."""
    found: dict[str, Requirement] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if re.search(r"# RFC [0-9]", source):
            for one in tags(str(path.relative_to(ROOT)), source):
                if one.key in found:
                    raise ValueError(f"{one.key}: two tags say the same, so that neither could be told from the other")
                found[one.key] = one
    return list(found.values())


@functools.cache
def citing() -> list[Test]:
    """Every test function that cites a place. Those of this tool cite only examples."""
    found = []
    for path in sorted(set((ROOT / "tests").rglob("test_*.py")) - set(Path(__file__).parent.iterdir())):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                places = frozenset(cited("\n".join(lines[node.lineno - 1 : node.end_lineno])))
                if places:
                    name = f"{path.relative_to(ROOT)}::{node.name}"
                    # What it does, not what it says: its words may change without another proof.
                    done = [*node.decorator_list, node.args, *node.body[ast.get_docstring(node) is not None :]]
                    found.append(Test(name, places, _digest(" ".join(map(ast.dump, done)))))
    return found


def cited(text: str) -> Iterator[tuple[int, str]]:
    """(RFC, place) for each citation in a text."""
    for number, places in _CITED.findall(text):
        for place in re.findall(_PLACE, places):
            yield int(number), place


def tags(where: str, source: str) -> Iterator[Requirement]:
    """The tags of one file. Raises ValueError for a tag that stands above no statement and no element."""
    lines, tree = source.splitlines(), ast.parse(source)
    for number, line in enumerate(lines, 1):
        tag = _TAG.match(line)
        if tag is None:
            continue
        text, below, is_own = tag[2], number, True
        while below < len(lines) and re.match(r"\s*# ", lines[below]):
            is_own = is_own and not _TAG.match(lines[below])
            text += " " + lines[below].strip(" #") if is_own else ""
            below += 1
        node = _at(tree, below + 1)
        if node is None:
            raise ValueError(f"{where}:{number}: the tag stands above no statement and no element")
        yield Requirement(where, tuple(cited(tag[1])), text.rstrip("."), _function(tree, below + 1), node)


def _at(tree: ast.AST, line: int) -> ast.AST | None:
    """The outermost statement that begins at `line`; else the outermost element of a collection, call or condition."""
    nodes = list(ast.walk(tree))
    statements = [node for node in nodes if isinstance(node, ast.stmt) and node.lineno == line]
    if statements:
        return max(statements, key=lambda node: node.end_lineno or 0)
    lists = [getattr(node, name, []) for node in nodes for name in ("elts", "keywords", "args", "values")]
    elements = [element for found in lists if isinstance(found, list) for element in found if element is not None]
    items = [item for node in nodes if isinstance(node, ast.Dict) for item in _items(node)]
    return next((one for one in [*items, *elements] if getattr(one, "lineno", None) == line), None)


def _items(node: ast.Dict) -> Iterator[Item]:
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None:
            yield Item(
                key=key,
                value=value,
                lineno=key.lineno,
                col_offset=key.col_offset,
                end_lineno=value.end_lineno,
                end_col_offset=value.end_col_offset,
            )


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

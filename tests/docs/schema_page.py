"""docs/reference/schema.md and cdms-schema.md, out of each storage/schema: tables, and the comments above them."""

import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import sqlalchemy as sa

_TABLE = re.compile(r"((?:^#[^\n]*\n)*)^(\w+) = sa\.Table\(\n    \"(\w+)\",\n(.*?)^\)\n", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"sa\.Column\(\"(\w+)\".*?\),?(?:  # (.*))?$", re.MULTILINE)
_OPENING = """# {heading}

The same on SQLite and PostgreSQL, under Alembic's migrations: a program brings a database up to date when it opens it,
and refuses one that a newer program made, unless that only added to it. Dates are seconds since 1970 UTC.

{said}

This page is made from `src/{path}`: `KEYFOB_WRITE_PAGES=1 make docs` writes it anew.
"""
_SERVER = """No secret is here in clear: secrets of clients are keyed hashes,
private keys lie in envelopes whose key is not in the database."""
_CDMS = """Values are kept as they were sent; what they were before, who changed
them, when and why stands in `audit`, whose key is not in the database."""
PAGES = {
    "schema.md": ("keyfob.server.storage.schema", "The server's tables", _SERVER),
    "cdms-schema.md": ("keyfob.cdms.storage.schema", "The clinical data API's tables", _CDMS),
}


def schema_of(name: str) -> ModuleType:
    return importlib.import_module(PAGES[name][0])


def modules_of(schema: ModuleType) -> list[ModuleType]:
    """The module itself, or those of the package, in the order of their names."""
    names = sorted(found.name for found in pkgutil.iter_modules(getattr(schema, "__path__", [])))
    return [importlib.import_module(f"{schema.__name__}.{name}") for name in names] or [schema]


def page(name: str) -> str:
    schema = schema_of(name)
    module, heading, said = PAGES[name]
    source = "".join(map(inspect.getsource, modules_of(schema)))
    path = module.replace(".", "/") + ("/" if hasattr(schema, "__path__") else ".py")
    parts = [_OPENING.format(heading=heading, said=said, path=path)]
    for comment, _, name, body in _TABLE.findall(source):
        table = schema.metadata.tables[name]
        said = " ".join(line.removeprefix("#").strip() for line in comment.splitlines())
        notes = dict(_COLUMN.findall(body))
        rows = [_row(column, notes.get(column.name, "")) for column in table.columns]
        heading = f"## {name}\n" + (f"\n{said}\n" if said else "")
        rules = [_rule(constraint) for constraint in sorted(table.constraints, key=lambda one: str(one.name))]
        rules += [_index(index) for index in sorted(table.indexes, key=lambda one: str(one.name))]
        listed = "\n".join(f"- {rule}" for rule in rules if rule)
        columns = "| column | type | | |\n|---|---|---|---|\n" + "\n".join(rows)
        parts.append(f"{heading}\n{columns}\n" + (f"\n{listed}\n" if listed else ""))
    return "\n".join(parts)


def _row(column: "sa.Column[object]", note: str) -> str:
    marks = ["key"] if column.primary_key else []
    marks += [] if column.primary_key or not column.nullable else ["may be empty"]
    marks += [f"→ `{key.target_fullname}`" for key in sorted(column.foreign_keys, key=lambda one: one.target_fullname)]
    return f"| `{column.name}` | {column.type.__class__.__name__} | {', '.join(marks)} | {note} |"


def _rule(constraint: sa.Constraint) -> str:
    if isinstance(constraint, sa.CheckConstraint):
        return f"check: `{constraint.sqltext}`"
    if isinstance(constraint, sa.UniqueConstraint):
        return f"unique: {', '.join(f'`{column.name}`' for column in constraint.columns)}"
    if isinstance(constraint, sa.ForeignKeyConstraint) and len(constraint.columns) > 1:
        columns = ", ".join(f"`{name}`" for name in constraint.column_keys)
        return f"together → `{constraint.referred_table.name}`: {columns}"
    return ""


def _index(index: sa.Index) -> str:
    columns = ", ".join(f"`{column.name}`" for column in index.columns)
    where = index.dialect_options["sqlite"]["where"]
    condition = "" if where is None else f", where {where.compile(compile_kwargs={'literal_binds': True})}"
    return f"{'unique ' if index.unique else ''}index: {columns}{condition}"

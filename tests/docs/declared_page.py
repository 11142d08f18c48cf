"""docs/reference/declared-state.md, out of the table of its members."""

from collections.abc import Sequence

from keyfob.server.lifecycle.declaration import CLIENT, PARTNER, TOP, Member

_OPENING = """# The declared state

What `keyfob-server apply FILE` reads and `keyfob-server export DIR` writes: TOML in UTF-8, at most 1 MiB. No secret has
a place in it. [declared-state.schema.json](declared-state.schema.json) is the same as a JSON Schema.

A partner is who its `name` says, a client who its partner's name and its own say: both keep their ids and secrets when
anything else changes. A client's `auth_method`, `profile` and certificate's name cannot change; give the new one
another name. What the file does not name is left alone, unless `--suspend-undeclared` says that clients of a declared
partner are to be suspended. Nothing is ever revoked or deleted by a file.

This page is made from `src/keyfob/server/lifecycle/declaration.py`: `KEYFOB_WRITE_PAGES=1 make docs` writes it anew.
"""


def page() -> str:
    parts = (("The file", TOP), ("[[partner]]", PARTNER), ("[[partner.client]]", CLIENT))
    return "\n".join([_OPENING, *(_table(heading, members) for heading, members in parts)])


def _table(heading: str, members: Sequence[Member]) -> str:
    rows = [f"| `{one.name}` | {_kind(one)} | {'yes' if one.is_required else ''} | {one.meaning} |" for one in members]
    return f"## {heading}\n\n| member | | must | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _kind(member: Member) -> str:
    schema = member.schema
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema["type"] == "array":
        return "list of texts" if "items" in schema else "list"
    if schema["type"] == "integer":
        return f"{schema['minimum']} to {schema['maximum']}"
    return {"string": "text", "boolean": "`true`, `false`"}[schema["type"]]

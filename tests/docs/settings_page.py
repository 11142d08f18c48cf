"""docs/reference/settings.md, out of the tables of the two servers."""

from collections.abc import Sequence

from keyfob.cdms import settings as cdms
from keyfob.server import settings as server
from keyfob.settings import Setting

_OPENING = """# Settings

Each setting is a key of a table in `keyfob.toml`, in the home, and a variable of the environment. What counts is, in
this order: the flag of a command where there is one (`init --issuer`, `init --database`, `serve --host`, `serve
--port`), the environment, the file, the default. An unknown key in the file is a mistake; an unknown variable only a
warning, since the programs share the prefix. A program that finds mistakes names all of them, each with its line or
variable, and does nothing else.

`keyfob-server check-config` and `keyfob-cdms check-config` show what each setting comes to and whence it comes, and end
with status 2 when there is a mistake. A password or another secret is no setting: it comes from a variable or a file of
its own, and is never shown.

This page is made from the programs' tables: `KEYFOB_WRITE_PAGES=1 make docs` writes it anew.
"""


def page() -> str:
    secrets = ", ".join(f"`{name}`" for name in server.SECRET_VARIABLES)
    return "\n".join(
        [
            _OPENING,
            _program("keyfob-server", server.SETTINGS),
            f"Secrets, from the environment alone: {secrets}.\n",
            _program("keyfob-cdms", cdms.SETTINGS),
        ]
    )


def _program(name: str, settings: Sequence[Setting]) -> str:
    parts = [f"## {name}\n"]
    for table in dict.fromkeys(setting.table for setting in settings):
        rows = [_row(setting) for setting in settings if setting.table == table]
        heading = "| key | variable | default | unit | |\n|---|---|---|---|---|\n"
        parts.append(f"### [{table}]\n\n{heading}" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    default = {None: "must be set", "": ""}.get(setting.default, f"`{setting.default}`")
    meaning = setting.meaning.replace("|", "\\|")
    return f"| `{setting.key}` | `{setting.variable}` | {default} | {setting.unit} | {meaning} |"

"""The programs whose packages are extras: where these are not installed, that is said, with what installs them.

A program's own module is imported when it starts, so that nothing here needs more than the light install.
"""

import importlib
from typing import NoReturn

from keyfob import command
from keyfob.problem import Misuse


def server() -> NoReturn:
    """`keyfob-server`."""
    _start("keyfob-server", "keyfob.server.cli", extra="server")


def cdms() -> NoReturn:
    """`keyfob-cdms`."""
    _start("keyfob-cdms", "keyfob.cdms.cli", extra="cdms")


def guard() -> NoReturn:
    """`keyfob-guard`."""
    _start("keyfob-guard", "keyfob.guard.cli", extra="guard")


def not_installed(program: str, extra: str) -> Misuse:
    """`program` cannot run: the packages of `extra` are not here."""
    # From the checkout: on the public registry the name may be somebody else's.
    return Misuse(
        "not-installed",
        f"the packages that {program} needs are not installed",
        hint=f'in the checkout: python -m pip install ".[{extra}]"',
    )


def _start(program: str, module: str, *, extra: str) -> NoReturn:
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("keyfob"):
            raise  # ours, and so a defect
        command.refuse(program, not_installed(program, extra))
    found.main()
    raise AssertionError("a program ends by itself")

"""What deploy/ holds, with the places of this machine, and a real operator's home for it to run on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.wire.conftest import Operator, acme, new_operator

__all__ = ["acme", "new_operator"]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHECKERS = ROOT / ".interop" / "venv" / "bin"
"""Where `make interop` puts the programs that check what is said here."""


@pytest.fixture(scope="session")
def new_database_url() -> Callable[[], None]:
    """The home's own: how a program is started does not depend on where its database is."""
    return lambda: None


@pytest.fixture(scope="session")
def operator(new_operator) -> Operator:
    """With a client, and no server yet."""
    return new_operator()


def checker(name: str) -> Path:
    if not (CHECKERS / name).exists():
        pytest.skip("make interop installs what checks deploy/")
    return CHECKERS / name

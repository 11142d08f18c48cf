"""The benchmarks' own modules, which find each other by their bare names."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.wire.conftest import acme, new_operator

__all__ = ["acme", "new_operator"]

sys.path.append(str(Path(__file__).parents[2] / "bench"))


@pytest.fixture(scope="session")
def new_database_url() -> Callable[[], None]:
    """The home's own: a file, which is seen being flushed."""
    return lambda: None

"""The demonstration has ports that a person can remember: one at a time on a machine."""

import tempfile
from pathlib import Path

import pytest

from keyfob.turn import Turn


@pytest.fixture(scope="package", autouse=True)
def alone():
    with Turn(Path(tempfile.gettempdir()) / "keyfob-demo-tests.lock").taken():
        yield

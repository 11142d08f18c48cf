"""What holds for every test of the guard."""

import pytest


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A machine that is busy is no issuer that is slow: tests of those say their own bounds."""
    monkeypatch.setattr("keyfob.refreshing._PATIENCE", 60.0)
    monkeypatch.setattr("keyfob.refreshing._DEADLINE", 60.0)

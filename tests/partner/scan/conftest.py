"""What a scan says, as a program hears it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyfob.partner.cli import cli
from partner.planted import new_token, plant, secret, signing_key

__all__ = ["new_token", "plant", "secret", "signing_key"]


@dataclass(frozen=True)
class Said:
    exit_code: int
    document: dict[str, object]
    output: str

    @property
    def found(self) -> list[tuple[str, int]]:
        return [(str(Path(one["path"]).name), one["line"]) for one in self.document["findings"]]

    @property
    def fingerprints(self) -> list[str]:
        return [one["fingerprint"] for one in self.document["findings"]]

    @property
    def not_scanned(self) -> list[str]:
        return [one["reason"] for one in self.document["not_scanned"]]


@pytest.fixture
def scan() -> Callable[..., Said]:
    def run(*arguments: object, given: bytes | None = None) -> Said:
        done = CliRunner().invoke(cli, ["scan", "--json", *map(str, arguments)], input=given, catch_exceptions=False)
        return Said(done.exit_code, json.loads(done.stdout), done.output)

    return run

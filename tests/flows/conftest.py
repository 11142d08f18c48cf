"""A real operator with a real server, and partners with vaults of their own: programs only, as people run them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from databases import (  # fixtures, and the hook that chooses
    database_kind,
    new_database_url,
    new_postgresql,
    postgresql,
    pytest_generate_tests,
)
from keyfob.oauth.client_information import ClientInformation
from server.wire.conftest import RESOURCE, Operator, acme, new_operator

__all__ = [
    "acme", "database_kind", "new_database_url", "new_operator", "new_postgresql", "postgresql",
    "pytest_generate_tests",
]  # fmt: skip

OVERLAP = 15
ENTRY = "from keyfob.partner.cli import main; main()"


@dataclass(frozen=True)
class Vault:
    """A partner's machine: `run` is the program `keyfob` there."""

    operator: Operator
    path: Path
    private_key: Path

    @property
    def environ(self) -> dict[str, str]:
        return os.environ | {
            "KEYFOB_VAULT": str(self.path),
            "KEYFOB_CA_FILE": str(self.operator.home / "tls" / "ca.pem"),
            "GNUPGHOME": str(self.path.parent / "no-keyring"),
        }

    def start(self, *arguments: str | Path, entry: str = ENTRY) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", entry, *map(str, arguments)],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, status: int = 0) -> dict[str, object]:
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, out + err
        return json.loads(out)

    def rotate(self, *options: str, status: int = 0) -> dict[str, object]:
        return self.run("rotate", "--private-key", self.private_key, *options, status=status)

    def ids(self) -> list[str]:
        return sorted(path.stem for path in self.path.glob("clients/*/*.json"))

    def works(self) -> bool:
        """Whether a program that uses the vault gets a token."""
        process = self.start("token", "--scope", "studies:read", "--json")
        process.communicate(timeout=60)
        return process.returncode == 0


@dataclass
class Stage:
    operator: Operator
    folder: Path
    private_key: Path

    def vaults(self, name: str, count: int = 1, *options: str) -> tuple[str, ClientInformation, list[Vault]]:
        """A client's id, its first secret, and vaults that have received it."""
        info = self.operator.client(name, *options, scope="studies:read")
        made = [
            Vault(self.operator, self.folder / f"{name}{number}" / "vault", self.private_key) for number in range(count)
        ]
        fingerprint = self.fingerprint
        for vault in made:
            vault.path.parent.mkdir()
            certificate = ("--operator-certificate", self.operator.home / "operator.asc")
            message = self.operator.home.parent / f"{name}.asc"
            vault.run(
                *("receive", message, "--private-key", self.private_key, "--key", "file"),
                *(*certificate, "--operator-fingerprint", fingerprint),
            )
        return info.client_id, info, made

    @property
    def fingerprint(self) -> str:
        from keyfob.openpgp import certificate

        return certificate.read_signer((self.operator.home / "operator.asc").read_bytes()).fingerprint

    def credentials(self, client_id: str) -> list[dict[str, object]]:
        return self.operator.run("client", "show", client_id)["credentials"]


@pytest.fixture(scope="session")
def stage(new_operator: Callable[[], Operator], tmp_path_factory: pytest.TempPathFactory) -> Stage:
    operator = new_operator()
    with (operator.home / "keyfob.toml").open("a") as file:
        file.write(f"\n[credentials]\noverlap = {OVERLAP}\nannounced_for = 1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE", "0")
        operator.serve()
    folder = tmp_path_factory.mktemp("partners")
    private_key = folder / "private.asc"
    private_key.touch(mode=0o600)
    private_key.write_bytes(operator.private_key.reveal_bytes())
    return Stage(operator, folder, private_key)


@pytest.fixture(scope="session")
def resource() -> str:
    return RESOURCE

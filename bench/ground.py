"""What the benchmarks stand on: a real operator's home with one client, made by the real commands, on this machine."""

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keyfob.ambient import system_clock
from keyfob.demo.stage import playing
from keyfob.oauth import client_information, resource_metadata
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

PORT = 8448
API = "https://localhost:9"
BODY = b"grant_type=client_credentials&scope=a:read"


@dataclass(frozen=True)
class Ground:
    """`home` is the operator's, whose server runs on PORT."""

    home: Path
    ca: Path
    client: ClientInformation

    def headers(self, client_id: str | None = None, secret: str | None = None) -> dict[str, str]:
        """Those of a token request, of the client itself unless another is named."""
        if secret is None:
            assert self.client.client_secret is not None
            secret = self.client.client_secret.reveal()
        pair = base64.b64encode(f"{client_id or self.client.client_id}:{secret}".encode()).decode()
        return {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {pair}"}


@contextlib.contextmanager
def ground(limits: str) -> Iterator[Ground]:
    """A running server; `limits` are the lines of its `[limits]`."""
    with tempfile.TemporaryDirectory() as name, (Path(name) / "t").open("w") as transcript:
        folder = Path(name)
        home = folder / "operator"
        with playing(folder, transcript, transcript) as stage:
            stage.run("", "keyfob-server", "init", "--home", "operator", "--issuer", f"https://localhost:{PORT}")
            with (home / "keyfob.toml").open("a") as settings:
                settings.write(f"\n[limits]\n{limits}\n")
            described = ResourceMetadata(
                API, (f"https://localhost:{PORT}",), {"a:read": ""}, ("cdms_study",), {"keys": []}
            )
            (folder / "resource.json").write_bytes(resource_metadata.write(described))
            stage.run("", "keyfob-server", "resource", "add", "resource.json", "--home", "operator")
            private_key, certificate = keys.generate_partner_key("Bench <b@bench.example>", 86400)
            (folder / "partner.asc").write_bytes(certificate.armored)
            add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
            stage.run("", "keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
            create = ("client", "create", "--partner", "Bench", "--name", "bench", "--scope", "a:read")
            stage.run("", "keyfob-server", *create, "--resource", API, "--out", "m.asc", "--home", "operator")
            stage.start("", "keyfob-server", "serve", "--home", "operator")
            signer = certificates.read_signer((home / "operator.asc").read_bytes(), now=system_clock())
            plaintext = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
            yield Ground(home, home / "tls" / "ca.pem", client_information.read(plaintext))

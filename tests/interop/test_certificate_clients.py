"""Clients of others that prove themselves by a TLS certificate (RFC 8705); no relay is between them and the server."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from client_certs import Pair, make
from interop.matrix import AUDIENCE, BUILT, HERE
from keyfob.server import settings

AUTHORITY = make("Clients' authority", is_authority=True)
ISSUED = make("edc.acme.example", by=AUTHORITY, dns="edc.acme.example")
OWN = make("own.acme.example")
STRANGER = make("other.acme.example", by=AUTHORITY, dns="other.acme.example")
PYTHON = BUILT / "venv" / "bin" / "python"
CLIENTS = {
    "curl": ("sh", HERE / "shell" / "curl.sh"),
    "requests-oauthlib": (PYTHON, HERE / "python" / "requests_oauthlib_certificate.py"),
    "requests_oauth2client": (PYTHON, HERE / "python" / "requests_oauth2client_certificate.py"),
    "authlib": (PYTHON, HERE / "python" / "authlib_certificate.py"),
    "openid-client": ("node", HERE / "node" / "openid_client_certificate.mjs"),
}
VERIFIERS = {"pyjwt": HERE / "python" / "pyjwt_verifier.py", "joserfc": HERE / "python" / "joserfc_verifier.py"}


@dataclass(frozen=True)
class Stage:
    """A server that asks for certificates, and a client of each method."""

    issuer: str
    ca: Path
    folder: Path
    clients: dict[str, str]

    def play(self, command: tuple[str | Path, ...], secret: str = "", **given: str) -> dict[str, object]:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not here")
        named = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ISSUER": self.issuer, **given}
        done = subprocess.run(
            command,
            input=secret + "\n",
            env=env | dict.fromkeys(named, str(self.ca)),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["answer"]

    def ask(self, name: str, method: str, pair: Pair) -> dict[str, object]:
        certificate, private_key = pair.files(self.folder, str(pair.certificate.serial_number))
        given = {"CERTIFICATE": str(certificate), "PRIVATE_KEY": str(private_key)}
        client_id = self.clients[method]
        return self.play(CLIENTS[name], METHOD="certificate", CLIENT_ID=client_id, SCOPE="studies:read", **given)


@pytest.fixture(scope="module")
def stage(new_operator, tmp_path_factory) -> Stage:
    operator = new_operator()
    (operator.home / "clients-ca.pem").write_bytes(AUTHORITY.pem)
    path = operator.home / "keyfob.toml"
    for name, value in (("tls.client_certificates", "ask"), ("tls.client_ca", "clients-ca.pem")):
        path.write_bytes(settings.replaced(path.read_bytes(), name, value, where=str(path)))
    jwks = operator.home.parent / "own.jwks"
    jwks.write_bytes(OWN.jwks())
    common = ("client", "create", "--partner", "Acme", "--scope", "studies:read", "--resource", AUDIENCE)
    options = {
        "tls_client_auth": ("--tls-san-dns", "edc.acme.example"),
        "self_signed_tls_client_auth": ("--jwks", jwks),
    }
    clients = {
        method: str(operator.run(*common, "--name", method, "--auth-method", method, *more)["client_id"])
        for method, more in options.items()
    }
    operator.serve()
    return Stage(operator.issuer, operator.home / "tls" / "ca.pem", tmp_path_factory.mktemp("certificates"), clients)


@pytest.mark.parametrize(("method", "pair"), [("tls_client_auth", ISSUED), ("self_signed_tls_client_auth", OWN)])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_token_comes_for_the_certificate_and_is_bound_to_it(stage, name, method, pair):
    """RFC 8705 §2.1, §2.2, §3.1: as two other libraries read it."""
    answer = stage.ask(name, method, pair)
    assert (answer["token_type"].lower(), answer["scope"]) == ("bearer", "studies:read")
    for program in VERIFIERS.values():
        claims = stage.play((PYTHON, program), answer["access_token"], AUDIENCE=AUDIENCE)
        assert claims["client_id"] == stage.clients[method]
        digest = base64.urlsafe_b64encode(hashlib.sha256(pair.der).digest())
        assert claims["cnf"] == {"x5t#S256": digest.rstrip(b"=").decode()}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_certificate_of_another_is_told_by_the_code_of_the_standard(stage, name):
    """RFC 6749 §5.2."""
    assert stage.ask(name, "tls_client_auth", STRANGER)["error"] == "invalid_client"

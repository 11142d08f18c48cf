"""Apache with mod_oauth2 in front of a page that only good tokens open.

The module fetches a JWKS over HTTPS, but can be told of no other authority than the system's: it is given the key
itself, as the server publishes it. It names no issuer and no audience either: `Require` does.
"""

import http.client
import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from interop.matrix import APACHE, AUDIENCE, MOD_OAUTH2, OTHER
from keyfob import tls
from keyfob.ambient import system_clock

_AUDIENCES = {AUDIENCE: "/api", OTHER: "/other"}
_CLAIMS = ("sub", "scope", "client_id", "aud", "iss")


@dataclass(frozen=True, slots=True)
class Found:
    status: int
    claims: dict[str, object]
    version: str


class Apache:
    """Runs until it is stopped. `jwks` is the server's own document, of one key."""

    def __init__(self, folder: Path, *, issuer: str, ca: Path, jwks: dict[str, object]) -> None:
        folder.mkdir()
        found = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${Version}", "libapache2-mod-oauth2"],
            capture_output=True,
            text=True,
        )
        self._version = found.stdout or "unknown"
        certificate, private_key = tls.issue_certificate(ca, names=("localhost",), now=system_clock())
        (folder / "tls.pem").write_bytes(certificate + private_key.reveal_bytes())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._context = tls.client_context(ca, environ={})
        self._log = folder / "error.log"
        configuration = folder / "apache.conf"
        configuration.write_text(_configuration(folder, self._port, issuer, jwks))
        command = [APACHE, "-D", "FOREGROUND", "-f", str(configuration)]
        self._process = subprocess.Popen(command, stderr=(folder / "stderr").open("w"))
        while not self._answers():
            assert self._process.poll() is None, (folder / "stderr").read_text() + self._log.read_text()

    def verify(self, token: str, *, audience: str) -> Found:
        connection = http.client.HTTPSConnection("localhost", self._port, timeout=30, context=self._context)
        try:
            connection.request("GET", _AUDIENCES[audience], headers={"authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
            claims = {name: response.headers.get(f"claim-{name}") for name in _CLAIMS}
            return Found(response.status, claims if response.status == 200 else {}, self._version)
        finally:
            connection.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


def _configuration(folder: Path, port: int, issuer: str, jwks: dict[str, object]) -> str:
    (key,) = jwks["keys"]
    quoted = json.dumps(json.dumps(key, separators=(",", ":")))
    modules = "\n".join(
        f"LoadModule {name}_module {MOD_OAUTH2.parent}/mod_{name}.so"
        for name in ("mpm_event", "authn_core", "authz_core", "headers", "socache_shmcb", "ssl", "status", "oauth2")
    )
    claims = "\n".join(f'Header always set claim-{name} "expr=%{{reqenv:OAUTH2_CLAIM_{name}}}"' for name in _CLAIMS)
    locations = "\n".join(
        f"""<Location {path}>
SetHandler server-status
AuthType oauth2
OAuth2TokenVerify jwk {quoted} verify.exp=required&verify.iat=required&verify.iat.slack_before=900
OAuth2TargetPass envvars=On&headers=Off
<RequireAll>
Require oauth2_claim iss:{issuer}
Require oauth2_claim aud:{audience}
</RequireAll>
</Location>"""
        for audience, path in _AUDIENCES.items()
    )
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    return f"""{modules}
{user}ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
SSLEngine on
SSLCertificateFile {folder}/tls.pem
{claims}
{locations}
"""

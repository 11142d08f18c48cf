"""How much the token endpoint costs beyond the listener it stands on: a ratio, measured in one run on this machine.

Both are asked over TLS by the same clients on kept connections: an application behind the edge that answers as many
bytes and does nothing, and the real token endpoint, which authenticates, authorises, signs, and has its audit record on
the disk before it answers.
"""

import argparse
import base64
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from keyfob import tls
from keyfob.ambient import system_clock
from keyfob.demo.stage import playing
from keyfob.oauth import client_information, resource_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

API = "https://localhost:9"
NOTHING = """
import sys
from pathlib import Path
from keyfob import serving
from keyfob.ambient import system_entropy

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await serving.read_body(receive)
    await serving.respond(send, serving.json_response(200, {"access_token": "x" * 700}))

home = Path(sys.argv[1])
serving.serve(serving.edge(app, entropy=system_entropy, max_body_bytes=65536), host="127.0.0.1", port=int(sys.argv[2]),
              certificate=home / "tls/server.pem", private_key=home / "tls/server.key", ready="nothing")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, (Path(name) / "t").open("w") as transcript:
        folder = Path(name)
        with playing(folder, transcript, transcript) as stage:
            headers, ca = set_up(stage, folder)
            nothing = subprocess.Popen(
                [sys.executable, "-c", NOTHING, str(folder / "operator"), "8449"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert nothing.stdout is not None
            nothing.stdout.readline()
            rates = {"a server that does nothing": [], "the token endpoint": []}
            for _ in range(3):
                for (what, found), port in zip(rates.items(), (8449, 8448), strict=True):
                    found.append(measure(port, ca, headers, options.seconds, options.clients))
                    print(f"  {what:28} {found[-1]:8.0f} a second")
            nothing.kill()
    floor, real = (sorted(found)[1] for found in rates.values())
    print(
        f"median of three: {real:.0f} tokens a second, {floor / real:.2f} times the cost of a server that does nothing"
    )


def set_up(stage, folder: Path) -> tuple[dict[str, str], Path]:
    """A server with one client; the headers of its token request, and the authority to trust."""
    stage.run("", "keyfob-server", "init", "--home", "operator", "--issuer", "https://localhost:8448")
    with (folder / "operator" / "keyfob.toml").open("a") as settings:
        settings.write("\n[limits]\ntokens_per_client_per_minute = 0\n")
    described = ResourceMetadata(API, ("https://localhost:8448",), {"a:read": ""}, ("cdms_study",), {"keys": []})
    (folder / "resource.json").write_bytes(resource_metadata.write(described))
    stage.run("", "keyfob-server", "resource", "add", "resource.json", "--home", "operator")
    private_key, certificate = keys.generate_partner_key("Bench <b@bench.example>", 86400)
    (folder / "partner.asc").write_bytes(certificate.armored)
    add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
    stage.run("", "keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
    create = ("client", "create", "--partner", "Bench", "--name", "bench", "--scope", "a:read", "--resource", API)
    stage.run("", "keyfob-server", *create, "--out", "m.asc", "--home", "operator")
    stage.start("", "keyfob-server", "serve", "--home", "operator")
    signer = certificates.read_signer((folder / "operator" / "operator.asc").read_bytes(), now=system_clock())
    plaintext = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
    info = client_information.read(plaintext)
    assert info.client_secret is not None
    pair = base64.b64encode(f"{info.client_id}:{info.client_secret.reveal()}".encode()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {pair}"}
    return headers, folder / "operator" / "tls" / "ca.pem"


def measure(port: int, ca: Path, headers: dict[str, str], seconds: float, clients: int) -> float:
    """Requests a second that `clients` kept connections get answered."""
    counts = [0] * clients
    ends = time.monotonic() + seconds

    def ask(number: int) -> None:
        context = tls.client_context(ca, environ={})
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        while time.monotonic() < ends:
            connection.request("POST", "/oauth2/token", b"grant_type=client_credentials&scope=a:read", headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


if __name__ == "__main__":
    main()

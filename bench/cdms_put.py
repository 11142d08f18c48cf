"""What one item group costs whoever writes it: 16 clients at once, each with a connection that it keeps, on SQLite.

Everything is real: both servers over TLS, tokens of a client that was made by the commands, every commit flushed to the
disk of the checkout. In one table: each client writes as soon as it is answered, so that each waits for the others'
turns; and each writes twenty times a second, as a site at work does not.
"""

import asyncio
import base64
import contextlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keyfob.ambient import system_clock
from keyfob.demo.stage import Stage, playing
from keyfob.oauth import client_information
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

ISSUER, API = "https://localhost:8447", "https://localhost:9447"
CLIENTS, SECONDS, WARM = 16, 8.0, 10
PACE = 20
"""Writes a second of a client that is at work."""
STUDY = "/v1/studies/KF.DEMO"
PLACE = Path(__file__).parents[1] / ".bench"
"""A folder for what is temporary may lie in memory, where nothing is ever flushed."""


@dataclass(frozen=True)
class Measured:
    """`cpu`: milliseconds of the server for one write."""

    milliseconds: tuple[float, ...]
    cpu: float

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.milliseconds, n=100)[98]


def main() -> None:
    with running() as (ca, token, pid):
        print(f"{'':34}{'writes':>8}{'a second':>10}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms':>8}")
        for what, pace in (("as fast as they are answered", 0), (f"{PACE} a second each", PACE)):
            found = measure(ca, token, pid, pace=pace)
            count = len(found.milliseconds)
            print(
                f"{CLIENTS} clients, {what:22}"[:34].ljust(34)
                + f"{count:8}{count / SECONDS:10.0f}{found.p50:8.2f}{found.p99:8.2f}{found.cpu:8.2f}"
            )


def measure(ca: Path, token: str, pid: int, *, pace: float, seconds: float = SECONDS) -> Measured:
    """Writes of CLIENTS clients, each `pace` a second (0: as fast as they are answered)."""
    asked = {"ca": str(ca), "token": token, "pace": pace, "seconds": seconds}
    with subprocess.Popen(
        [sys.executable, __file__, "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "warm\n"
        before = cpu_of(pid)
        times = json.loads(process.stdout.readline())
        spent = cpu_of(pid) - before
    return Measured(tuple(times), spent / len(times) * 1000)


def cpu_of(pid: int) -> float:
    """Seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running() -> Iterator[tuple[Path, str, int]]:
    """The authority of both servers, a token for the API, and the API's process."""
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE) as name, (Path(name) / "t").open("w") as transcript:
        folder = Path(name)
        with playing(folder, transcript, transcript) as stage:
            ca = folder / "operator" / "tls" / "ca.pem"
            # It never runs out: what is measured is the API, not what it allows.
            stage.environment["KEYFOB_LIMITS_REQUESTS_PER_CLIENT_PER_MINUTE"] = "0"
            yield ca, _furnish(stage, folder, ca), stage.processes[-1].pid


def _furnish(stage: Stage, folder: Path, ca: Path) -> str:
    stage.run("", "keyfob-server", "init", "--home", "operator", "--issuer", ISSUER)
    stage.run("", "keyfob-cdms", "init", "--home", "cdms", "--issuer", ISSUER, "--resource", API, "--ca", str(ca))
    (folder / "design.xml").write_bytes(resources.files("keyfob.cdms.demo_study").joinpath("design.xml").read_bytes())
    stage.run("", "keyfob-cdms", "load", "--home", "cdms", "design.xml")
    stage.run("", "keyfob-server", "resource", "add", "cdms/resource.json", "--home", "operator")
    private_key, certificate = keys.generate_partner_key("Bench <b@bench.example>", 86400)
    (folder / "partner.asc").write_bytes(certificate.armored)
    add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
    stage.run("", "keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
    scope = "subjects:write clinical-data:write"
    create = ("client", "create", "--partner", "Bench", "--name", "bench", "--scope", scope, "--all-studies")
    stage.run("", "keyfob-server", *create, "--resource", API, "--out", "m.asc", "--home", "operator")
    stage.start("", "keyfob-server", "serve", "--home", "operator")
    stage.start("", "keyfob-cdms", "serve", "--home", "cdms")
    signer = certificates.read_signer((folder / "operator" / "operator.asc").read_bytes(), now=system_clock())
    plaintext = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
    client = client_information.read(plaintext)
    assert client.client_secret is not None
    pair = base64.b64encode(f"{client.client_id}:{client.client_secret.reveal()}".encode()).decode()
    form = f"grant_type=client_credentials&scope={scope.replace(' ', '+')}"
    request = urllib.request.Request(f"{ISSUER}/oauth2/token", form.encode(), {"authorization": f"Basic {pair}"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)) as response:
        return str(json.load(response)["access_token"])


async def load(ca: str, token: str, pace: float, seconds: float) -> None:
    """In a process of its own: says when it is warm, and then how many milliseconds each write took."""
    context = ssl.create_default_context(cafile=ca)
    clients = [await Client.connect(context, token, number) for number in range(CLIENTS)]
    await asyncio.gather(*(client.write(0, WARM) for client in clients))
    print("warm", flush=True)
    until = time.perf_counter() + seconds
    times = await asyncio.gather(*(client.write(pace, until=until) for client in clients))
    print(json.dumps([one for some in times for one in some]), flush=True)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, number: int) -> None:
        self._reader, self._writer = reader, writer
        self._head = f"host: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        self._number = number
        self._written = 0
        self._path = ""

    @classmethod
    async def connect(cls, context: ssl.SSLContext, token: str, number: int) -> "Client":
        port = int(API.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        made = cls(reader, writer, token, number)
        key = f"{number}-{time.time_ns()}"
        status, body = await made._ask("POST", f"{STUDY}/subjects", {"key": key})
        assert status == 201, body
        subject = json.loads(body)["subject_id"]
        made._path = f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY"
        return made

    async def write(self, pace: float, count: int = 0, *, until: float = 0) -> list[float]:
        times: list[float] = []
        due = time.perf_counter() + (self._number / CLIENTS / pace if pace else 0)
        while (len(times) < count) if count else time.perf_counter() < until:
            if pace:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += 1 / pace
            began = time.perf_counter()
            items = [{"oid": "I.PAIN", "value": "3"}, {"oid": "I.SLEEP", "value": "Y"}]
            self._written += 1
            status, body = await self._ask("PUT", f"{self._path}?erk={self._written}", {"items": items})
            assert status == 201, body
            times.append((time.perf_counter() - began) * 1000)
        return times

    async def _ask(self, method: str, path: str, document: object) -> tuple[int, bytes]:
        body = json.dumps(document).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}if-none-match: *\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        return int(answer[9:12]), await self._reader.readexactly(length)


if __name__ == "__main__":
    if sys.argv[1:] == ["load"]:
        asyncio.run(load(**json.loads(sys.stdin.readline())))
    else:
        main()

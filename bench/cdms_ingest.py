"""How fast the clinical data API takes a laboratory's rows, end to end: a client, TLS, the API's process, SQLite.

A trial's chemistry, 32,740 rows of 24 columns (KEYFOB_TEST_DATA names the folder of the public file), as one transfer
for each round, each into a dataset of its own; every row is checked, stored, and has its own record in the audit trail.
Then the same transfer with another name, of which no row is new; and the whole dataset out again. Beside the first, a
site writes one item group after the other: the longest that it waits is how long a transfer keeps others from writing.
"""

import base64
import contextlib
import http.client
import json
import os
import secrets
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlencode

from keyfob.ambient import system_clock
from keyfob.demo.stage import playing
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import sas_transport  # noqa: E402  # the tests' own, that reads the public files

DATA = Path(os.environ.get("KEYFOB_TEST_DATA", ROOT.parent / "shared" / "data"))
ISSUER, API = "https://localhost:8450", "https://localhost:9450"
STUDY = "KF.DEMO"
KEYS = ("USUBJID", "VISITNUM", "LBTESTCD", "LBSEQ")
SCOPE = "lab-data:write datasets:read subjects:write clinical-data:write"
BOUND = 5000
"""Rows a second, at least."""


@dataclass(frozen=True)
class Ground:
    """A running API with one dataset for each of `documents`, and the CPU seconds of its process."""

    ca: Path
    client: ClientInformation
    documents: list[bytes]
    cpu: Callable[[], float]

    def call(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json", token: str | None = None
    ) -> bytes:
        headers = {"authorization": f"Bearer {token or self.token()}", "content-type": kind}
        headers |= {"if-none-match": "*"} if method == "PUT" else {}
        return _send(self.ca, API, method, f"/v1/studies/{STUDY}{path}", body, headers)

    def token(self) -> str:
        assert self.client.client_secret is not None
        pair = f"{self.client.client_id}:{self.client.client_secret.reveal()}"
        headers = {
            "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "content-type": "application/x-www-form-urlencoded",
        }
        asked = urlencode({"grant_type": "client_credentials", "scope": SCOPE}).encode()
        return str(json.loads(_send(self.ca, ISSUER, "POST", "/oauth2/token", asked, headers))["access_token"])


def _send(ca: Path, origin: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    host, _, port = origin.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=ca)
    with contextlib.closing(http.client.HTTPSConnection(host, int(port), timeout=600, context=context)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status in (200, 201), content[:500]
    return content


def documents(rounds: int) -> list[bytes]:
    return [
        sas_transport.transfer(DATA / "sdtm-xpt" / "lbch.xpt.gz", oid=f"IG.LBCH{number}", keys=KEYS)
        for number in range(rounds)
    ]


@contextlib.contextmanager
def ground(rounds: int) -> Iterator[Ground]:
    sent = documents(rounds)
    with tempfile.TemporaryDirectory() as name, (Path(name) / "t").open("w") as transcript:
        folder = Path(name)
        (folder / "design.xml").write_bytes(
            resources.files("keyfob.cdms.demo_study").joinpath("design.xml").read_bytes()
        )
        files = []
        for number, document in enumerate(sent):
            files.append(f"lab{number}.json")
            (folder / files[-1]).write_bytes(document)
        with playing(folder, transcript, transcript) as stage:
            stage.run("", "keyfob-server", "init", "--home", "operator", "--issuer", ISSUER)
            issuer = ("--issuer", ISSUER, "--resource", API, "--ca", "operator/tls/ca.pem")
            stage.run("", "keyfob-cdms", "init", "--home", "cdms", *issuer)
            stage.run("", "keyfob-cdms", "load", "design.xml", "--home", "cdms")
            added = stage.run("", "keyfob-cdms", "dataset", "add", STUDY, *files, "--home", "cdms", "--json")
            version = json.loads(added.stdout)["version"]
            (folder / "s.xml").write_bytes(sas_transport.subjects(sent[0], study=STUDY, version=version))
            stage.run("", "keyfob-cdms", "load", "s.xml", "--home", "cdms")
            stage.run("", "keyfob-server", "resource", "add", "cdms/resource.json", "--home", "operator")
            private_key, certificate = keys.generate_partner_key("Bench <b@bench.example>", 86400)
            (folder / "partner.asc").write_bytes(certificate.armored)
            add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
            stage.run("", "keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
            create = ("client", "create", "--partner", "Bench", "--name", "lab", "--scope", SCOPE, "--study", STUDY)
            stage.run("", "keyfob-server", *create, "--resource", API, "--out", "m.asc", "--home", "operator")
            stage.start("", "keyfob-server", "serve", "--home", "operator")
            stage.start("", "keyfob-cdms", "serve", "--home", "cdms")
            clock = (~stage.processes[-1].pid << 3) | 2  # Linux: the CPU time of that process
            signer = certificates.read_signer((folder / "operator/operator.asc").read_bytes(), now=system_clock())
            plaintext = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
            client = client_information.read(plaintext)
            ca = folder / "operator/tls/ca.pem"
            yield Ground(ca, client, sent, lambda: time.clock_gettime(clock))


class Site(threading.Thread):
    """Somebody who writes one item group after the other until he is told to end; `longest`: seconds for one."""

    def __init__(self, base: Ground) -> None:
        super().__init__()
        self._base, self._ended, self._token = base, threading.Event(), base.token()
        made = json.loads(base.call("POST", "/subjects", json.dumps({"key": secrets.token_hex(8)}).encode()))
        self._path = f"/subjects/{made['subject_id']}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY"
        self.longest = 0.0

    def run(self) -> None:
        items = json.dumps({"items": [{"oid": "I.PAIN", "value": "3"}]}).encode()
        while not self._ended.is_set():
            began = time.perf_counter()
            self._base.call("PUT", f"{self._path}?erk={secrets.token_hex(8)}", items, token=self._token)
            self.longest = max(self.longest, time.perf_counter() - began)

    def end(self) -> float:
        self._ended.set()
        self.join()
        return self.longest


def measure(rounds: int = 3) -> dict[str, tuple[float, ...]]:
    """By what was done: its rows a second and its CPU seconds (of the API) for a thousand rows, one for each round."""
    found: dict[str, list[float]] = {}

    def timed(name: str, rows: int, do: Callable[[], bytes]) -> bytes:
        cpu, began = base.cpu(), time.perf_counter()
        answer = do()
        found.setdefault(f"{name}, rows/s", []).append(rows / (time.perf_counter() - began))
        found.setdefault(f"{name}, CPU s for 1,000 rows", []).append((base.cpu() - cpu) / rows * 1000)
        return answer

    with ground(rounds) as base:
        for number, document in enumerate(base.documents):
            path = f"/datasets/IG.LBCH{number}"
            rows = json.loads(document)["records"]
            again = document.replace(b'"label":"Chemistry"', b'"label":"Chemistry again"')
            site = Site(base)
            site.start()
            stored = json.loads(timed("stored", rows, lambda p=path, d=document: base.call("PATCH", p, d)))
            found.setdefault("others wait at most, s", []).append(site.end())
            assert (stored["stored"], stored["refused"]) == (rows, 0)
            same = json.loads(timed("unchanged", rows, lambda p=path, d=again: base.call("PATCH", p, d)))
            assert same["unchanged"] == rows
            out = timed("read", rows, lambda p=path: base.call("GET", p))
            assert json.loads(out)["records"] == rows
    return {name: tuple(samples) for name, samples in found.items()}


def main() -> None:
    if not (DATA / "sdtm-xpt").is_dir():
        raise SystemExit(f"the public files are not in {DATA}: KEYFOB_TEST_DATA names their folder")
    for name, samples in measure().items():
        bound = f"  (at least {BOUND})" if name == "stored, rows/s" else ""
        shown = ", ".join(f"{one:,.3g}" if one < 100 else f"{one:,.0f}" for one in samples)
        print(f"{name:36} {statistics.median(samples):12,.3f}  of {shown}{bound}")


if __name__ == "__main__":
    main()

"""What clinical data cost the API's server: rows in, rows out, the change feed, and single item groups at 16 clients.

A row is one item group, and each value that is stored has its own record in the audit trail. Real servers, real tokens,
TLS 1.3, SQLite where PostgreSQL is not named. On SQLite one writes at a time: while a file is stored, whoever else
writes waits for it, and how long is measured by one who does; while it is read and checked nobody waits. On PostgreSQL
those wait who write to the same study.
"""

import contextlib
import http.client
import json
import secrets
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from ground import BOUNDLESS, PLACE
from loading import Taken, Target, load
from measuring import Figure, children_of, cpu_of
from nodes import postgresql

from keyfob import tls
from keyfob.ambient import system_clock
from keyfob.demo.stage import Stage, playing
from keyfob.oauth import client_authentication, client_information
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer

ISSUER_PORT, PORT = 8448, 8458
ISSUER, API = f"https://localhost:{ISSUER_PORT}", f"https://localhost:{PORT}"
STUDY = "/v1/studies/KF.DEMO"
SCOPES = "subjects:write clinical-data:read clinical-data:write changes:read"
PATIENTS = 20
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Api:
    ca: Path
    token: str
    pid: int

    def cpu(self) -> float:
        return sum(cpu_of(pid) for pid in (self.pid, *children_of(self.pid)))

    def head(self, method: str, path: str, kind: str) -> str:
        named = {
            "host": "localhost",
            "authorization": f"Bearer {self.token}",
            "content-type": kind,
            "if-none-match": "*",
        }
        return f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named.items())

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        kind: str = "application/json",
        more: Headers = MappingProxyType({}),
    ) -> bytes:
        context = tls.client_context(self.ca, environ={})
        connection = http.client.HTTPSConnection("localhost", PORT, context=context, timeout=120)
        with contextlib.closing(connection):
            headers = {"authorization": f"Bearer {self.token}", "content-type": kind, **more}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status not in (200, 201):
                raise OSError(f"{method} {path}: {answer.status} {content[:200]!r}")
            return content


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    seen: dict[str, list[float]] = {}
    puts: list[Taken] = []
    with api() as found:
        ids = [
            json.loads(
                found.ask("POST", f"{STUDY}/subjects", json.dumps({"key": f"701-{n:03}", "site": "701"}).encode())
            )
            for n in range(PATIENTS)
        ]
        groups = [
            f"{STUDY}/subjects/{one['subject_id']}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY" for one in ids
        ]
        for number in range(rounds):
            _store(found, seen, IN, number, count)
            with writing_beside(found, f"{groups[0]}?erk={secrets.token_hex(4)}") as waited:
                found.ask("POST", f"{STUDY}/clinical-data", file(rounds + number, count), "application/xml")
            _note(seen, WAIT, max(waited))
            cpu = found.cpu()
            rows = found.ask("GET", f"{STUDY}/clinical-data").count(b"<ItemGroupData ")
            _note(seen, OUT, (found.cpu() - cpu) / rows * 1000)
            cpu, changes = found.cpu(), _changes(found)
            _note(seen, FEED, (found.cpu() - cpu) / changes * 1000)
            heads = [
                found.head("PUT", f"{groups[n % PATIENTS]}?erk={secrets.token_hex(4)}", "application/json")
                for n in range(count // 10)
            ]
            bodies = (json.dumps({"items": [{"oid": "I.PAIN", "value": "3"}, {"oid": "I.SLEEP", "value": "Y"}]}),)
            puts.append(
                load(Target(PORT, found.cpu, heads=heads, bodies=bodies, ca=found.ca), len(heads) - 16, warm=16)
            )
    notes = _on_postgresql(seen, rounds, count)
    figures = [
        Figure(IN, "CPU s/1,000 rows", tuple(seen[IN])),
        Figure(f"{IN}, rate", "rows/s", tuple(seen[f"{IN}, rate"]), bound=5000.0, is_rate=True),
        Figure(WAIT, "s", tuple(seen[WAIT])),
        *_of_postgresql(seen),
        Figure(OUT, "CPU s/1,000 rows", tuple(seen[OUT])),
        Figure(FEED, "CPU s/1,000 changes", tuple(seen[FEED])),
        Figure("one item group, put by 16 clients", "CPU s/1,000", tuple(one.cpu for one in puts)),
        Figure("one item group, put by 16 clients, p99", "ms", tuple(one.p99 for one in puts), bound=15.0),
        Figure(
            "one item group, put by 16 clients, errors", "of all", tuple(float(one.errors) for one in puts), bound=0.0
        ),
    ]
    return figures, notes


IN, OUT, FEED = "rows stored, as one ODM file", "rows of a study, exported as ODM", "the change feed, read whole"
IN_POSTGRESQL, WAIT = f"{IN}, PostgreSQL", "one item group, put while such a file is stored, longest"


def _store(found: "Api", seen: dict[str, list[float]], name: str, number: int, count: int) -> None:
    began, cpu = time.perf_counter(), found.cpu()
    found.ask("POST", f"{STUDY}/clinical-data", file(number, count), "application/xml")
    _note(seen, name, (found.cpu() - cpu) / count * 1000)
    _note(seen, f"{name}, rate", count / (time.perf_counter() - began))


def _on_postgresql(seen: dict[str, list[float]], rounds: int, count: int) -> list[str]:
    with postgresql() as database:
        if database is None:
            return ["PostgreSQL was not measured: it is not on this machine."]
        with api(database) as found:
            for patient in range(PATIENTS):
                found.ask("POST", f"{STUDY}/subjects", json.dumps({"key": f"701-{patient:03}"}).encode())
            for number in range(rounds):
                _store(found, seen, IN_POSTGRESQL, number, count)
    return []


def _of_postgresql(seen: dict[str, list[float]]) -> list[Figure]:
    if IN_POSTGRESQL not in seen:
        return []
    rates = tuple(seen[f"{IN_POSTGRESQL}, rate"])
    return [
        Figure(IN_POSTGRESQL, "CPU s/1,000 rows", tuple(seen[IN_POSTGRESQL])),
        Figure(f"{IN_POSTGRESQL}, rate", "rows/s", rates, is_rate=True),
    ]


@contextlib.contextmanager
def writing_beside(found: "Api", path: str) -> Iterator[list[float]]:
    """Somebody who changes one item group all the while; how many seconds each time took."""
    took: list[float] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.02):
            began = time.perf_counter()
            items = json.dumps({"items": [{"oid": "I.PAIN", "value": "3"}]}).encode()
            found.ask("PUT", f"{path}-{len(took)}", items, more={"if-none-match": "*"})
            took.append(time.perf_counter() - began)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield took
    finally:
        ended.set()
        writer.join()


def _note(seen: dict[str, list[float]], name: str, value: float) -> None:
    seen.setdefault(name, []).append(value)


def _changes(found: Api) -> int:
    """How many there are, page by page."""
    count, after, high_water = 0, 0, 1
    while after < high_water:
        page = json.loads(found.ask("GET", f"{STUDY}/changes?limit=1000&after={after}"))
        count += len(page["items"])
        after, high_water = page["next_after"], page["high_water"]
    return count


def file(number: int, rows: int) -> bytes:
    """So many new rows, spread over the subjects."""
    subjects = []
    for patient in range(PATIENTS):
        visits = "".join(
            f'<StudyEventData StudyEventOID="SE.VISIT" StudyEventRepeatKey="r{number}-{row}"><FormData '
            f'FormOID="F.DIARY"><ItemGroupData ItemGroupOID="IG.DIARY"><ItemData ItemOID="I.PAIN" Value="{row % 10}"/>'
            "</ItemGroupData></FormData></StudyEventData>"
            for row in range(patient, rows, PATIENTS)
        )
        subjects.append(f'<SubjectData SubjectKey="701-{patient:03}">{visits}</SubjectData>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" '
        f'FileOID="bench-{number}" CreationDateTime="2026-01-01T00:00:00Z" ODMVersion="1.3.2"><ClinicalData '
        f'StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1">{"".join(subjects)}</ClinicalData></ODM>'
    ).encode()


@contextlib.contextmanager
def api(database: str | None = None) -> Iterator[Api]:
    """An issuer and an API (on a PostgreSQL `database`), made by their commands; a client's token for all of this."""
    PLACE.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=PLACE) as name,
        (Path(name) / "t").open("w") as transcript,
        playing(Path(name), transcript, transcript) as stage,
    ):
        stage.environment |= BOUNDLESS | {"KEYFOB_LIMITS_REQUESTS_PER_CLIENT_PER_MINUTE": "0"}
        yield _furnish(stage, Path(name), database)


def _furnish(stage: Stage, folder: Path, database: str | None) -> Api:
    def run(*command: str) -> None:
        stage.run("", *command)

    run("keyfob-server", "init", "--home", "operator", "--issuer", ISSUER)
    ca = "operator/tls/ca.pem"
    where = () if database is None else ("--database", database)
    run("keyfob-cdms", "init", "--home", "cdms", "--issuer", ISSUER, "--resource", API, "--ca", ca, *where)
    design = resources.files("keyfob.cdms.demo_study") / "design.xml"
    (folder / "design.xml").write_bytes(design.read_bytes())
    run("keyfob-cdms", "load", "--home", "cdms", "design.xml")
    run("keyfob-server", "resource", "add", "cdms/resource.json", "--home", "operator")
    private_key, certificate = openpgp_keys.generate_partner_key("Bench <b@bench.example>", 86400)
    (folder / "partner.asc").write_bytes(certificate.armored)
    add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
    run("keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
    create = ("client", "create", "--partner", "Bench", "--name", "bench", "--scope", SCOPES, "--resource", API)
    lasting = ("--study", "KF.DEMO", "--token-lifetime", "900", "--out", "m.asc", "--home", "operator")
    run("keyfob-server", *create, *lasting)
    stage.start("", "keyfob-server", "serve", "--home", "operator")
    stage.start("", "keyfob-cdms", "serve", "--home", "cdms")
    signer = certificates.read_signer((folder / "operator/operator.asc").read_bytes(), now=system_clock())
    opened = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
    info = client_information.read(opened)
    assert info.client_secret is not None
    basic = client_authentication.write_basic(info.client_id, info.client_secret).reveal()
    context = tls.client_context(folder / ca, environ={})
    connection = http.client.HTTPSConnection("localhost", ISSUER_PORT, context=context, timeout=30)
    with contextlib.closing(connection):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": SCOPES})
        headers = {"authorization": basic, "content-type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth2/token", form, headers)
        token = str(json.loads(connection.getresponse().read())["access_token"])
    return Api(folder / ca, token, stage.processes[-1].pid)

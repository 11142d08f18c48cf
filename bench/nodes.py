"""Two workers beside one, on SQLite and on a PostgreSQL of this machine that flushes what it commits.

On a machine of two cores the load, the workers and PostgreSQL share them: what two workers could do is seen where more
cores are free. The CPU time is the workers' own. How much the machine itself makes of two processes is told first, by
signing alone: where two make less than twice as much as one, no two workers will.
"""

import contextlib
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from ground import PLACE, PLAIN, made
from loading import Taken, Target, load
from measuring import ROOT, Figure

sys.path.append(str(ROOT / "tests"))


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    notes: list[str] = []
    taken: dict[str, list[Taken]] = {}
    signed = {f"signing alone, {n} process{'es' * (n > 1)}": [signatures(n) for _ in range(rounds)] for n in (1, 2)}
    with contextlib.ExitStack() as ending:
        kinds: dict[str, str | None] = {"SQLite": None}
        if (database := ending.enter_context(postgresql())) is None:
            notes.append("PostgreSQL was not measured: it is not on this machine.")
        else:
            kinds["PostgreSQL"] = database
        for kind, where in kinds.items():
            with made(database=where) as home:
                assert home.client.client_secret is not None
                pair = (home.client.client_id, home.client.client_secret.reveal())
                for _ in range(rounds):
                    for workers in (1, 2):
                        with home.serving(8451, "--workers", str(workers), **PLAIN) as server:
                            seen = load(Target(server.port, server.cpu, credential=pair), count)
                        taken.setdefault(f"{kind}, {workers} worker{'s' * (workers > 1)}", []).append(seen)
    one, two = (Figure(name, "signatures/s", tuple(rates), is_rate=True) for name, rates in signed.items())
    figures = [one, replace(two, floor=one.name)]
    for name, seen in taken.items():
        kind, is_two = name.partition(",")[0], "2" in name
        one = f"{kind}, 1 worker"
        figures.append(Figure(name, "CPU s/1,000", tuple(each.cpu for each in seen)))
        least = {"SQLite": 1.0, "PostgreSQL": 1.6}[kind]
        compared = {"against": f"{one}, rate", "bound": least} if is_two else {}
        rates = tuple(each.rate for each in seen)
        figures.append(Figure(f"{name}, rate", "requests/s", rates, is_rate=True, **compared))
        bound = 20.0 if is_two and kind == "SQLite" else None
        figures.append(Figure(f"{name}, p99", "ms", tuple(each.p99 for each in seen), bound=bound))
        figures.append(Figure(f"{name}, errors", "of all", tuple(float(each.errors) for each in seen), bound=0.0))
    return figures, notes


def signatures(processes: int) -> float:
    """How many a second so many processes make, at the same time."""
    with multiprocessing.Pool(processes) as pool:
        return sum(pool.map(_sign, [0.5] * processes, chunksize=1))


def _sign(seconds: float) -> float:
    key, how, count = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256()), 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        key.sign(b"x" * 400, how)
        count += 1
    return count / seconds


@contextlib.contextmanager
def postgresql() -> Iterator[str | None]:
    """A database on a cluster of its own; None where there is no PostgreSQL."""
    from databases import Postgresql, find_programs
    from keyfob import tls
    from keyfob.ambient import system_clock

    if find_programs() is None:
        yield None
        return
    PLACE.mkdir(exist_ok=True)
    # Not within the checkout: whose folder that is, PostgreSQL's own user may not even look into.
    with tempfile.TemporaryDirectory(prefix="keyfob-bench-") as name, tempfile.TemporaryDirectory() as keys:
        Path(keys).chmod(0o755)
        tls.create_authority(Path(keys), now=system_clock())
        certificate, private_key = tls.issue_certificate(Path(keys), names=("localhost",), now=system_clock())
        files = Path(keys, "server.pem"), Path(keys, "server.key")
        for file, content in zip(files, (certificate, private_key.reveal_bytes()), strict=True):
            file.write_bytes(content)
        cluster = Postgresql(Path(name), *files, Path(keys, "ca.pem"), is_durable=True)
        try:
            yield cluster.new_url()
        finally:
            cluster.stop()
            shutil.rmtree(name, ignore_errors=True)
            Path(name).mkdir(exist_ok=True)

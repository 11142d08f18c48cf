"""Two workers beside one, on SQLite and on a PostgreSQL of this machine that flushes what it commits.

On a machine of two cores the load, the workers and PostgreSQL share them: what two workers could do is seen where more
cores are free. The CPU time is the workers' own.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ground import PLACE, PLAIN, made
from loading import Taken, Target, load
from measuring import ROOT, Figure

sys.path.append(str(ROOT / "tests"))


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    notes: list[str] = []
    taken: dict[str, list[Taken]] = {}
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
    figures = []
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

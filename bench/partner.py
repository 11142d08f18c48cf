"""What the partner's library costs its programs: to install it, to import it, to get a token, to put it on a request.

The packages are what the project's metadata asks for on this machine, with all that those ask for. An import is CPU
time above the bare interpreter's, the median of fresh processes; the first session brings the HTTP library and what
opens a vault, beside it, as a ratio, that library alone. A thousand threads make their first call at once, and the
issuer's grants are counted. A token is put on by the very calls that the adapters make, in one thread, on a call that
was made before; beside it, as a ratio, what the HTTP library itself takes to make the request that it is put on.
"""

import argparse
import re
import statistics
import subprocess
import sys
import threading
import time
import timeit
from importlib import metadata
from types import SimpleNamespace

import httpx2

from keyfob.ambient import monotonic
from keyfob.oauth.client_authentication import Method
from keyfob.partner.adapters.flow import put
from keyfob.partner.authorizer import Authorizer
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.renewal import times
from keyfob.partner.steps import Sleep, Steps
from keyfob.partner.token_source import TokenSource
from keyfob.secret import Secret

MOST_PACKAGES, MOST_IMPORT_MS, MOST_ATTACH_US, FIRST_CALLS = 10, 80, 5, 1000
NOT_COUNTED = {"keyfob", "cryptography", "cffi", "pycparser"}
RESOURCE = "https://api.example"
URL = f"{RESOURCE}/v1/studies/S.1/subjects?cursor=c1"
CPU = "import time; started = time.process_time(); {}; print(time.process_time() - started)"
OPENED = "from keyfob.partner import Session; import keyfob.partner.opening, keyfob.partner.adapters.httpx2"


class Issuer:
    """One that has a token for whoever asks, after `takes` seconds. `grants`: how many it has given."""

    issuer, client_id = "https://id.example", "cl_1"

    def __init__(self, *, takes: float = 0) -> None:
        self.takes, self.grants = takes, 0

    def ask(self, wish: Wish, *, patient: bool, refused: HeldToken | None = None) -> Steps[HeldToken]:
        yield Sleep(self.takes)
        self.grants += 1
        identity = Identity("c1", Method.CLIENT_SECRET_BASIC, "")
        return HeldToken(Secret("t" * 800), identity, wish.scope or frozenset(), (), times(monotonic(), 900, chance=0))


class NoTransport:
    def send(self, request: object) -> object:
        raise AssertionError

    async def send_async(self, request: object) -> object:
        raise AssertionError


def packages(name: str = "keyfob") -> set[str]:
    """What is installed with `name` and no extra, itself included."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            asked = (one.partition(";") for one in metadata.requires(name) or ())
            waiting += [named(one) for one, _, marker in asked if applies(marker)]
    return found


def named(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0].lower().replace("_", "-")


def applies(marker: str) -> bool:
    from packaging.markers import Marker

    return not marker.strip() or Marker(marker).evaluate({"extra": ""})


def cpu(statement: str, runs: int) -> float:
    """Milliseconds of CPU, the median of `runs` fresh processes, that `statement` takes in a bare interpreter."""
    program = [sys.executable, "-c", CPU.format(statement)]
    times = [float(subprocess.run(program, capture_output=True, text=True, check=True).stdout) for _ in range(runs)]
    return statistics.median(times) * 1000


def per_call(call: object, count: int) -> float:
    """Microseconds, the best of five rounds: the rest is what else this machine does."""
    return min(timeit.repeat(call, number=count, repeat=5)) / count * 1e6  # type: ignore[arg-type]  # a callable


def at_once(count: int) -> tuple[int, float]:
    """Grants for `count` threads that make their first call at once, and the seconds until all have the token."""
    issuer = Issuer(takes=0.05)
    source = TokenSource(issuer, transport=NoTransport(), clock=monotonic)  # type: ignore[arg-type]  # sends nothing
    together, had = threading.Barrier(count + 1), []

    def call() -> None:
        together.wait()
        had.append(source.token(frozenset({"a"}), resource=RESOURCE))

    threads = [threading.Thread(target=call) for _ in range(count)]
    for one in threads:
        one.start()
    together.wait()
    started = time.perf_counter()
    for one in threads:
        one.join()
    assert len(had) == count
    return issuer.grants, time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--count", type=int, default=20_000)
    arguments = parser.parse_args()
    brought = packages() - NOT_COUNTED
    imported = cpu("import keyfob.partner", arguments.runs)
    session = cpu("from keyfob.partner import Session", arguments.runs)
    opened = cpu(OPENED, arguments.runs)
    httpx = cpu("import httpx2", arguments.runs)
    grants, seconds = at_once(FIRST_CALLS)
    source = TokenSource(Issuer(), transport=NoTransport(), clock=monotonic)  # type: ignore[arg-type]  # sends nothing
    authorizer = Authorizer(source, resource=RESOURCE, held=frozenset({"a"}))
    scope = frozenset({"a"})
    request = SimpleNamespace(method="GET", url=URL, headers={})
    attach = per_call(lambda: put(request, authorizer.token(request.method, request.url, scope)), arguments.count)
    make = per_call(lambda: httpx2.Request("GET", URL), arguments.count // 10)
    print(f"packages of pip install keyfob     {len(brought):6}                 (at most {MOST_PACKAGES})")
    print(f"                                   {' '.join(sorted(brought))}")
    print(f"import keyfob.partner              {imported:6.1f} ms of CPU    (at most {MOST_IMPORT_MS})")
    print(f"from keyfob.partner import Session {session:6.1f} ms of CPU    (at most {MOST_IMPORT_MS})")
    print(f"with all that its first call needs {opened:6.1f} ms of CPU    {opened / httpx:4.1f} x import httpx2")
    print(f"grants for {FIRST_CALLS} first calls at once  {grants:6}    in {seconds:.2f} s    (at most 1)")
    print(f"a token that is there, put on      {attach:6.2f} us           (at most {MOST_ATTACH_US})")
    print(f"                                                    {attach / make:4.2f} x making the request")
    kept = len(brought) <= MOST_PACKAGES and max(imported, session) < MOST_IMPORT_MS and attach < MOST_ATTACH_US
    return 0 if kept and grants == 1 else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the partner's library costs its programs: to install it, to import it, to get a token, to put it on a request.

The packages are what the project's metadata asks for on this machine, with all that those ask for. An import is CPU
time above the bare interpreter's, the median of fresh processes; the first session brings the HTTP library and what
opens a vault, beside it, as a ratio, that library alone. A thousand threads make their first call at once, and the
issuer's grants are counted. A token is put on by the very calls that the adapters make, in one thread, on a call that
was made before; beside it, as a ratio, what the HTTP library itself takes to make the request that it is put on.
"""

import re
import subprocess
import sys
import threading
import time
from importlib import metadata
from types import SimpleNamespace

import httpx2
from measuring import Figure, cost

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


def cpu(statement: str, runs: int) -> tuple[float, ...]:
    """Milliseconds of CPU, in `runs` fresh processes, that `statement` takes in a bare interpreter."""
    program = [sys.executable, "-c", CPU.format(statement)]
    return tuple(
        float(subprocess.run(program, capture_output=True, text=True, check=True).stdout) * 1000 for _ in range(runs)
    )


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


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    brought = packages() - NOT_COUNTED
    source = TokenSource(Issuer(), transport=NoTransport(), clock=monotonic)  # type: ignore[arg-type]  # sends nothing
    authorizer = Authorizer(source, resource=RESOURCE, held=frozenset({"a"}))
    scope = frozenset({"a"})
    request = SimpleNamespace(method="GET", url=URL, headers={})
    together = [at_once(FIRST_CALLS) for _ in range(3)]

    def attach() -> None:
        put(request, authorizer.token(request.method, request.url, scope))

    ms, alone, making = "CPU ms", "import httpx2", "httpx2 makes a request"
    session = "from keyfob.partner import Session"
    most = MOST_ATTACH_US / 1000
    return [
        Figure("packages of pip install keyfob", "of its own", (float(len(brought)),), bound=MOST_PACKAGES),
        Figure("import keyfob.partner", ms, cpu("import keyfob.partner", rounds), bound=MOST_IMPORT_MS),
        Figure(session, ms, cpu(session, rounds), bound=MOST_IMPORT_MS),
        Figure("with all that its first call needs", ms, cpu(OPENED, rounds), floor=alone),
        Figure(alone, ms, cpu(alone, rounds)),
        Figure(f"{FIRST_CALLS:,} first calls at once", "grants", tuple(float(one) for one, _ in together), bound=1.0),
        Figure(f"{FIRST_CALLS:,} first calls at once, until all have it", "s", tuple(one for _, one in together)),
        Figure("a token put on a request", "CPU s/1,000", cost(attach, count, rounds), floor=making, bound=most),
        Figure(making, "CPU s/1,000", cost(lambda: httpx2.Request("GET", URL), count // 10, rounds)),
    ], [f"Packages: {' '.join(sorted(brought))}."]

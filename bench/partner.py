"""What the partner's library costs its programs: to import it, and to put a token that it has on a request.

The import is CPU time above the bare interpreter's, the median of fresh processes. A token is put on by the very calls
that the adapters make, in one thread, on a call that was made before; beside it, as a ratio, what the HTTP library
itself takes to make the request that it is put on.
"""

import subprocess
import sys
from types import SimpleNamespace

import httpx2
from measuring import Figure, cost

from keyfob.ambient import monotonic
from keyfob.oauth.client_authentication import Method
from keyfob.partner.adapters.flow import put
from keyfob.partner.authorizer import Authorizer
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.renewal import times
from keyfob.partner.steps import Steps
from keyfob.partner.token_source import TokenSource
from keyfob.secret import Secret

MOST_IMPORT_MS, MOST_ATTACH_US = 80, 5
RESOURCE = "https://api.example"
URL = f"{RESOURCE}/v1/studies/S.1/subjects?cursor=c1"
CPU = "import time; started = time.process_time(); {}; print(time.process_time() - started)"


class Issuer:
    """One that has a token for whoever asks."""

    issuer, client_id = "https://id.example", "cl_1"

    def ask(self, wish: Wish, *, patient: bool, refused: HeldToken | None = None) -> Steps[HeldToken]:
        yield from ()
        identity = Identity("c1", Method.CLIENT_SECRET_BASIC, "")
        return HeldToken(Secret("t" * 800), identity, wish.scope or frozenset(), (), times(monotonic(), 900, chance=0))


class NoTransport:
    def send(self, request: object) -> object:
        raise AssertionError

    async def send_async(self, request: object) -> object:
        raise AssertionError


def cpu(statement: str, runs: int) -> tuple[float, ...]:
    """Milliseconds of CPU, in `runs` fresh processes, that `statement` takes in a bare interpreter."""
    program = [sys.executable, "-c", CPU.format(statement)]
    return tuple(
        float(subprocess.run(program, capture_output=True, text=True, check=True).stdout) * 1000 for _ in range(runs)
    )


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    source = TokenSource(Issuer(), transport=NoTransport(), clock=monotonic)  # type: ignore[arg-type]  # sends nothing
    authorizer = Authorizer(source, resource=RESOURCE, held=frozenset({"a"}))
    scope = frozenset({"a"})
    request = SimpleNamespace(method="GET", url=URL, headers={})

    def attach() -> None:
        put(request, authorizer.token(request.method, request.url, scope))

    making = "httpx2 makes a request"
    return [
        Figure("import keyfob.partner", "CPU ms", cpu("import keyfob.partner", rounds), bound=MOST_IMPORT_MS),
        Figure("import httpx2", "CPU ms", cpu("import httpx2", rounds)),
        Figure(
            "from keyfob.partner import Session",
            "CPU ms",
            cpu("from keyfob.partner import Session", rounds),
            floor="import httpx2",
        ),
        Figure(
            "a token that is there, put on a request",
            "CPU s/1,000",
            cost(attach, count, rounds),
            floor=making,
            bound=MOST_ATTACH_US / 1000,
        ),
        Figure(making, "CPU s/1,000", cost(lambda: httpx2.Request("GET", URL), count // 10, rounds)),
    ], []

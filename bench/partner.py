"""What the partner's library costs its programs: to import it, and to put a token that it has on a request.

The import is CPU time above the bare interpreter's, the median of fresh processes. A token is put on by the very calls
that the adapters make, in one thread, on a call that was made before; beside it, as a ratio, what the HTTP library
itself takes to make the request that it is put on.
"""

import argparse
import statistics
import subprocess
import sys
import timeit
from types import SimpleNamespace

import httpx2

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


def cpu(statement: str, runs: int) -> float:
    """Milliseconds of CPU, the median of `runs` fresh processes, that `statement` takes in a bare interpreter."""
    program = [sys.executable, "-c", CPU.format(statement)]
    times = [float(subprocess.run(program, capture_output=True, text=True, check=True).stdout) for _ in range(runs)]
    return statistics.median(times) * 1000


def per_call(call: object, count: int) -> float:
    """Microseconds, the best of five rounds: the rest is what else this machine does."""
    return min(timeit.repeat(call, number=count, repeat=5)) / count * 1e6  # type: ignore[arg-type]  # a callable


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--count", type=int, default=20_000)
    arguments = parser.parse_args()
    imported = cpu("import keyfob.partner", arguments.runs)
    session = cpu("from keyfob.partner import Session", arguments.runs)
    httpx = cpu("import httpx2", arguments.runs)
    source = TokenSource(Issuer(), transport=NoTransport(), clock=monotonic)  # type: ignore[arg-type]  # sends nothing
    authorizer = Authorizer(source, resource=RESOURCE, held=frozenset({"a"}))
    scope = frozenset({"a"})
    request = SimpleNamespace(method="GET", url=URL, headers={})
    attach = per_call(lambda: put(request, authorizer.token(request.method, request.url, scope)), arguments.count)
    make = per_call(lambda: httpx2.Request("GET", URL), arguments.count // 10)
    print(f"import keyfob.partner              {imported:6.1f} ms of CPU    (at most {MOST_IMPORT_MS})")
    print(f"from keyfob.partner import Session {session:6.1f} ms of CPU    {session / httpx:4.1f} x import httpx2")
    print(f"a token that is there, put on      {attach:6.2f} us           (at most {MOST_ATTACH_US})")
    print(f"                                                    {attach / make:4.2f} x making the request")
    return 0 if imported < MOST_IMPORT_MS and attach < MOST_ATTACH_US else 1


if __name__ == "__main__":
    sys.exit(main())

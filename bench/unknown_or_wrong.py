"""Can a stranger tell by time whether a client exists? Unknown ids and wrong secrets in turns over one connection.

Cliff's delta is 0 when neither of two kinds of answers tends to come later than the other, and 1 when one always does.
"""

import http.client
import random
import statistics
import sys
import time
from pathlib import Path

from ground import BODY, PORT, Ground, ground

from keyfob import client_secret, tls
from keyfob.ambient import system_entropy

SAMPLES = 1000
BOUND = 0.1
WRONG, UNKNOWN = "a wrong secret", "an unknown id"


def main() -> int:
    worst = 0.0
    with ground({"failures_per_network_per_minute": "1000000"}) as found:
        for how, measure in (("asked again and again", again), ("asked first by a new network", first)):
            times = measure(found, random.Random(1))
            wrong, unknown = times[WRONG], times[UNKNOWN]
            delta = cliffs_delta(wrong, unknown)
            worst = max(worst, abs(delta))
            print(
                f"  {how}: {WRONG} {statistics.median(wrong):.0f} us, {UNKNOWN} {statistics.median(unknown):.0f} us,"
                f" Cliff's delta {delta:+.3f}"
            )
    print(f"of {SAMPLES} answers each, the largest effect size is {worst:.3f} ({BOUND} is the bound)")
    return 0 if worst < BOUND else 1


def again(found: Ground, order: random.Random) -> dict[str, list[float]]:
    """Microseconds of each answer for one id that exists and one that does not, in an order that is chance."""
    ids = {WRONG: found.client.client_id, UNKNOWN: new_id()}
    connection = connect(found.ca)
    times: dict[str, list[float]] = {WRONG: [], UNKNOWN: []}
    for kind in shuffled(order):
        times[kind].append(ask(connection, found, ids[kind]))
    connection.close()
    return {kind: taken[-SAMPLES:] for kind, taken in times.items()}


def first(found: Ground, order: random.Random) -> dict[str, list[float]]:
    """Each question comes from an address that never asked, for the client at work or for an id that never was."""
    honest = connect(found.ca)
    times: dict[str, list[float]] = {WRONG: [], UNKNOWN: []}
    for number, kind in enumerate(shuffled(order)):
        assert ask(honest, found, found.client.client_id, found.headers(), status=200)
        stranger = connect(found.ca, f"127.1.{number // 250}.{number % 250 + 1}")
        stranger.connect()
        times[kind].append(ask(stranger, found, found.client.client_id if kind == WRONG else new_id()))
        stranger.close()
    honest.close()
    return {kind: taken[-SAMPLES:] for kind, taken in times.items()}


def shuffled(order: random.Random) -> list[str]:
    """The first hundred of each only warm up."""
    kinds = [WRONG, UNKNOWN] * (SAMPLES + 100)
    order.shuffle(kinds)
    return kinds


def ask(
    connection: http.client.HTTPSConnection,
    found: Ground,
    client_id: str,
    headers: dict[str, str] | None = None,
    *,
    status: int = 401,
) -> float:
    """Microseconds until the answer to a new wrong secret, which names a credential that exists."""
    if headers is None:
        secret = client_secret.make(str(found.client.credential_id), system_entropy(32)).reveal()
        headers = found.headers(client_id, secret)
    began = time.perf_counter_ns()
    connection.request("POST", "/oauth2/token", BODY, headers)
    response = connection.getresponse()
    response.read()
    taken = (time.perf_counter_ns() - began) / 1000
    assert response.status in (status, 429), response.status
    return taken


def new_id() -> str:
    return client_secret.new_id("cl_", system_entropy(16))


def connect(ca: Path, address: str = "127.0.0.1") -> http.client.HTTPSConnection:
    context = tls.client_context(ca, environ={})
    return http.client.HTTPSConnection("localhost", PORT, context=context, timeout=30, source_address=(address, 0))


def cliffs_delta(one: list[float], other: list[float]) -> float:
    later = sum((a > b) - (a < b) for a in one for b in other)
    return later / (len(one) * len(other))


if __name__ == "__main__":
    sys.exit(main())

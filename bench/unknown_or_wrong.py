"""Can a stranger tell by time whether a client exists? Unknown ids and wrong secrets in turns over one connection.

An effect size below 0.1 is what nobody can use: Cliff's delta is 0 when neither of two answers tends to be later, and 1
when one always is; Cohen's d is the difference of the means in standard deviations, here without the slowest percent.
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
WRONG, UNKNOWN, FRESH = "a wrong secret", "an unknown id", "an unknown id, each time another"


def main() -> int:
    with ground("failures_per_network_per_minute = 1000000") as found:
        times = measure(found, random.Random(1))
    worst = 0.0
    for kind in (UNKNOWN, FRESH):
        delta, d = cliffs_delta(times[WRONG], times[kind]), cohens_d(times[WRONG], times[kind])
        worst = max(worst, abs(delta), abs(d))
        print(
            f"  {WRONG} {statistics.median(times[WRONG]):.0f} us, {kind} {statistics.median(times[kind]):.0f} us:"
            f" Cliff's delta {delta:+.3f}, Cohen's d {d:+.3f}"
        )
    print(f"of {SAMPLES} answers each, the largest effect size is {worst:.3f} ({BOUND} is the bound)")
    return 0 if worst < BOUND else 1


def measure(found: Ground, order: random.Random) -> dict[str, list[float]]:
    """Microseconds until each answer, in an order that is chance."""
    kinds = [WRONG, UNKNOWN, FRESH] * (SAMPLES + 100)
    order.shuffle(kinds)
    connection = connect(found.ca)
    times: dict[str, list[float]] = {WRONG: [], UNKNOWN: [], FRESH: []}
    stranger = client_secret.new_id("cl_", system_entropy(16))
    for kind in kinds:
        known = found.client.client_id
        ids = {WRONG: known, UNKNOWN: stranger, FRESH: client_secret.new_id("cl_", system_entropy(16))}
        # The same credential id throughout: only whether the client exists differs.
        secret = client_secret.make(str(found.client.credential_id), system_entropy(32)).reveal()
        headers = found.headers(ids[kind], secret)
        began = time.perf_counter_ns()
        connection.request("POST", "/oauth2/token", BODY, headers)
        response = connection.getresponse()
        response.read()
        taken = (time.perf_counter_ns() - began) / 1000
        assert response.status in (401, 429), response.status
        times[kind].append(taken)
    connection.close()
    return {kind: taken[100:][:SAMPLES] for kind, taken in times.items()}


def connect(ca: Path) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("localhost", PORT, context=tls.client_context(ca, environ={}), timeout=30)


def cliffs_delta(one: list[float], other: list[float]) -> float:
    later = sum((a > b) - (a < b) for a in one for b in other)
    return later / (len(one) * len(other))


def cohens_d(one: list[float], other: list[float]) -> float:
    bound = statistics.quantiles([*one, *other], n=100)[-1]
    a, b = [x for x in one if x <= bound], [x for x in other if x <= bound]
    pooled = ((statistics.variance(a) + statistics.variance(b)) / 2) ** 0.5
    return (statistics.mean(a) - statistics.mean(b)) / pooled


if __name__ == "__main__":
    sys.exit(main())

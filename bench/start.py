"""How soon a server is ready, how much memory it has with 10,000 clients at work, and what a single client waits."""

import time

import bulk
from ground import PLAIN, made
from loading import Target, load
from measuring import Figure, memory_of

CLIENTS = 10_000


def measure(*, rounds: int, count: int, clients: int = CLIENTS) -> tuple[list[Figure], list[str]]:
    ready: list[float] = []
    idle: list[float] = []
    busy: list[float] = []
    alone: list[float] = []
    with made() as home:
        installed = bulk.opened(home.home, dict(home.environ))
        bulk.add_clients(installed, clients)
        installed.close()
        heads = [Target(8451, lambda: 0.0, credential=bulk.pair(number)).head() for number in range(clients)]
        assert home.client.client_secret is not None
        pair = (home.client.client_id, home.client.client_secret.reveal())
        for _ in range(rounds):
            began = time.perf_counter()
            with home.serving(8451, **PLAIN) as server:
                ready.append(time.perf_counter() - began)
                idle.append(memory_of(server.process.pid))
                # Each client has a token, so that all are in memory.
                seen = load(Target(server.port, server.cpu, heads=heads), clients, warm=16)
                if seen.errors:
                    raise OSError(f"{seen.errors} of {clients} clients got no token")
                busy.append(memory_of(server.process.pid))
                alone.append(load(Target(server.port, server.cpu, credential=pair), count // 10, connections=1).p50)
    return [
        Figure("from the start to ready", "s", tuple(ready), bound=1.5),
        Figure("memory of one worker, just started", "MB (PSS)", tuple(idle)),
        Figure(f"memory of one worker, {clients:,} clients at work", "MB (PSS)", tuple(busy), bound=110.0),
        Figure("a token for a single client, one request after the other", "ms (median)", tuple(alone), bound=3.0),
    ], []

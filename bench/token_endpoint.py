"""How much the token endpoint costs beyond the listener it stands on: a ratio, measured in one run on this machine.

Both are asked over TLS by the same clients on kept connections: an application behind the edge that answers as many
bytes and does nothing, and the real token endpoint, which authenticates, authorises, signs, and has its audit record on
the disk before it answers.
"""

import argparse
import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path

from ground import BODY, PORT, ground

from keyfob import tls

NOTHING = """
import sys
from pathlib import Path
from keyfob import serving
from keyfob.serving import listener
from keyfob.ambient import system_entropy

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await serving.read_body(receive)
    await serving.respond(send, serving.json_response(200, {"access_token": "x" * 700}))

home = Path(sys.argv[1])
listener.serve(serving.edge(app, entropy=system_entropy, max_body_bytes=65536), host="127.0.0.1", port=int(sys.argv[2]),
               certificate=home / "tls/server.pem", private_key=home / "tls/server.key", ready="nothing")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    with ground("tokens_per_client_per_minute = 0") as found:
        nothing = subprocess.Popen(
            [sys.executable, "-c", NOTHING, str(found.home), "8449"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert nothing.stdout is not None
        nothing.stdout.readline()
        rates: dict[str, list[float]] = {"a server that does nothing": [], "the token endpoint": []}
        for _ in range(3):
            for (what, measured), port in zip(rates.items(), (8449, PORT), strict=True):
                measured.append(measure(port, found.ca, found.headers(), options.seconds, options.clients))
                print(f"  {what:28} {measured[-1]:8.0f} a second")
        nothing.kill()
    floor, real = (sorted(measured)[1] for measured in rates.values())
    print(
        f"median of three: {real:.0f} tokens a second, {floor / real:.2f} times the cost of a server that does nothing"
    )


def measure(port: int, ca: Path, headers: dict[str, str], seconds: float, clients: int) -> float:
    """Requests a second that `clients` kept connections get answered."""
    counts = [0] * clients
    ends = time.monotonic() + seconds

    def ask(number: int) -> None:
        context = tls.client_context(ca, environ={})
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        while time.monotonic() < ends:
            connection.request("POST", "/oauth2/token", BODY, headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


if __name__ == "__main__":
    main()

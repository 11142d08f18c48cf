"""What a new TLS connection for each request costs the server: whole, and resumed; beside nginx's, with the same key.

nginx answers by itself (`return 200`), so that the difference to its handshake alone is seen. TLS 1.3 on both sides.
"""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ground import PLACE, Ground, made
from loading import Taken, Target, load
from measuring import Figure, cpu_of

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PORT = 8466
CLIENTS = 4


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    notes: list[str] = []
    taken: dict[str, list[Taken]] = {}
    with made() as home, home.serving(8452) as server, contextlib.ExitStack() as ending:
        assert home.client.client_secret is not None
        pair = (home.client.client_id, home.client.client_secret.reveal())
        targets = {"a token": Target(server.port, server.cpu, credential=pair, ca=home.ca)}
        if NGINX is None:
            notes.append("nginx was not measured: it is not on this machine.")
        else:
            pid = ending.enter_context(nginx(home))
            targets["nginx's return 200"] = Target(PORT, lambda: cpu_of(pid), credential=pair, ca=home.ca)
        for _ in range(rounds):
            for what, target in targets.items():
                for connect in ("full", "resumed"):
                    name = f"{what}, a new connection each, {'whole handshake' if connect == 'full' else 'resumed'}"
                    # One connection of each client is the first: there is nothing to resume then.
                    asked = dataclasses.replace(target, connect=connect)
                    seen = load(asked, count, connections=CLIENTS, warm=CLIENTS)
                    is_as_meant = seen.resumed >= count - CLIENTS if connect == "resumed" else seen.resumed == 0
                    if seen.errors or not is_as_meant:
                        raise OSError(f"{name}: {seen.errors} errors, {seen.resumed} of {count} resumed")
                    taken.setdefault(name, []).append(seen)
    figures = [
        Figure(name, "CPU s/1,000", tuple(one.cpu for one in seen), floor=floor_of(name, taken))
        for name, seen in taken.items()
    ]
    return figures, notes


def floor_of(name: str, taken: dict[str, list[Taken]]) -> str | None:
    other = name.replace("a token", "nginx's return 200")
    return other if other != name and other in taken else None


@contextlib.contextmanager
def nginx(home: Ground) -> Iterator[int]:
    """Its process id."""
    with tempfile.TemporaryDirectory(dir=PLACE) as name:
        folder = Path(name)
        temporary = "\n".join(
            f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}\nserver {{\nlisten 127.0.0.1:{PORT} ssl;\n"
            f"ssl_certificate {home.ca.parent / 'server.pem'};\nssl_certificate_key {home.ca.parent / 'server.key'};\n"
            "ssl_protocols TLSv1.3;\nssl_session_cache shared:bench:1m;\n"
            f'location / {{ return 200 "{"x" * 700}"; }}\n}}\n}}\n'
        )
        process = subprocess.Popen(
            [str(NGINX), "-p", name, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        )
        try:
            while not (folder / "pid").exists():
                time.sleep(0.01)
            yield process.pid
        finally:
            process.terminate()
            process.wait()

"""Before anything is timed: a token that left is on record, whatever kills the server, and records reach the disk.

A server that skips either would win every race. Tokens are asked for by many at once, the server is killed in the
middle, and the record of each token that was received is read back. A kill alone cannot show that commits were flushed,
since what was written is the system's then; so the server is watched meanwhile: it must be seen in fsync or fdatasync.
"""

import base64
import contextlib
import http.client
import json
import platform
import threading
from pathlib import Path

from ground import BODY, PLAIN, Ground, Server, made
from measuring import fail

from keyfob.ambient import system_entropy
from keyfob.server import installation

PORT = 8451
CLIENTS = 8
_SIGHTINGS = 3
"""Fewer could be of something else than the records."""
_CALLS = {"x86_64": {"74", "75"}, "aarch64": {"82", "83"}}
"""fsync and fdatasync, by their numbers."""


def check(tokens: int = 400) -> int:
    """How many tokens' records were read back. Ends the program when one is missing, or nothing was flushed."""
    with made() as home:
        return judge(home, tokens)


def judge(home: Ground, tokens: int) -> int:
    """The same, of a server on this home."""
    with home.serving(PORT, **PLAIN) as server:
        received, flushes = _ask(home, server, tokens)
    if not received:
        fail("no token came")
    recorded = _recorded(home)
    missing = [jti for jti in received if jti not in recorded]
    if missing:
        fail(f"{len(missing)} of {len(received)} tokens left without a record")
    if flushes < _SIGHTINGS:
        fail("no record was seen on its way to the disk: fsync does nothing here, or the folder is no disk's")
    return len(received)


def _ask(home: Ground, server: Server, tokens: int) -> tuple[list[str], int]:
    """The `jti` of every token that came before the kill, and how often the server was seen flushing."""
    received: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            while True:
                connection.request("POST", "/oauth2/token", BODY, home.headers())
                answer = connection.getresponse()
                document = json.loads(answer.read())
                received.append(_jti(document["access_token"]))
                if len(received) >= tokens:
                    enough.set()
        except (OSError, http.client.HTTPException):
            pass  # the server was killed under the request
        finally:
            enough.set()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    flushes = 0
    while not enough.is_set():
        flushes += _is_flushing(server.process.pid)
    server.process.kill()
    for thread in threads:
        thread.join()
    return received, flushes


def _is_flushing(pid: int) -> bool:
    """Whether a thread of the process is in fsync or fdatasync at this moment."""
    wanted = _CALLS.get(platform.machine(), set())
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if (thread / "syscall").read_text().split(" ", 1)[0] in wanted:
                return True
    return False


def _jti(token: str) -> str:
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"])


def _recorded(home: Ground) -> set[str]:
    """Read by a new process of ours, as after any crash: and the chain must be whole."""
    opened = installation.open(home.home, environ=dict(home.environ), entropy=system_entropy)
    try:
        if opened.store.audit_verdict().findings:
            fail("the audit trail is not whole after the kill")
        records = opened.store.audit_tail(1_000_000)
        return {str(json.loads(one.payload).get("jti")) for one in records if one.payload is not None}
    finally:
        opened.close()


if __name__ == "__main__":
    print(f"{check()} tokens received before the kill, each on record; records were seen on their way to the disk")

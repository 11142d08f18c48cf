"""A real server process around a small application that shows what reached it."""

import contextlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

APPLICATION = textwrap.dedent(
    """
    import asyncio, contextlib, json, os, sys
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
                    print("shut down", flush=True)
                    return
        scope["state"]["route"] = "/echo/{name}"
        if scope["path"] == "/fail":
            raise RuntimeError("the reason that must stay here")
        if scope["path"] == "/slow":
            print("slow began", flush=True)
            await asyncio.sleep(1.5)
        if scope["path"] == "/forever":
            print("forever began", flush=True)
            await asyncio.sleep(3600)
        if scope["path"] == "/unread":
            await serving.respond(send, serving.json_response(200, {}))
            return
        if scope["path"] == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise RuntimeError("broke off")
        body = await serving.read_body(receive)
        answer = {"length": len(body), "path": scope["path"]} if scope["path"] != "/who" else {"worker": os.getpid()}
        await serving.respond(send, serving.json_response(200, answer))

    port, certificate, key = int(sys.argv[1]), *(Path(p) if p else None for p in sys.argv[2:4])
    listener.serve_workers(
        lambda: contextlib.nullcontext(serving.edge(app, entropy=system_entropy, max_body_bytes=100_000)),
        workers=int((sys.argv[5:] or ["1"])[0]),
        host="127.0.0.1", port=port, certificate=certificate, private_key=key, ready=f"https://localhost:{port}",
        limits=serving.Limits(**json.loads(sys.argv[4])),
    )
    """
)


class Running:
    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def starting(folder: Path) -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen[str]] = []
    script = folder / "application.py"
    script.write_text(APPLICATION)

    def begin(
        port: int,
        certificate: Path | None = None,
        private_key: Path | None = None,
        *,
        descriptors: int | None = None,
        workers: int = 1,
        **limits: int,
    ) -> Running:
        log = folder / f"log-{port}"
        arguments = [str(port), str(certificate or ""), str(private_key or ""), json.dumps(limits), str(workers)]
        bounded = [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
        process = subprocess.Popen(
            [*bounded, sys.executable, str(script), *arguments],
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )
        started.append(process)
        running = Running(process, port, log)
        assert running.line() == f"ready https://localhost:{port}", log.read_text()
        return running

    yield begin
    for process in started:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def start_in() -> Callable[..., contextlib.AbstractContextManager[Callable[..., Running]]]:
    return starting


@pytest.fixture
def parse() -> Callable[[bytes], tuple[int, dict[bytes, bytes], object]]:
    def parsed(raw: bytes) -> tuple[int, dict[bytes, bytes], object]:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        return int(first.split(b" ")[1]), headers, json.loads(body) if body else None

    return parsed

"""What the sans-IO cores ask of the world, and the two drivers that give it: for threads and for asyncio tasks.

A core is a generator: it yields a step and is sent the step's result. So there is one code path for sync and async,
and a test can drive it by hand.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from keyfob.oauth.wire import Response
from keyfob.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTPS request to make. `authorization` and `dpop` are the whole values of their headers.

    What holds a secret is a Secret, a body too: a request may be shown.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Secret = b""
    authorization: Secret | None = None
    dpop: Secret | None = field(default=None, kw_only=True)
    max_response_bytes: int = field(default=64 * 1024, kw_only=True)


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until somebody else has finished."""

    until: "Future[object]"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let some time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Local:
    """Work on this machine that may block: a file, a passphrase, gpg."""

    work: Callable[[], object]


Step = Request | Wait | Sleep | Local
Steps = Generator[Step, object, T]


class Transport(Protocol):
    """Sends a Request over verified HTTPS and follows no redirect. Raises Unreachable."""

    def send(self, request: Request) -> Response: ...

    async def send_async(self, request: Request) -> Response: ...


def send(request: Request) -> Steps[Response]:
    """Ask for `request` to be sent; gives its response."""
    response = yield request
    assert isinstance(response, Response)
    return response


def local(work: Callable[[], T]) -> Steps[T]:
    """Ask for `work` to be done; gives its result."""
    results: list[T] = []
    yield Local(lambda: results.append(work()))
    return results[0]


def run(steps: Steps[T], transport: Transport) -> T:
    """Drive a core to its result in this thread."""
    try:
        step = next(steps)
        while True:
            try:
                answer = _take(step, transport)
            except BaseException as failed:
                step = steps.throw(failed)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def run_async(steps: Steps[T], transport: Transport) -> T:
    """Drive a core to its result in this task; what blocks is done in a thread."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await _take_async(step, transport)
            except BaseException as failed:  # a cancelled task tells the core, which frees those that wait for it
                step = steps.throw(failed)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def _take(step: Step, transport: Transport) -> object:
    match step:
        case Request():
            return transport.send(step)
        case Wait():
            return step.until.result()
        case Sleep():
            time.sleep(step.seconds)  # the step is to wait: for how long, whoever asked for it has worked out
            return None
        case Local():
            return step.work()


async def _take_async(step: Step, transport: Transport) -> object:
    import asyncio

    match step:
        case Request():
            return await transport.send_async(step)
        case Wait():
            # A waiter that is cancelled must not cancel what others wait for.
            return await asyncio.shield(asyncio.wrap_future(step.until))
        case Sleep():
            await asyncio.sleep(step.seconds)
            return None
        case Local():
            return await asyncio.to_thread(step.work)

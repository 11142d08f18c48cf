"""Head and body leave in one write; what does not follow at once is waited for by nobody."""

import asyncio

from keyfob.serving.gathering import Gathered

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    def __init__(self) -> None:
        self.did: list[object] = []

    def write(self, content: bytes) -> None:
        self.did.append(content)

    def close(self) -> None:
        self.did.append("closed")

    def abort(self) -> None:
        self.did.append("aborted")

    def is_closing(self) -> bool:
        return False


def done(*steps: object, turns: int = 0) -> list[object]:
    """What the transport beneath was told after `steps`: what is written, or the name of what is called."""

    async def play() -> list[object]:
        transport = Transport()
        gathered = Gathered(transport, asyncio.get_running_loop())
        for step in steps:
            gathered.write(step) if isinstance(step, bytes) else getattr(gathered, str(step))()
        for _ in range(turns):
            await asyncio.sleep(0)
        return list(transport.did)

    return asyncio.run(play())


def test_a_head_goes_with_its_body():
    assert done(HEAD, b"body") == [HEAD + b"body"]
    assert done(HEAD, b"", HEAD, b"next") == [HEAD, HEAD + b"next"]


def test_a_long_body_is_not_copied_and_follows_its_head():
    assert done(HEAD, b"x" * 100_000) == [HEAD, b"x" * 100_000]


def test_a_head_without_a_body_leaves_when_the_turn_of_the_loop_is_over():
    assert done(HEAD) == []
    assert done(HEAD, turns=1) == [HEAD]
    assert done(HEAD, b"body", turns=2) == [HEAD + b"body"]


def test_what_was_written_leaves_before_the_connection_closes_and_not_when_it_is_cut():
    assert done(HEAD, "close") == [HEAD, "closed"]
    assert done(HEAD, "abort", turns=1) == ["aborted"]

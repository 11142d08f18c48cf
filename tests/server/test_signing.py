"""keyfob.server.signing: the event loop never waits for a key elsewhere, and nobody for longer than is said."""

import asyncio
import threading

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keyfob.jose import keys, remote_keys
from keyfob.problem import Problem
from keyfob.server import signing
from keyfob.server.signing import CannotSign, Signing


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def made():
    one = Signing()
    yield one
    one.close()


def remote(ask) -> remote_keys.RemoteKey:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return remote_keys.from_der(public.public_bytes(serialization.Encoding.DER, form), "ES256", ask)


def refuse(_digest: bytes) -> bytes:
    raise Problem("kms-throttled", "too often")


@pytest.mark.anyio
async def test_a_key_that_is_here_signs_in_this_very_thread(made):
    key = keys.generate("ES256")
    assert await made.by(key, threading.get_ident, now=1) == threading.get_ident()
    await made.check(key, now=1)


@pytest.mark.anyio
async def test_a_key_elsewhere_signs_in_another_thread_and_counts_as_ready_for_a_minute(made):
    key = remote(refuse)
    assert await made.by(key, threading.get_ident, now=100) != threading.get_ident()
    await made.check(key, now=100 + signing.PROVED_FOR - 1)
    with pytest.raises(CannotSign):
        await made.check(key, now=100 + signing.PROVED_FOR)
    with pytest.raises(CannotSign):  # another key has proved nothing
        await made.check(remote(refuse), now=101)


@pytest.mark.anyio
async def test_a_key_that_fails_is_asked_for_readiness_every_other_second_at_most(made):
    asked = []

    def ask(digest: bytes) -> bytes:
        asked.append(digest)
        return refuse(digest)

    key = remote(ask)
    for now in (100, 100, 101, 102, 103):
        with pytest.raises(CannotSign):
            await made.check(key, now=now)
    assert len(asked) == 2


@pytest.mark.anyio
async def test_more_than_can_be_waited_for_are_refused_at_once(made, monkeypatch):
    monkeypatch.setattr(signing, "MAX_WAITING", 2)
    gate = threading.Event()
    waiting = [asyncio.create_task(made.by(remote(refuse), gate.wait, now=1)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CannotSign):
        await made.by(remote(refuse), gate.wait, now=1)
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]


@pytest.mark.anyio
async def test_what_takes_too_long_is_given_up_and_the_loop_goes_on_meanwhile(made, monkeypatch):
    monkeypatch.setattr(signing, "PATIENCE", 0.05)
    gate = threading.Event()
    late = asyncio.create_task(made.by(remote(refuse), gate.wait, now=1))
    turns = 0
    while not late.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 1
    with pytest.raises(CannotSign):
        await late
    gate.set()

"""What a token costs: beside an HTTP server that does nothing, beside the raw signature, and beside other issuers.

All in one run, in turn, in several rounds: 16 kept connections, one worker, SQLite; each of our tokens has its audit
record on the disk before it leaves. The others keep nothing, in memory.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from ground import API, PLAIN, Ground, made
from loading import Taken, Target, load, running
from measuring import ROOT, Figure, children_of, cost, cpu_of

PEERS = Path(__file__).with_name("peers")
THEIR_PYTHON = ROOT / ".interop/venv/bin/python"
PAIR = ("bench", "a-secret-of-forty-characters-and-a-few-more")
BARE, RAW, RAW_RSA = "a bare route of uvicorn", "one raw ES256 signature", "one raw RS256 signature (3072 bits)"
ES256, TLS, JWT, RS256 = (
    "ES256, Basic",
    "ES256, Basic, over TLS 1.3",
    "ES256, private_key_jwt (ES256)",
    "RS256 (3072 bits), Basic",
)
NODE, NODE_RSA, AUTHLIB = "oidc-provider, ES256", "oidc-provider, RS256 (3072 bits)", "Authlib in Flask, ES256"


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    """The figures, and what is to be said of them."""
    notes: list[str] = []
    taken: dict[str, list[Taken]] = {}
    with made() as home, made(algorithm="RS256") as rsa_home, contextlib.ExitStack() as ending:
        targets = dict(ours(home, rsa_home, ending)) | dict(others(notes, ending))
        for _ in range(rounds):
            for name, target in targets.items():
                fresh = replaced(target, home, count) if name == JWT else target
                some = count // 4 if name in (AUTHLIB, NODE_RSA, RS256) else count
                taken.setdefault(name, []).append(load(fresh, some))
    figures = [Figure(name, "CPU s/1,000", tuple(one.cpu for one in of), **about(name)) for name, of in taken.items()]
    figures += raw(rounds)
    for name in (ES256, TLS, JWT, RS256, NODE):
        if name in taken:
            against = {"against": f"{NODE}, rate", "bound": 1.5} if name == ES256 else {}
            rates = tuple(one.rate for one in taken[name])
            figures.append(Figure(f"{name}, rate", "requests/s", rates, is_rate=True, **against))
    for name in (ES256, TLS, JWT, RS256):
        figures.append(Figure(f"{name}, p99", "ms", tuple(one.p99 for one in taken[name]), bound=10.0))
        figures.append(Figure(f"{name}, errors", "of all", tuple(float(one.errors) for one in taken[name]), bound=0.0))
    return figures, notes


def about(name: str) -> dict[str, object]:
    stated = {
        ES256: {"floor": BARE, "bound": 0.45, "against": NODE},
        TLS: {"floor": BARE, "bound": 0.45, "against": NODE},
        JWT: {"floor": BARE, "bound": 0.25},
        RS256: {"floor": RAW_RSA, "bound": 1.2, "against": RAW_RSA, "plus": 0.1},
    }
    return stated.get(name, {"floor": BARE} if name != BARE else {})


def ours(home: Ground, rsa_home: Ground, ending: contextlib.ExitStack) -> Iterator[tuple[str, Target]]:
    def pair(of: Ground) -> tuple[str, str]:
        assert of.client.client_secret is not None
        return of.client.client_id, of.client.client_secret.reveal()

    plain = ending.enter_context(home.serving(8451, **PLAIN))
    secure = ending.enter_context(home.serving(8452))
    rsa_plain = ending.enter_context(rsa_home.serving(8453, **PLAIN))
    yield ES256, Target(plain.port, plain.cpu, credential=pair(home))
    yield TLS, Target(secure.port, secure.cpu, credential=pair(home), ca=home.ca)
    yield JWT, Target(plain.port, plain.cpu)
    yield RS256, Target(rsa_plain.port, rsa_plain.cpu, credential=pair(rsa_home))


def replaced(target: Target, home: Ground, count: int) -> Target:
    """With as many fresh assertions as will be asked with: each is good once."""
    return Target(target.port, target.cpu, bodies=home.assertions(count + 200))


def others(notes: list[str], ending: contextlib.ExitStack) -> Iterator[tuple[str, Target]]:
    node, peer = shutil.which("node"), PEERS / "issuer.mjs"
    commands: dict[str, tuple[str | Path, ...]] = {BARE: (sys.executable, PEERS / "bare.py", "8461")}
    if node and (PEERS / "node_modules").exists():
        commands[NODE] = (node, peer, "8462", "ES256", *PAIR, API, "a:read")
        commands[NODE_RSA] = (node, peer, "8463", "RS256", *PAIR, API, "a:read")
    else:
        notes.append("oidc-provider was not measured: node or npm is not on this machine.")
    if THEIR_PYTHON.exists():
        commands[AUTHLIB] = (THEIR_PYTHON, PEERS / "issuer.py", "8464", "ES256", *PAIR, API, "a:read")
    else:
        notes.append("Authlib was not measured: `make bench` could not install it.")
    for name, command in commands.items():
        process, said = ending.enter_context(running(*command))
        pids = [process.pid, *children_of(process.pid)]
        notes.append(f"{name.partition(',')[0]}: {'version ' if name != BARE else ''}{said}.")
        path = "/token" if "oidc" in name else "/oauth2/token"
        yield name, Target(int(command[2]), lambda pids=pids: sum(map(cpu_of, pids)), path=path, credential=PAIR)


def raw(rounds: int) -> list[Figure]:
    message = b"x" * 400
    small, large = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 3072)
    how = ec.ECDSA(hashes.SHA256())
    return [
        Figure(RAW, "CPU s/1,000", cost(lambda: small.sign(message, how), 2000, rounds)),
        Figure(
            RAW_RSA,
            "CPU s/1,000",
            cost(lambda: large.sign(message, padding.PKCS1v15(), hashes.SHA256()), 200, rounds),
        ),
    ]

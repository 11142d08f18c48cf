"""What one check of a token costs the guard, in CPU time: beside the bare signature, and beside libraries of others.

All in one run on this machine, in turn: a token that was seen before, while the feed names a hundred others that were
revoked; one that comes for the first time; and the same token verified by PyJWT, joserfc, Authlib and node's jose, as
their documentation says. Each round begins with the bare signature, by the same library in the same process, and what
is told is the median of the rounds' ratios to it: a machine that is busy slows both.
The others are installed by `make interop`; where they are not, that is said.
"""

import asyncio
import gc
import json
import shutil
import subprocess
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from measuring import ROOT, Figure

from keyfob.ambient import system_clock
from keyfob.guard.blocking import blocking
from keyfob.guard.guard import Guard
from keyfob.guard.issuer import KEYS, Withdrawn, feed_ages
from keyfob.guard.presented import Presented
from keyfob.guard.replays import MemoryReplays
from keyfob.guard.trusted import Trusted
from keyfob.jose import keys
from keyfob.jose.compact import decode
from keyfob.jose.keys import KeySet
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth.revocation_feed import Revocation, Revocations, Subject
from keyfob.refreshing import Refreshing
from keyfob.secret import Secret

THEIR_PYTHON = ROOT / ".interop/venv/bin/python"
THEIR_NODE = ROOT / "tests/interop/node/node_modules/jose"
ISSUER, AUDIENCE = "https://auth.example", "https://api.example"
UNIT = "CPU s/1,000"
BARE = "one raw ES256 verification"
FIRST, WHOLE, AGAIN = "a token's first check", "a whole request, first", "a whole request, again"
BLOCKING = "the same, for Flask, Django, WSGI"


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    key = keys.generate("ES256")
    jwks = KeySet.parse(keys.write_jwks([key.public_jwk()]))
    now = int(time.time())

    def token(number: int) -> Secret:
        claims = {
            "iss": ISSUER,
            "sub": "cl_1",
            "client_id": "cl_1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 3600,
            "jti": f"{number:032}",
            "scope": "subjects:read studies:read",
            "authorization_details": [{"type": "cdms_study", "identifier": "S.1", "sites": ["701"]}],
        }
        return sign_access_token(claims, key)

    seen = asyncio.run(_measure(token, jwks, rounds, count))
    theirs, notes = _others(token(0), key.public_jwk(), rounds, count)
    return [
        Figure(BARE, UNIT, seen[BARE]),
        Figure(FIRST, UNIT, seen[FIRST], floor=BARE, bound=1.3, against=BARE),
        Figure(WHOLE, UNIT, seen[WHOLE], floor=BARE),
        Figure(AGAIN, UNIT, seen[AGAIN], floor=BARE, bound=0.005),
        Figure(BLOCKING, UNIT, seen[BLOCKING], floor=BARE),
        *theirs,
    ], notes


async def _measure(
    token: Callable[[int], Secret], jwks: KeySet, rounds: int, count: int
) -> dict[str, tuple[float, ...]]:
    async def fetch_keys(_: KeySet | None) -> KeySet:
        return jwks

    async def fetch_feed(_: Withdrawn | None) -> Withdrawn:
        later = int(time.time()) + 3600
        others = [Revocation(Subject.TOKEN, f"another {each}", None, later) for each in range(100)]
        return Withdrawn(Revocations().plus(others, now=0), 1, int(time.time()))

    guard = Guard(
        audience=AUDIENCE,
        trusted=[
            Trusted(
                ISSUER,
                Refreshing(fetch_keys, KEYS, what="keys", clock=system_clock),
                Refreshing(fetch_feed, feed_ages(60), what="feed", clock=system_clock),
            )
        ],
        replays=MemoryReplays(),
        clock=system_clock,
    )
    public = next(iter(jwks.keys.values())).public_key
    assert isinstance(public, ec.EllipticCurvePublicKey)
    how = ec.ECDSA(hashes.SHA256())
    seen: dict[str, list[float]] = {what: [] for what in (BARE, FIRST, WHOLE, AGAIN, BLOCKING)}
    now = system_clock()
    await guard.verify(token(10**9))  # the keys and the feed are there
    for number in range(1, rounds + 1):
        tokens = [token(number * count + each) for each in range(count)]
        requests = [((b"host", b"api"), (b"authorization", b"Bearer " + one.reveal_bytes())) for one in tokens]
        bare = [_bare(one) for one in tokens]
        # What the bench itself holds is not for the collector to look through meanwhile.
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for signature, signed in bare:
            public.verify(signature, signed, how)
        seen[BARE].append(time.process_time() - began)
        other = [token(-number * count - each) for each in range(count)]
        began = time.process_time()
        for one in other:
            guard.check(one, now)
        seen[FIRST].append(time.process_time() - began)
        for what in (WHOLE, AGAIN):
            began = time.process_time()
            for headers in requests:
                await guard.admit(headers, b"", "subjects:read", method="GET", path=b"/v1/studies/S/subjects")
            seen[what].append(time.process_time() - began)
        blocked = [Presented(headers, b"", "GET", b"/v1/studies/S/subjects") for headers in requests]
        judge = blocking(guard)
        began = time.process_time()
        for presented in blocked:
            judge.admit(presented, "subjects:read")
        seen[BLOCKING].append(time.process_time() - began)
    gc.unfreeze()
    return {what: tuple(one / count * 1000 for one in times) for what, times in seen.items()}


def _bare(token: Secret) -> tuple[bytes, bytes]:
    signed, _, last = token.reveal_bytes().rpartition(b".")
    signature = decode(last)
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:])), signed


def _others(token: Secret, jwk: dict[str, object], rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    asked = {"token": token.reveal(), "jwk": jwk, "issuer": ISSUER, "audience": AUDIENCE}
    asked |= {"rounds": rounds, "count": count, "bare": BARE}
    commands = {
        "Python": (str(THEIR_PYTHON), str(ROOT / "bench/peers/verify.py")),
        "node": (shutil.which("node") or "", str(ROOT / "bench/peers/verify.mjs")),
    }
    found: list[Figure] = []
    notes: list[str] = []
    for what, command in commands.items():
        there = THEIR_PYTHON.exists() if what == "Python" else bool(command[0]) and THEIR_NODE.exists()
        if not there:
            notes.append(f"The libraries of {what} were not measured: they are not on this machine.")
            continue
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
        seen: dict[str, list[float]] = json.loads(done.stdout)
        bare = f"{BARE}, in their {what}"
        seen[bare] = seen.pop(BARE)
        for name, seconds in seen.items():
            samples = tuple(one / count * 1000 for one in seconds)
            found.append(Figure(name, UNIT, samples, floor=None if name == bare else bare))
    return found, notes

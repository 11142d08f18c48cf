"""How soon a guard in another process, with everything warm, refuses what was withdrawn: the five seconds promised."""

import asyncio
import subprocess
import sys
import time

import pytest

from keyfob import tls
from keyfob.ambient import system_entropy
from keyfob.guard.issuer import Issuer
from keyfob.oauth.revocation_feed import Subject

RESOURCE = "https://api.example"
BOUND = 5.0

# An API that is called every few milliseconds, by a token that it knows well.
API = """
import asyncio, sys, time
from keyfob.guard import Guard
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret

issuer, audience, ca_file = sys.argv[1:]
token, _, pem = sys.stdin.read().partition("\\n")
guard = Guard.discover(issuer, audience=audience, ca_file=ca_file, resource_key=Secret(pem))

async def main():
    calls = 0
    while True:
        try:
            await guard.verify(Secret(token))
        except InvalidToken as refused:
            print(f"refused {time.time()} {refused.detail}", flush=True)
            return
        calls += 1
        if calls == 200:
            print("warm", flush=True)
        await asyncio.sleep(0.004)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def operator(new_operator):
    operator = new_operator()
    operator.serve()
    return operator


def by_client(operator, info, token):
    operator.run("client", "revoke", info.client_id)


def by_token(operator, info, token):
    assert operator.post("/oauth2/revoke", {"token": token}, client=info).status == 200


def by_key(operator, info, token):
    operator.run("key", "rotate", "--emergency", "--yes")


def by_credential(operator, info, token):
    operator.run("client", "revoke-credential", info.client_id, info.credential_id, "--yes")


def by_partner_for_a_while(operator, info, token):
    operator.run("partner", "suspend", "Acme")


def by_partner(operator, info, token):
    """The last: nothing of the partner is left after it."""
    operator.run("partner", "revoke", "Acme", "--confirm", "Acme")


@pytest.mark.parametrize("off", [-60, 60])
def test_an_api_whose_clock_is_off_by_a_minute_reads_the_feed_all_the_same(operator, off):
    """It proves itself to the issuer by the issuer's own time."""
    info = operator.client(f"off by {off}")
    operator.run("client", "revoke", info.client_id)
    context = tls.client_context(operator.home / "tls" / "ca.pem", environ={})
    source = Issuer(operator.issuer, context, clock=lambda: int(time.time()) + off, entropy=system_entropy)
    seen = asyncio.run(source.withdrawn(None, resource=RESOURCE, key=operator.resource_key))
    assert (Subject.CLIENT, info.client_id) in seen.revocations.entries


@pytest.mark.parametrize("withdraw", [by_client, by_token, by_key, by_credential, by_partner_for_a_while, by_partner])
def test_a_revocation_is_seen_within_five_seconds(operator, withdraw):
    info = operator.client(withdraw.__name__)
    token = operator.token(info, scope="studies:read").document["access_token"]
    command = [sys.executable, "-c", API, operator.issuer, RESOURCE, str(operator.home / "tls" / "ca.pem")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as api:
        assert api.stdin is not None and api.stdout is not None
        api.stdin.write(f"{token}\n{operator.resource_key.to_secret().reveal()}")
        api.stdin.close()
        assert api.stdout.readline() == "warm\n"
        withdraw(operator, info, token)
        done = time.time()
        word, at, *why = api.stdout.readline().split()
    assert word == "refused"
    assert float(at) - done < BOUND, f"seen after {float(at) - done:.1f} s"
    assert "revoked" in why
    if withdraw is by_partner_for_a_while:
        operator.run("partner", "resume", "Acme")
        assert operator.token(info, scope="studies:read").status == 200

"""Tokens as a partner's program has them, from a real server: many at once, bound to a key, and by a key of its own."""

import asyncio
import base64
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.conftest import RESOURCE
from flows.test_rotation import KILLED, ended, started
from keyfob.partner import TokenDenied, open_authorizer

SCOPE = frozenset({"studies:read"})


def authorizer(vault, **options):
    return open_authorizer(vault=vault.path, ca=vault.operator.home / "tls" / "ca.pem", **options)


def claims(held):
    part = held.access_token.reveal().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def grants(stage, client_id):
    return [one for one in stage.operator.audit() if one["kind"] == "token_issued" and one["client_id"] == client_id]


def test_a_thousand_first_calls_at_once_make_one_grant(stage):
    client_id, _, (vault,) = stage.vaults("thousand")
    source = authorizer(vault).source

    async def calls():
        return await asyncio.gather(*(source.token_async(SCOPE, resource=RESOURCE) for _ in range(1000)))

    assert len({id(held) for held in asyncio.run(calls())}) == 1
    assert len(grants(stage, client_id)) == 1


def test_two_hundred_tasks_and_fifty_threads_go_over_an_expiry_with_one_grant_each_time(stage):
    """RFC 6749 §5.1: none of them ever has a token whose time is over."""
    client_id, _, (vault,) = stage.vaults("many", 1, "--token-lifetime", "2")
    source = authorizer(vault).source
    until = time.monotonic() + 3.5
    seen = {}

    def take(held):
        assert time.monotonic() < held.expires_at
        seen[id(held)] = held

    def thread():
        while time.monotonic() < until:
            take(source.token(SCOPE, resource=RESOURCE))
            time.sleep(0.02)  # the pace of a program; the end is `until`

    async def task():
        while time.monotonic() < until:
            take(await source.token_async(SCOPE, resource=RESOURCE))
            await asyncio.sleep(0.05)

    async def tasks():
        await asyncio.gather(*(task() for _ in range(200)))

    with ThreadPoolExecutor(51) as pool:
        running = [pool.submit(thread) for _ in range(50)] + [pool.submit(asyncio.run, tasks())]
        for one in running:
            one.result(60)
    assert 2 <= len(seen) == len(grants(stage, client_id)) <= 5


def test_a_client_whose_tokens_are_bound_gets_them_without_being_told_and_any_client_for_the_asking(stage):
    """RFC 9449 §5, §6.1."""
    _, _, (bound,) = stage.vaults("bound", 1, "--dpop")
    _, _, (free,) = stage.vaults("free")
    for held in (
        authorizer(bound).source.token(SCOPE, resource=RESOURCE),
        authorizer(free, dpop=True).source.token(SCOPE, resource=RESOURCE),
    ):
        assert held.prover is not None
        assert claims(held)["cnf"] == {"jkt": held.prover.key_id} == {"jkt": held.identity.key_id}
    assert "cnf" not in claims(authorizer(free).source.token(SCOPE, resource=RESOURCE))


def test_a_key_takes_the_place_of_the_secret_by_the_signature_of_the_partners_certificate(stage):
    """RFC 7523 §2.2: made in the vault, announced, and used by itself from its date on."""
    client_id, old, (vault,) = stage.vaults("upgraded")
    done = vault.run("upgrade-to-key", "--private-key", vault.private_key)
    assert vault.works(), "by the secret, or by the key: whichever counts"
    deadline = time.monotonic() + 60
    while (shown := stage.operator.run("client", "show", client_id))["auth_method"] != "private_key_jwt":
        assert time.monotonic() < deadline
    held = authorizer(vault).source.token(SCOPE, resource=RESOURCE)
    assert (held.credential_id, held.identity.method) == (done["credential_id"], "private_key_jwt")
    shown = stage.operator.run("client", "show", client_id)
    assert [one["state"] for one in shown["credentials"]] == ["retiring", "active"]
    assert stage.operator.token(old, scope="studies:read").status == 200, "the overlap runs"
    kinds = [one["kind"] for one in stage.operator.audit() if one.get("client_id") == client_id]
    assert {"change_announced", "client_upgraded"} <= set(kinds)
    again = vault.run("upgrade-to-key", "--private-key", vault.private_key, status=1)
    assert again["error"] == "has-key"
    message = stage.operator.home.parent / "upgraded.asc"
    refused = vault.run("receive", message, "--private-key", vault.private_key, "--key", "file", status=1)
    assert refused["error"] == "older-message", "the secret's message cannot take the key's place"
    stored = b"".join(path.read_bytes() for path in vault.path.rglob("*") if path.is_file())
    assert b"PRIVATE KEY" not in stored
    # And by the key it reads why it was refused.
    with pytest.raises(TokenDenied) as denied:
        authorizer(vault).source.token(frozenset({"audit:read"}), resource=RESOURCE)
    told = vault.run("explain", denied.value.error_id)
    assert (told["reason"], told["error_id"]) == ("scope_not_granted", denied.value.error_id)


def test_an_upgrade_that_is_refused_leaves_the_secret_alone(stage):
    client_id, _, (vault,) = stage.vaults("refused")
    before = vault.ids()
    stage.operator.run("client", "suspend", client_id)
    refused = vault.run("upgrade-to-key", "--private-key", vault.private_key, status=1)
    assert (refused["error"], vault.ids()) == ("not-taken", before)
    stage.operator.run("client", "resume", client_id)
    assert vault.works()


def test_a_key_takes_the_place_of_the_key_before_without_one_failed_request(stage):
    """RFC 7523 §2.2: both count until the older one is ended."""
    client_id, _, (vault,) = stage.vaults("renewed")
    first = vault.run("upgrade-to-key", "--private-key", vault.private_key)
    await_method(stage, client_id, "private_key_jwt")
    instance = started(vault)
    done = vault.rotate()
    assert (done["client_id"], done["announcement_id"][:4]) == (client_id, "ann_")
    assert {first["credential_id"], done["credential_id"]} < set(vault.ids())
    listed = {one["credential_id"]: one["state"] for one in vault.run("vault", "list")["credentials"]}
    states = (listed[first["credential_id"]], listed[done["credential_id"]])
    assert states in (("current", "coming"), ("older", "current")), "its time may have come already"
    source = authorizer(vault).source
    deadline = time.monotonic() + 60
    while (held := source.token(SCOPE, resource=RESOURCE)).credential_id != done["credential_id"]:
        source = authorizer(vault).source
        assert time.monotonic() < deadline
    assert held.identity.method == "private_key_jwt"
    finished = vault.rotate("--finish")
    assert finished["retired"] == [first["credential_id"]]
    while len(keys_of(stage, client_id)) == 2:
        assert time.monotonic() < deadline
    assert keys_of(stage, client_id) == [done["key_id"]]
    assert vault.works()
    seen = ended(instance)
    assert seen["failures"] == []
    assert seen["used"] == [first["credential_id"], done["credential_id"]]
    assert vault.rotate("--finish", status=1)["error"] == "no_overlap"
    assert vault.works()


KEY_KILLS = {
    "the key is in the vault": "after(folder.FolderStore, 'write')",
    "the issuer has it": "after(transport.HttpsTransport, 'send')",
    "its date is noted": "after(folder.FolderStore, 'write', 2)",
}


def killed(vault, command, step):
    process = vault.start(command, "--private-key", vault.private_key, entry=KILLED.replace("STEP", KEY_KILLS[step]))
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err


def test_killed_at_any_step_there_is_a_key_that_counts_and_the_next_rotation_comes_to_its_end(stage):
    client_id, _, (vault,) = stage.vaults("killed-key")
    killed(vault, "upgrade-to-key", "the issuer has it")
    assert vault.works(), "by the secret, until the key counts"
    await_method(stage, client_id, "private_key_jwt")
    source = authorizer(vault).source
    first = source.token(SCOPE, resource=RESOURCE)
    assert first.identity.method == "private_key_jwt"
    for step in KEY_KILLS:
        killed(vault, "rotate", step)
        assert vault.works()
        await_no_announcement(stage, client_id)
    done = vault.rotate()
    deadline = time.monotonic() + 60
    while authorizer(vault).source.token(SCOPE, resource=RESOURCE).credential_id != done["credential_id"]:
        assert time.monotonic() < deadline
    vault.rotate("--finish")
    await_no_announcement(stage, client_id)
    assert keys_of(stage, client_id) == [done["key_id"]], "what was left of each attempt has gone, too"
    assert [one for one in vault.ids() if one.startswith("key-")] == [done["credential_id"]]


def await_no_announcement(stage, client_id):
    deadline = time.monotonic() + 60
    while stage.operator.run("client", "show", client_id)["announced"]:
        assert time.monotonic() < deadline


def await_method(stage, client_id, method):
    deadline = time.monotonic() + 60
    while stage.operator.run("client", "show", client_id)["auth_method"] != method:
        assert time.monotonic() < deadline
        time.sleep(0.2)  # between two looks at the condition


def keys_of(stage, client_id):
    return stage.operator.run("client", "show", client_id)["thumbprints"]

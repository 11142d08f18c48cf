"""keyfob.server.key_sets: a client's keys from a real HTTPS server of its own, and every way in which it goes wrong."""

import asyncio
import json
import threading

import pytest

from keyfob.jose import keys
from keyfob.refreshing import CannotFetch
from keyfob.server.key_sets import AGES, KeySets

NOW = 1_000_000
KEY = keys.generate("ES256")


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key_sets(issuer, clock) -> KeySets:
    publish(issuer, KEY)
    return KeySets(issuer.client_context, inner=("127.0.0.0/8", "::1/128"), clock=clock)


def publish(issuer, *published: keys.SigningKey) -> None:
    issuer.answers["/client.jwks"] = (200, {}, keys.write_jwks([key.public_jwk() for key in published]))


def names(found) -> set[str]:
    return {key.thumbprint for key in found.keys}


def test_keys_are_fetched_once_and_kept_for_a_day_without_their_server(key_sets, issuer, clock):
    url = f"{issuer.url}/client.jwks"

    async def story():
        for _ in range(3):
            assert names(await key_sets.get(url, clock.now)) == {KEY.kid}
        assert issuer.asked == ["/client.jwks"]
        issuer.answers.clear()
        clock.now = NOW + AGES.good - 1
        assert names(await key_sets.get(url, clock.now)) == {KEY.kid}
        clock.now = NOW + AGES.good
        assert await key_sets.get(url, clock.now) is None

    asyncio.run(story())


def test_a_new_key_is_found_when_an_assertion_names_it_but_nobody_can_make_us_ask_often(key_sets, issuer, clock):
    url, new = f"{issuer.url}/client.jwks", keys.generate("ES256")

    async def story():
        await key_sets.get(url, clock.now)
        publish(issuer, KEY, new)
        assert await key_sets.newer(url, clock.now) is None
        clock.now += AGES.cooldown
        assert names(await key_sets.newer(url, clock.now)) == {KEY.kid, new.kid}
        for _ in range(10):
            assert await key_sets.newer(url, clock.now) is None
        assert len(issuer.asked) == 2

    asyncio.run(story())


def test_the_host_is_asked_by_its_name_and_its_certificate_is_verified(key_sets, issuer, clock, make_tls, tmp_path):
    other = make_tls(tmp_path / "other")
    distrusts = KeySets(other.client_context, inner=("127.0.0.0/8", "::1/128"), clock=clock)
    with pytest.raises(CannotFetch, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(distrusts.fetch(f"{issuer.url}/client.jwks"))
    by_address = issuer.url.replace("localhost", "127.0.0.2")  # served, but not in the certificate
    with pytest.raises(CannotFetch):
        asyncio.run(key_sets.fetch(f"{by_address}/client.jwks"))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[fe80::1]",
             "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[2001:0:a00:1::]",
             "0.0.0.0", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
def test_no_name_and_no_address_leads_into_an_inner_network(issuer, clock, host):
    guarded = KeySets(issuer.client_context, inner=(), clock=clock)
    with pytest.raises(CannotFetch, match=r"inner network|not found"):
        asyncio.run(guarded.fetch(f"https://{host}:{issuer.url.rpartition(':')[2]}/client.jwks"))
    assert issuer.asked == []


def test_what_is_no_key_set_is_said_and_nothing_is_followed(key_sets, issuer):
    answers = {
        (302, "location", b""): "answered 302",
        (500, "", b"{}"): "answered 500",
        (200, "", b"x" * 70_000): "more than 65536 bytes",
        (200, "", b"[]"): "list `keys`",
        (200, "", json.dumps({"keys": [KEY.public_jwk() | {"d": "AA"}]}).encode()): "exposed",
    }
    for (status, header, body), said in answers.items():
        headers = {header: f"{issuer.url}/client.jwks"} if header else {}
        issuer.answers["/odd.jwks"] = (status, headers, body)
        with pytest.raises(CannotFetch, match=said):
            asyncio.run(key_sets.fetch(f"{issuer.url}/odd.jwks"))
    assert "/client.jwks" not in issuer.asked


def test_a_server_that_drips_is_given_up_as_a_whole(key_sets, issuer, monkeypatch):
    """Each read may be quick, and the answer still never end: also where it is fetched once, at the command line."""
    monkeypatch.setattr("keyfob.server.fetching._DEADLINE", 0.5)
    hangs = threading.Event()
    issuer.answers["/client.jwks"] = lambda _: (hangs.wait(20), (500, {}, b""))[1]
    with pytest.raises(CannotFetch, match="no whole answer"):
        asyncio.run(key_sets.fetch(f"{issuer.url}/client.jwks"))
    hangs.set()


def test_a_server_that_hangs_holds_nobody_up_who_knows_the_keys(key_sets, issuer, clock):
    url, hangs = f"{issuer.url}/client.jwks", threading.Event()

    async def story():
        await key_sets.get(url, clock.now)
        issuer.answers["/client.jwks"] = lambda _: (hangs.wait(20), (500, {}, b""))[1]
        clock.now += AGES.wait
        for _ in range(50):
            assert await key_sets.get(url, clock.now) is not None
        hangs.set()
        assert issuer.asked.count("/client.jwks") == 2

    asyncio.run(story())

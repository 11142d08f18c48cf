"""Two HAProxy as in deploy/, each with an address of its own, in front of one node and one behind the other."""

import base64
import contextlib
import http.client
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deploy.conftest import DEPLOY
from keyfob import tls
from keyfob.oauth.client_information import ClientInformation
from server.wire.conftest import Operator, until

PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
FIRST, SECOND = "127.0.0.2", "127.0.0.3"
PARTNER, STRANGER = "127.0.0.8", "127.0.0.9"
"""Who asks; all are this machine."""
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no HAProxy on this machine"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere 127.0.0.1 alone is this machine's"),
]


@dataclass(frozen=True)
class Pair:
    """The ports of the node, of the two that speak to it, and of one that does so through the first (chain)."""

    operator: Operator
    info: ClientInformation
    ports: dict[str, int]

    def token(self, way: str, *, of: str, **headers: str) -> int:
        assert self.info.client_secret is not None
        pair = f"{self.info.client_id}:{self.info.client_secret.reveal()}".encode()
        headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode({"grant_type": "client_credentials", "scope": "studies:read"})
        with contextlib.closing(self.connect(way, of)) as connection:
            connection.request("POST", "/oauth2/token", body, headers)
            return connection.getresponse().status

    def connect(self, way: str, of: str) -> http.client.HTTPSConnection:
        context = tls.client_context(self.operator.home / "tls" / "ca.pem", environ={})
        return http.client.HTTPSConnection(
            "localhost", self.ports[way], timeout=30, context=context, source_address=(of, 0)
        )

    def is_there(self, way: str) -> bool:
        with contextlib.suppress(OSError), contextlib.closing(self.connect(way, PARTNER)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False


@contextlib.contextmanager
def balancing(folder: Path, operator: Operator, port: int, *, to: int, own: str):
    """One HAProxy at `port`, that speaks to the one at `to` from its `own` address."""
    folder.mkdir()
    (folder / "issuer.pem").touch(mode=0o600)
    (folder / "issuer.pem").write_text(
        "".join((operator.home / "tls" / name).read_text() for name in ("server.pem", "server.key"))
    )
    text = (DEPLOY / "haproxy" / "keyfob.cfg").read_text()
    for usual, here in {
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/issuer.pem": str(folder / "issuer.pem"),
        "/etc/haproxy/nodes-ca.pem": str(operator.home / "tls" / "ca.pem"),
        "issuer.example": "localhost",
        **{f"192.0.2.1{number}:8443": f"127.0.0.1:{to} source {own}" for number in (1, 2, 3)},
    }.items():
        assert usual in text, usual
        text = text.replace(usual, here)
    (folder / "haproxy.cfg").write_text(text)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([str(PROGRAM), "-f", str(folder / "haproxy.cfg"), "-db"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def pair(new_operator, tmp_path_factory, free_port_of):
    operator = new_operator()
    info = operator.client("balanced", "--allow-network", PARTNER)
    settings = operator.home / "keyfob.toml"
    named = f'[http]\ntrusted_proxy = ["{FIRST}", "{SECOND}"]\nproxy_speaks = "https"\n'
    settings.write_text(f"{settings.read_text()}\n{named}")
    operator.serve()
    ports = {"node": operator.port, **{way: free_port_of() for way in ("first", "second", "chain")}}
    folder = tmp_path_factory.mktemp("pair")
    with contextlib.ExitStack() as running:
        for way, own, to in (
            ("first", FIRST, "node"),
            ("second", SECOND, "node"),
            ("chain", SECOND, "first"),
        ):
            running.enter_context(balancing(folder / way, operator, ports[way], to=ports[to], own=own))
        made = Pair(operator, info, ports)
        for way in ("first", "second", "chain"):
            until(lambda way=way: made.is_there(way))
        yield made


@pytest.mark.parametrize("way", ["first", "second", "chain"])
def test_by_either_of_a_pair_and_by_one_behind_the_other_the_client_is_who_it_is(pair, way):
    """RFC 9700 §4.13: and it is nobody else, whatever it writes of itself."""
    assert pair.token(way, of=PARTNER) == 200
    assert pair.token(way, of=PARTNER, **{"x-forwarded-for": STRANGER, "forwarded": f"for={STRANGER}"}) == 200
    for lie in (PARTNER, f"{PARTNER}, {FIRST}", f"{PARTNER}, {FIRST}, {SECOND}"):
        assert pair.token(way, of=STRANGER, **{"x-forwarded-for": lie, "forwarded": f"for={PARTNER}"}) == 401
    issued = [record for record in pair.operator.audit() if record["kind"] == "token_issued"]
    assert {record["address"] for record in issued} == {PARTNER}


def test_whoever_goes_around_the_pair_is_nobody(pair):
    for of in (PARTNER, "127.0.0.1", "127.0.0.4"):
        assert pair.token("node", of=of, **{"x-forwarded-for": PARTNER}) == 403
    assert pair.token("node", of=SECOND, **{"x-forwarded-for": PARTNER}) == 200

"""A real server behind the relay, and the programs that speak to it, each run once for each way of asking."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from interop import matrix
from interop.apache import Apache
from interop.api import SMART_CONFIGURATION, Api
from interop.matrix import KeyedWay, Program, Way
from interop.registration import Registered, register, register_resource
from interop.relay import Connection, Relay
from keyfob.oauth.client_information import ClientInformation
from server.wire.conftest import Operator

_WITHIN = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What a program said, and all that went over the wire for it; `status` is the program's own."""

    status: int
    version: str
    answer: dict[str, object]
    complaint: str
    connections: tuple[Connection, ...]
    calls: tuple[Connection, ...] = ()

    def exchanges(self) -> list[tuple[bytes, int]]:
        """The token requests, each with the status of its answer."""
        return [(sent, status) for sent, status in self._every() if _target(sent).startswith("/oauth2/token")]

    def called(self, path: str) -> list[tuple[bytes, int]]:
        """The requests for `path` of the API, each with the status of its answer."""
        every = (exchange for connection in self.calls for exchange in connection.exchanges())
        return [(sent, status) for sent, status in every if _target(sent) == path]

    def found_at(self) -> tuple[str, ...]:
        """What it fetched, in order."""
        return tuple(_target(sent) for sent, status in self._every() if sent.startswith(b"GET ") and status == 200)

    def _every(self) -> Iterator[tuple[bytes, int]]:
        return (exchange for connection in self.connections for exchange in connection.exchanges())


def _target(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode("latin-1")


@dataclass
class Scene:
    """`ca` is all that a program believes. Each program runs by itself, and Apache from its first use on."""

    operator: Operator
    relay: Relay
    client: ClientInformation
    folder: Path
    _done: dict[tuple[str, str], Run] = field(default_factory=dict)
    _registered: dict[str, Registered] = field(default_factory=dict)
    _apache: Apache | None = None
    _api: Api | None = None

    @property
    def ca(self) -> Path:
        return self.operator.home / "tls" / "ca.pem"

    def ask(self, client: Program, way: Way) -> Run:
        """The token of `client`, asked for once in a session. Skips when it is not installed."""
        if (client.name, way.name) not in self._done:
            self._done[client.name, way.name] = self.ask_anew(client, way)
        return self._done[client.name, way.name]

    def ask_anew(self, client: Program, way: Way, *, secret: str | None = None, ca: Path | None = None) -> Run:
        settings = {
            "CLIENT_ID": self.client.client_id,
            "METHOD": way.method,
            "SCOPE": way.scope,
            "RESOURCE": way.resource,
        }
        assert self.client.client_secret is not None
        command = (*client.command, *way.arguments)
        return self._run(client, command, settings, secret or self.client.client_secret.reveal(), ca or self.ca)

    def ask_afterwards(self, client: Program) -> Run:
        assert self.client.client_secret is not None
        settings = {"CLIENT_ID": self.client.client_id}
        return self._run(client, client.command, settings, self.client.client_secret.reveal(), self.ca)

    def ask_keyed(self, client: Program, way: KeyedWay) -> Run:
        """As `ask`, for who proves a key: the token, and what the API answered to it."""
        if (client.name, way.name) not in self._done:
            self._done[client.name, way.name] = self.ask_keyed_anew(client, way, self.registered(way).secret)
        return self._done[client.name, way.name]

    def ask_keyed_anew(self, client: Program, way: KeyedWay, secret: str) -> Run:
        """`secret`: what the program is given on stdin, a secret or a private JWK."""
        require(client)
        settings = {
            "CLIENT_ID": self.registered(way).client_id,
            "METHOD": "private_key_jwt" if way.algorithm else "basic",
            "ALGORITHM": way.algorithm,
            "PROFILE": way.profile,
            "BOUND": "1" if way.bound else "",
            "SCOPE": way.scope,
            "CALL": self.api.url + way.call,
        }
        self.api.take()
        run = self._run(client, client.command, settings, secret, self.ca)
        return dataclasses.replace(run, calls=tuple(self.api.take()))

    def registered(self, way: KeyedWay) -> Registered:
        """The one client of all that ask in this way."""
        if way.name not in self._registered:
            self._registered[way.name] = register(self.operator, way, resource=self.api.url)
        return self._registered[way.name]

    @property
    def api(self) -> Api:
        if self._api is None:
            document = self.operator.request("GET", SMART_CONFIGURATION).body
            files = self.operator.home / "tls"
            self._api = Api(self.folder / "api", issuer=self.operator.issuer, files=files, smart_configuration=document)
            register_resource(self.operator, self._api.url)
        return self._api

    def verify(
        self, verifier: Program, token: str, *, audience: str = matrix.AUDIENCE, proven: object | None = None
    ) -> Run:
        """`answer` has the claims; a `status` other than 0 says that the token was refused, and `complaint` why.

        `proven`: the public JWK of a DPoP proof, to which the token must then be bound.
        """
        if verifier.platform == "Apache":
            require(verifier)
            found = self._server().verify(token, audience=audience)
            said = "" if found.status == 200 else f"refused: {found.status}"
            return Run(int(found.status != 200), found.version, found.claims, said, ())
        settings = {"AUDIENCE": audience, "PROVEN": "" if proven is None else json.dumps(proven)}
        return self._run(verifier, verifier.command, settings, token, self.ca)

    def close(self) -> None:
        if self._apache is not None:
            self._apache.stop()
        if self._api is not None:
            self._api.stop()

    def _server(self) -> Apache:
        if self._apache is None:
            jwks = self.operator.request("GET", "/oauth2/jwks").document
            self._apache = Apache(self.folder / "apache", issuer=self.operator.issuer, ca=self.ca, jwks=jwks)
        return self._apache

    def _run(self, program: Program, command: tuple[str, ...], settings: dict[str, str], secret: str, ca: Path) -> Run:
        require(program)
        self.relay.take()
        done = subprocess.run(
            command,
            input=secret + "\n",
            env=self._environment(ca) | settings,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
        )
        document = json.loads(done.stdout) if done.returncode == 0 else {"version": "", "answer": {}}
        connections = tuple(self.relay.take())
        return Run(done.returncode, document["version"], document["answer"], done.stderr, connections)

    def _environment(self, ca: Path) -> dict[str, str]:
        """Nothing of the user's but the path; the authority by the variable that each platform reads."""
        named = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ISSUER": self.operator.issuer,
            **dict.fromkeys(named, str(ca)),
        }


def require(program: Program) -> None:
    reason = matrix.missing(program)
    if reason is not None:
        pytest.skip(reason)

"""One server and one relay for all: the clients leave them as they were."""

from collections.abc import Callable, Iterator

import pytest

from interop import matrix
from interop.relay import Relay
from interop.scene import Scene
from server.wire.conftest import Operator, acme, new_operator

__all__ = ["acme", "new_operator"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write docs/reference/interop.md from what is seen")


@pytest.fixture(scope="session")
def new_database_url() -> Callable[[], None]:
    """The home's own: what others send does not depend on where it is kept."""
    return lambda: None


@pytest.fixture(scope="session")
def new_scene(new_operator, free_port_of, tmp_path_factory) -> Iterator[Callable[[], Scene]]:
    """The issuer's URL is the relay's, so that discovery, too, leads a client through it."""
    started: list[tuple[object, Scene]] = []

    def make() -> Scene:
        operator: Operator = new_operator()
        defaults = ("--resource", matrix.OTHER, "--default-scope", matrix.DEFAULT_SCOPE, "--study", "S.1")
        client = operator.client("interop", *defaults, scope=matrix.SCOPE)
        upstream = free_port_of()
        operator.serve("--port", str(upstream))
        files = operator.home / "tls"
        relay = Relay(
            authority=files / "ca.pem",
            certificate=files / "server.pem",
            private_key=files / "server.key",
            port=operator.port,
            upstream=upstream,
        )
        listening = relay.listening()
        scene = Scene(operator, listening.__enter__(), client, tmp_path_factory.mktemp("interop"))
        started.append((listening, scene))
        return scene

    yield make
    for listening, scene in started:
        scene.close()
        listening.__exit__(None, None, None)


@pytest.fixture(scope="session")
def scene(new_scene) -> Scene:
    return new_scene()

"""Real proxies on loopback, each with its block from the page that a reader copies, on ports of the test's own."""

import contextlib
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import nginx

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-to/guard/any-language.md"
PROGRAMS: dict[str, str | None] = {
    "nginx": nginx.PROGRAM,
    "caddy": shutil.which("caddy"),
    "envoy": shutil.which("envoy", path=str(ROOT / ".interop/venv/bin")),
}
"""None: not on this machine."""


@contextlib.contextmanager
def running(
    kind: str,
    folder: Path,
    *,
    port: int,
    guard: int,
    api: int,
    description: str = "{}",
    tls: tuple[Path, Path] | None = None,
) -> Iterator[None]:
    """The proxy at `port`, that asks the guard at `guard` before it passes on to `api`; nothing where it is not.

    `description`: what the proxy hands out as the API's. `tls`: certificate chain and key, for Caddy's block that also
    asks for the client's certificate.
    """
    if PROGRAMS[kind] is None:
        yield
        return
    folder.mkdir()
    (folder / "orders.json").write_text(description)
    ports = {9643: port, 9393: guard, 9644: api}
    text = {"nginx": _nginx, "caddy": _caddy, "envoy": _envoy}[kind](ports) if tls is None else _caddy_tls(ports, tls)
    if kind == "nginx":
        with nginx.running(folder, text):
            yield
        return
    file = folder / {"caddy": "Caddyfile", "envoy": "envoy.yaml"}[kind]
    file.write_text(text)
    command = {
        "caddy": [str(PROGRAMS["caddy"]), "run", "--config", str(file), "--adapter", "caddyfile"],
        "envoy": [
            *(str(PROGRAMS["envoy"]), "--config-path", str(file), "--use-dynamic-base-id", "--concurrency", "1"),
            *("--log-level", "error"),
        ],
    }[kind]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _block(language: str, ports: Mapping[int, int], *, which: int = 1) -> str:
    text = PAGE.read_text().split(f"```{language}\n")[which].split("```")[0]
    for old, new in ports.items():
        text = re.sub(rf"(127\.0\.0\.1|localhost):{old}\b", f"127.0.0.1:{new}", text)
    return text


def _nginx(ports: Mapping[int, int]) -> str:
    text = _block("nginx", ports)
    return re.sub(r" ssl;|ssl_certificate.*;", lambda found: ";" if found[0] == " ssl;" else "", text)


def _caddy(ports: Mapping[int, int]) -> str:
    text = re.sub(r"\n *tls .*", "", _block("caddyfile", ports)).replace("https://", "http://")
    return _CADDY + text


def _caddy_tls(ports: Mapping[int, int], tls: tuple[Path, Path]) -> str:
    text = _block("caddyfile", ports, which=2).replace("https://127.0.0.1", "https://localhost")
    return _CADDY + text.replace("cdms/tls/server.pem cdms/tls/server.key", f"{tls[0]} {tls[1]}")


_CADDY = "{\n    admin off\n    auto_https off\n}\n"


def _envoy(ports: Mapping[int, int]) -> str:
    block = textwrap.indent(_block("yaml", ports), " " * 16)
    clusters = "".join(_CLUSTER.format(name=name, port=ports[old]) for name, old in (("guard", 9393), ("api", 9644)))
    return _LISTENER.format(port=ports[9643], block=block) + clusters


_LISTENER = """
static_resources:
  listeners:
    - name: orders
      address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3\
.HttpConnectionManager
                stat_prefix: orders
{block}
  clusters:
"""
_CLUSTER = """
    - name: {name}
      type: STATIC
      load_assignment:
        cluster_name: {name}
        endpoints:
          - lb_endpoints:
              - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
"""

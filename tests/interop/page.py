"""docs/reference/interop.md, written from what was seen."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from interop.matrix import AFTERWARDS, CLIENTS, KEYED, KEYED_VERIFIERS, VERIFIERS

PATH = Path(__file__).parents[2] / "docs/reference/interop.md"
# A version in a table or a User-Agent, but not the one of HTTP.
_VERSION = re.compile(r"(?<!HTTP/)(?<![\d.])\d+(\.\d+)+[\w.+~:-]*")
_HTTP_LIBRARY = re.compile(
    r"^(accept-encoding|accept-language|connection|sec-fetch-mode|user-agent): .*\n", re.IGNORECASE | re.MULTILINE
)

_INTRODUCTION = """# Clients and verifiers that work

Eleven OAuth clients and five verifiers that others wrote, each in the few lines that its own manual shows, against a
real `keyfob-server serve` over HTTPS with its certificate verified. `make interop` plays them all, and compares this
page with what it sees, but for versions and for the HTTP library's own headers; `make interop RECORD=1` writes it anew.

No library names a `resource` by itself: without one, the client's default holds, the first `--resource` of
`keyfob-server client create`. Without a `scope` it is the client's `--default-scope`, and a clean `invalid_scope` where
there is none. Each of them tells a wrong secret as `invalid_client`, and none speaks to a server whose certificate it
cannot verify.
"""
_AFTERWARDS = f"""
{", ".join(client.name for client in AFTERWARDS)} also ask introspection about their token, revoke it, and see it dead.
"""
_VERIFIERS = """
## Verifiers

Each lets a good token pass, and refuses one for another resource, one with a character changed, one by another key of
the same `kid`, and one that has expired.
"""
_KEYED = f"""
## Clients with a key

`private_key_jwt` is a client made with `--auth-method private_key_jwt --jwks FILE`, here with ES256; `DPoP` one with a
secret and `--dpop`; `SMART` one with `--profile smart` and RS384; `FAPI 2.0` one with `--profile fapi2 --dpop` and
PS256. Each also calls an API behind `keyfob.guard.protect`, over HTTPS, with its token.

{" and ".join(KEYED_VERIFIERS)} verify each token, and that it is bound to the key of the proof. An assertion or a proof
that is sent again is refused, an assertion by another key is told as `invalid_client`, and the API refuses a bound
token with a proof by another key, and as a bearer token.

"""
_BYTES = """
## Bytes sent

The token request as it left the client, taken where its TLS ends. Credentials are shown by name, with how their
characters were encoded; what Basic carries is shown decoded, and so is what was signed: the names, and what a server
compares. With DPoP also the request to the API.
"""


def write(
    versions: Mapping[str, str], fetched: Mapping[str, tuple[str, ...]], requests: Mapping[tuple[str, str], str]
) -> str:
    """`versions` by a program's name, `fetched` by a verifier's; `requests`, redacted, by a client's and a way's."""
    parts = [_INTRODUCTION, "\n## Clients\n\n"]
    parts += _table(
        ("client", "version", "for", "asked with", "its tokens verified by", "note"),
        (
            (
                client.name,
                versions[client.name],
                client.platform,
                ", ".join(way.name for way in client.ways),
                client.verified_by,
                client.note,
            )
            for client in CLIENTS
        ),
    )
    parts += [_AFTERWARDS, _KEYED]
    parts += _table(
        ("client", "version", "for", "asked with", "note"),
        (
            (
                client.name,
                versions[client.name],
                client.platform,
                ", ".join(way.name for way in client.keyed_ways),
                client.note,
            )
            for client in KEYED
        ),
    )
    parts += [_VERIFIERS, "\n"]
    parts += _table(
        ("verifier", "version", "for", "fetches", "note"),
        (
            (
                verifier.name,
                versions[verifier.name],
                verifier.platform,
                ", ".join(f"`{path}`" for path in fetched[verifier.name]) or "nothing",
                verifier.note,
            )
            for verifier in VERIFIERS
        ),
    )
    parts.append(_BYTES)
    parts += [_block(client, way, request) for (client, way), request in requests.items()]
    return "".join(parts)


def comparable(page: str) -> str:
    """`page` as it is on every machine: without versions, and without what another version may say otherwise."""
    return _VERSION.sub("N", _HTTP_LIBRARY.sub("", page))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *rows)]


def _block(client: str, way: str, request: str) -> str:
    return f"\n### {client}, {way}\n\n```\n{request.rstrip()}\n```\n"

"""A client as another server's export tells it, and how it is said in our declared state."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet
from keyfob.oauth import strict_json
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse

_SECRET = re.compile(r"secret|password|private|registration_?access_?token", re.IGNORECASE)
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""RFC 7518 §6: what only a private or a shared key has."""
_MAX_LIFETIME = 900


@dataclass(frozen=True, slots=True)
class Found:
    """`refused`: why the whole client is not taken over. `left_out`: what of it is not, and why."""

    name: str
    scope: tuple[str, ...] = ()
    default_scope: tuple[str, ...] = ()
    method: Method = Method.CLIENT_SECRET_BASIC
    jwks: str | None = None
    jwks_uri: str | None = None
    token_lifetime: int | None = None
    is_enabled: bool = True
    dpop: bool = False
    left_out: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """`clients`: for the declared state; `keys`: its files. `notes` and `leaked`: (client, what)."""

    clients: tuple[dict[str, Any], ...]
    keys: Mapping[str, bytes]
    notes: tuple[tuple[str, str], ...]
    leaked: tuple[tuple[str, str], ...]


def parse(content: bytes, *, where: str) -> object:
    """The JSON of an export. Raises Misuse; nothing of it is repeated, since it may hold secrets."""
    try:
        return strict_json.parse(content.decode())
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Misuse("bad-export", f"{where} is not strict JSON in UTF-8", hint="export it once more") from None


def objects(value: object, *, where: str) -> list[Mapping[str, Any]]:
    """Raises Misuse unless `value` is a list of objects."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Misuse("bad-export", f"{where} holds no list of clients", hint="see keyfob-server import --help")
    return value


def leaks(tree: object, path: str = "") -> Iterator[str]:
    """Where in `tree` a secret stands in clear, by the names of its members; never what it is."""
    if isinstance(tree, list):
        for number, one in enumerate(tree):
            yield from leaks(one, f"{path}[{number}]")
    if not isinstance(tree, dict):
        return
    is_key = "kty" in tree
    for name, value in tree.items():
        here = f"{path}.{name}" if path else str(name)
        is_secret = name in _PRIVATE_MEMBERS if is_key else _SECRET.search(str(name)) is not None
        if is_secret and isinstance(value, str) and value.strip("*") and not value.isdigit():
            yield here
        elif isinstance(value, str) and value.lstrip().startswith("{"):
            # Keycloak keeps a JWK set as text inside its JSON.
            try:
                yield from leaks(strict_json.parse(value), here)
            except ValueError:
                continue
        else:
            yield from leaks(value, here)


def text(tree: Mapping[str, Any], name: str) -> str:
    value = tree.get(name)
    return value if isinstance(value, str) else ""


def texts(tree: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = tree.get(name)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def public_keys(tree: object) -> tuple[str | None, str | None]:
    """(A JWK set as it is stored, None), or (None, why not)."""
    if any(True for _ in leaks(tree)):
        return None, "its JWK set holds private keys: it must make new ones"
    written = json.dumps(tree)
    try:
        ClientKeys.parse(written.encode())
    except MalformedKeySet as malformed:
        return None, f"its JWK set cannot be used: {malformed}"
    return written, None


def take(found: Sequence[Found], resources: Mapping[str, Scope]) -> Taken:
    """What of `found` can be had at `resources`, in the order given, each with its scopes."""
    clients: list[dict[str, Any]] = []
    keys: dict[str, bytes] = {}
    notes: list[tuple[str, str]] = []
    names: set[str] = set()
    for one in found:
        notes += [(one.name, why) for why in one.left_out]
        if one.refused is None and one.name in names:
            one_refused: str | None = "another client has that name: give them different ones, and import again"
        else:
            one_refused = one.refused
        offered = frozenset(scope for scopes in resources.values() for scope in scopes)
        held = sorted(set(one.scope) & offered)
        unknown = sorted(set(one.scope) - offered)
        if unknown and one_refused is None:
            notes.append((one.name, f"scopes that no resource given has: {', '.join(unknown)}"))
        if not held and one_refused is None:
            one_refused = "it has no scope of the resources given"
        if one_refused is not None:
            notes.append((one.name, f"not taken over: {one_refused}"))
            continue
        names.add(one.name)
        tree = _declared(one, held, [url for url, scopes in resources.items() if scopes & set(held)])
        if one.jwks is not None:
            tree["jwks"] = f"keys/{len(keys) + 1}.json"
            keys[tree["jwks"]] = one.jwks.encode()
        clients.append(tree)
    leaked = tuple((one.name, where) for one in found for where in one.leaked)
    return Taken(tuple(clients), keys, tuple(notes), leaked)


def _declared(one: Found, held: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": one.name, "scope": list(held), "resources": list(resources)}
    usual = [scope for scope in held if scope in one.default_scope]
    if usual:
        tree["default_scope"] = usual
    if one.token_lifetime is not None:
        tree["token_lifetime"] = max(1, min(one.token_lifetime, _MAX_LIFETIME))
    if one.method is not Method.CLIENT_SECRET_BASIC:
        tree["auth_method"] = one.method.value
    if one.jwks_uri is not None:
        tree["jwks_uri"] = one.jwks_uri
    if one.dpop:
        tree["dpop"] = True
    if not one.is_enabled:
        tree["state"] = "suspended"
    return tree

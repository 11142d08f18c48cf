"""A client's keys with some more, or without some, for a partner's machine that does not know the others.

Each machine may have a key of its own: none of them can name all, as a whole new set would have to. What is made here
is announced like any other set, and lapses where the keys were changed meanwhile.
"""

import json
from collections.abc import Collection

from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet
from keyfob.server.lifecycle.announcements import NotAnnounced
from keyfob.server.storage.records import Client


def with_keys(client: Client, more: str) -> str:
    """The JWK sets of `client` and of `more` as one; a key that is there already stays. Raises NotAnnounced."""
    present = _members(_own(client))
    return _write([*present.values(), *(jwk for name, jwk in _members(more).items() if name not in present)])


def without_keys(client: Client, thumbprints: Collection[str]) -> str:
    """The JWK set of `client` without these (RFC 7638). Raises NotAnnounced: none is there, or none would be left."""
    present = _members(_own(client))
    if present.keys().isdisjoint(thumbprints):
        raise NotAnnounced("unknown_key", "this client has no such key")
    left = [jwk for name, jwk in present.items() if name not in thumbprints]
    if not left:
        raise NotAnnounced("last_key", "no key would be left: add another first")
    return _write(left)


def _own(client: Client) -> str:
    if client.jwks is None:
        where = "publishes its keys itself" if client.jwks_uri is not None else "has no keys"
        raise NotAnnounced("no_keys", f"this client {where}")
    return client.jwks


def _members(jwks: str) -> dict[str, object]:
    """Each by its thumbprint; what could verify nothing is left out."""
    found: dict[str, object] = {}
    for member in json.loads(jwks)["keys"]:
        try:
            (key,) = ClientKeys.parse(_write([member]).encode()).keys
        except MalformedKeySet:
            continue
        found[key.thumbprint] = member
    return found


def _write(members: list[object]) -> str:
    return json.dumps({"keys": members})

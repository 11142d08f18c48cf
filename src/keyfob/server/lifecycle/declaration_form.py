"""A declared state as a file: out of what there is, and as TOML that is read line by line in a review."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from keyfob.oauth import authorization_details
from keyfob.oauth.client_authentication import Method
from keyfob.server.lifecycle import alterations, clients
from keyfob.server.lifecycle.declaration import CLIENT, PARTNER, VERSION, Member
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client, Partner, Profile, State
from keyfob.settings import write_value

_SHORT = 100
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def export(reading: Reading) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What there is as a declared state, and the files that it names. What is revoked, or registered itself, is not."""
    files: dict[str, bytes] = {}
    partners = []
    for partner in reading.partners():
        if partner.state is State.REVOKED:
            continue
        certificate = _place("certificates", partner.name, partner.id, ".asc", files)
        files[certificate] = partner.certificate
        tree: dict[str, Any] = {
            "name": partner.name,
            "email": partner.email,
            "certificate": certificate,
            "fingerprint": partner.fingerprint,
            "state": partner.state.value,
        }
        programs = [
            _client(one, partner, files)
            for one in reading.clients(partner_id=partner.id)
            if one.state is not State.REVOKED and reading.find_registration(one.id) is None
        ]
        partners.append(tree | {"client": programs})
    return {"version": VERSION, "partner": partners}, files


def _client(client: Client, partner: Partner, files: dict[str, bytes]) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "name": client.name,
        "scope": sorted(clients.full_scope(client)),
        "resources": [grant.resource for grant in client.grants],
        "default_scope": sorted(alterations.default_scope(client) or ()),
        "authorization_details": authorization_details.write_claim(client.authorization_details),
        "networks": list(client.networks),
        "token_lifetime": client.token_lifetime,
        "auth_method": client.auth_method.value,
        "profile": client.profile.value,
        "dpop": client.dpop_bound,
        "certificate_bound": client.certificate_bound,
        "state": client.state.value,
    }
    if client.jwks is not None:
        tree["jwks"] = _place("keys", f"{partner.name} {client.name}", client.id, ".json", files)
        files[tree["jwks"]] = client.jwks.encode()
    if client.jwks_uri is not None:
        tree["jwks_uri"] = client.jwks_uri
    if client.tls_subject is not None:
        tree[client.tls_subject.field.value] = client.tls_subject.value
    return {name: value for name, value in tree.items() if value != _USUAL.get(name)}


_USUAL: Mapping[str, object] = {
    "default_scope": [],
    "authorization_details": [],
    "networks": [],
    "token_lifetime": 300,
    "auth_method": Method.CLIENT_SECRET_BASIC.value,
    "profile": Profile.DEFAULT.value,
    "dpop": False,
    "certificate_bound": False,
    "state": State.ACTIVE.value,
}
"""What is left out, since it is so anyway."""


def _place(folder: str, name: str, fallback: str, suffix: str, taken: Collection[str]) -> str:
    """A file's name that a person knows again, whatever stands in `name`."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    found = f"{folder}/{plain}{suffix}"
    return f"{folder}/{plain}-{fallback}{suffix}".replace("/-", "/") if not plain or found in taken else found


def write(tree: Mapping[str, Any], *, heading: str = "") -> bytes:
    """`tree` as TOML, its members in the order of the reference."""
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    lines += ["", f"version = {tree['version']}"] if lines else [f"version = {tree['version']}"]
    for partner in tree["partner"]:
        lines += ["", "[[partner]]", *_members(partner, PARTNER)]
        for client in partner.get("client", []):
            lines += ["", "[[partner.client]]", *_members(client, CLIENT)]
    return ("\n".join(lines) + "\n").encode()


def _members(tree: Mapping[str, Any], known: tuple[Member, ...]) -> list[str]:
    lines = []
    for member in known:
        if member.name in tree and member.name != "client":
            lines.append(f"{member.name} = {_value(tree[member.name])}")
    return lines


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        parts = [_value(one) for one in value]
        line = f"[{', '.join(parts)}]"
        is_long = len(line) > _SHORT or any(isinstance(one, dict) for one in value)
        return "[\n" + "".join(f"  {part},\n" for part in parts) + "]" if parts and is_long else line
    assert isinstance(value, str | int)
    return write_value(value)


def schema() -> dict[str, Any]:
    """The form as a JSON Schema, for editors and for those who make such files."""
    client = _object(CLIENT, {})
    partner = _object(PARTNER, {"client": {"type": "array", "items": client}})
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "Keyfob: declared state",
        "type": "object",
        "properties": {"version": {"const": VERSION}, "partner": {"type": "array", "items": partner}},
        "required": ["version"],
        "additionalProperties": False,
    }


def _object(known: tuple[Member, ...], nested: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {one.name: {**nested.get(one.name, one.schema), "description": one.meaning} for one in known},
        "required": [one.name for one in known if one.is_required],
        "additionalProperties": False,
    }

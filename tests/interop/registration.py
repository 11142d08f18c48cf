"""Clients and keys as an operator registers them: one client for each way of proving a key."""

import json
from dataclasses import dataclass

from joserfc import jwk

from interop.api import PATIENTS_SCOPE
from interop.matrix import KeyedWay
from keyfob.oauth import resource_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from server.wire.conftest import SCOPES, Operator


@dataclass(frozen=True, slots=True)
class Registered:
    """`secret`: the client secret, or the private key as a JWK in one line."""

    client_id: str
    secret: str


def new_key(algorithm: str) -> dict[str, object]:
    """A private JWK by a library that is not ours, with the members that one client or another wants."""
    curve = {"ES256": "P-256", "ES384": "P-384"}.get(algorithm)
    made = jwk.generate_key("EC", curve) if curve else jwk.generate_key("RSA", 3072)
    return {**made.as_dict(private=True), "kid": made.thumbprint(), "alg": algorithm, "key_ops": ["sign"]}


def register_resource(operator: Operator, url: str) -> None:
    described = ResourceMetadata(url, (operator.issuer,), SCOPES | {PATIENTS_SCOPE: "Read patients"}, (), {"keys": []})
    path = operator.home.parent / "api.json"
    path.write_bytes(resource_metadata.write(described))
    operator.run("resource", "add", path)


def register(operator: Operator, way: KeyedWay, *, resource: str) -> Registered:
    files = operator.home.parent
    name = way.name.replace(" ", "-")
    command = ("client", "create", "--partner", "Acme", "--name", name, "--scope", way.scope, "--resource", resource)
    options = ("--dpop",) if way.bound else ()
    if not way.algorithm:
        out = files / f"{name}.asc"
        operator.run(*command, *options, "--out", out)
        info = operator.open(out)
        assert info.client_secret is not None
        return Registered(info.client_id, info.client_secret.reveal())
    private = new_key(way.algorithm)
    public = jwk.import_key(private).as_dict(private=False) | {"key_ops": ["verify"]}
    file = files / f"{name}.jwks"
    file.write_text(json.dumps({"keys": [public]}))
    keyed = ("--auth-method", "private_key_jwt", "--jwks", file, "--profile", way.profile)
    made = operator.run(*command, *options, *keyed)
    return Registered(str(made["client_id"]), json.dumps(private))

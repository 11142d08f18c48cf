"""What a client with keys of its own needs to know, signed by the operator: it has no secret that could be sealed.

A small JSON document (RFC 7591 §3.2.1, without a secret), signed in clear (RFC 9580 §7): `gpg --decrypt` shows it and
says whether the operator's certificate signed it.
"""

import json

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.openpgp import sequoia
from keyfob.problem import Misuse
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import clients
from keyfob.server.storage.records import Client

PURPOSE = "keyfob-client-information"


def sign(installation: Installation, client_id: str, *, now: int) -> str:
    """As it is now, armored. Raises Misuse for a client that has a secret, or is not there."""
    with installation.store.reading() as reading:
        client = clients.get(reading, client_id).client
    if client.auth_method not in clients.METHODS_WITHOUT_SECRET:
        raise Misuse(
            "has-secret",
            f"{client.id} authenticates by a secret: its message is sealed",
            hint=f"keyfob-server client rotate {client.id}",
        )
    text = json.dumps(_document(installation, client, now), indent=1).encode("ascii")
    return sequoia.clearsign(text, private_key=installation.operator_key()).decode("ascii")


def _document(installation: Installation, client: Client, now: int) -> dict[str, object]:
    return {
        "purpose": PURPOSE,
        "issuer": installation.settings.issuer,
        "token_endpoint": installation.settings.token_endpoint,
        "client_id": client.id,
        "client_name": client.name,
        "client_id_issued_at": client.created_at,
        "token_endpoint_auth_method": client.auth_method.value,
        **({} if client.jwks is None else {"jwk_thumbprints": clients.thumbprints(client.jwks)}),
        **({} if client.jwks_uri is None else {"jwks_uri": client.jwks_uri}),
        **({} if client.tls_subject is None else {client.tls_subject.field.value: client.tls_subject.value}),
        "scope": scopes.write(clients.full_scope(client)),
        "resource": [grant.resource for grant in client.grants],
        "authorization_details": authorization_details.write_claim(client.authorization_details),
        "token_lifetime": client.token_lifetime,
        "issued_at": now,
    }

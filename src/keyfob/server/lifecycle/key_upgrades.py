"""A client that had a secret proves itself by a key from now on: a rotation whose successor is no secret.

The old secret goes on working until the overlap is over that the key's first use begins. A key that is not used within
the time of an unopened secret has ended, and nothing has changed for the secret.
"""

import hashlib
from dataclasses import replace

from keyfob.oauth.client_authentication import Method
from keyfob.problem import Misuse
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import clients, credentials, rotation
from keyfob.server.lifecycle.states import Event, after
from keyfob.server.notices.notice import NoticeKind
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Client


def check_keys(_client: Client, jwks: str | None) -> None:
    """Raises Misuse unless a client could sign with these keys in the place of its secret."""
    if jwks is None:
        raise Misuse("keys-missing", "a client that had a secret names its keys by value", hint="send jwks")


def carry_out(change: Change, client_id: str, jwks: str, *, named: str, overlap: int, now: int) -> None:
    """`named`: what the credential's id is made of, so that the same act makes the same one."""
    view = clients.get(change.reading, client_id)
    replaced = rotation.current(view.credentials, now)
    entropy = hashlib.sha256(named.encode()).digest()
    credential = replace(
        credentials.of_keys(view.client, now=now, entropy=lambda count: entropy[:count]),
        replaces=None if replaced is None else replaced.id,
        overlap=overlap,
        first_use_by=now + rotation.UNOPENED_LIFETIME,
    )
    for unopened in rotation.unopened_successors(view.credentials, now):
        change.set_credential_state(unopened.id, after(unopened.state, Event.REPLACED_UNOPENED))
        change.record(Kind.CREDENTIAL_REPLACED, client_id=client_id, credential_id=unopened.id, successor=credential.id)
    change.set_client_method(client_id, Method.PRIVATE_KEY_JWT)
    change.set_client_keys(client_id, jwks=jwks, jwks_uri=None)
    change.add_credential(credential)
    change.record(
        Kind.CLIENT_UPGRADED,
        client_id=client_id,
        credential_id=credential.id,
        replaces=credential.replaces,
        thumbprints=clients.thumbprints(jwks),
    )
    upgraded = replace(view.client, auth_method=Method.PRIVATE_KEY_JWT, jwks=jwks)
    clients.tell_keys(change, NoticeKind.CLIENT_KEYS_CHANGED, upgraded, now=now)

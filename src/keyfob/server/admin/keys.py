"""The operations on the keys that sign access tokens."""

import json
from dataclasses import dataclass

from keyfob.server import key_encryption
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Nothing, Operation, Text
from keyfob.server.lifecycle import key_rotation, signing_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """`place`: `aws-kms:ARN` of a key that is there, or `file`, in the home; None: in the home, as the newest is."""

    place: Text | None = None


def _list(desk: Desk, _asked: Nothing) -> Document:
    installation = desk.installation
    found = signing_keys.phases(installation.store.signing_keys(), desk.clock())
    return {
        "issuer": installation.settings.issuer,
        "kek": key_encryption.show(installation.kek.place),
        "keys": [
            {
                "kid": one.kid,
                "algorithm": one.algorithm,
                "state": phase.value,
                "in": key_encryption.show(installation.where_lies(one)),
                "not_before": one.not_before,
                "created_at": one.created_at,
                "public_jwk": json.loads(one.public_jwk),
            }
            for one, phase in found
        ],
    }


def _rotate(desk: Desk, asked: NewKey) -> Document:
    now = desk.clock()
    kid = key_rotation.rotate(desk.installation, asked.place, now=now, actor=desk.actor.in_audit, entropy=desk.entropy)
    return {"kid": kid, "signs_from": now + signing_keys.PUBLISHED_AHEAD}


def _replace_all(desk: Desk, asked: NewKey) -> Document:
    now = desk.clock()
    done = key_rotation.replace_all(
        desk.installation, asked.place, now=now, actor=desk.actor.in_audit, entropy=desk.entropy
    )
    return {"kid": done.kid, "signs_from": now, "revoked": list(done.revoked)}


_ALL = "/admin/v1/keys"
LIST = Operation("key.list", "key list", "GET", _ALL, "admin:read", Nothing, _list, "The signing keys")
ROTATE = Operation(
    "key.rotate", "key rotate", "POST", _ALL + "/rotate", "admin:keys", NewKey, _rotate, "Make the next signing key"
)
REPLACE_ALL = Operation(
    "key.replace_all", "key rotate", "POST", _ALL + "/replace", "admin:keys", NewKey, _replace_all,
    "After a theft: sign with a new key now, and refuse what older ones signed",
)  # fmt: skip
OPERATIONS = (LIST, ROTATE, REPLACE_ALL)

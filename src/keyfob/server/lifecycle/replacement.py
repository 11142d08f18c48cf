"""A sealed successor for a secret that had to be withdrawn, made and announced by the server itself.

Sealed to the partner's certificate as it is valid now, and handed over as a rotation by schedule is: to the partner's
own address, never to whoever reported the leak. Whether the key to it lay beside the leaked secret only the partner
knows, and is asked to say before it is opened.
"""

from keyfob.ambient import Entropy
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import credentials, handoff
from keyfob.server.lifecycle.handoff import Sealed
from keyfob.server.notices.notice import NoticeKind
from keyfob.server.notices.sealed import sealed
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import Partner
from keyfob.server.storage.store import SERVER


def offer(installation: Installation, client_id: str, leaked: str, *, now: int, entropy: Entropy) -> str:
    """The id of the new credential, in place of the withdrawn `leaked`. Raises Misuse or Problem: there is none."""
    path = handoff.sealed_folder(installation.home.path) / f"{client_id}.{leaked}.asc"

    def announce(change: Change, partner: Partner, made: Sealed) -> None:
        facts = {
            "partner": partner.name,
            "client_id": client_id,
            "client_name": made_for.name,
            "credential_id": leaked,
        }
        kind = NoticeKind.REPLACEMENT_SEALED
        change.notify(*sealed(kind, made, facts, partner_id=partner.id, copy=path, now=now))

    with installation.store.reading() as reading:
        view = reading.find_client(client_id)
    assert view is not None, "a credential without its client"
    made_for = view.client
    issued = credentials.rotate(
        installation,
        client_id,
        overlap=installation.settings.credentials.overlap,
        outlet=lambda _name: path,
        now=now,
        entropy=entropy,
        actor=SERVER,
        announce=announce,
    )
    return issued.credential.id

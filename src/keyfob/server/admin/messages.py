"""A sealed message in the document of an operation: its text, and what its file is called. Only ciphertext is in it."""

from keyfob.server.admin.desk import Desk, Document
from keyfob.server.lifecycle.credentials import Issued

TEXT, NAME = "message", "file_name"
"""The members of it."""


def members(desk: Desk, name: str, armored: bytes) -> Document:
    """A message, and by whose signature it is known."""
    return {
        NAME: name,
        TEXT: armored.decode("ascii"),
        "operator_fingerprint": desk.installation.operator_certificate.fingerprint,
    }


def issued(desk: Desk, made: Issued) -> Document:
    """A client with its newest credential; a message and a link only where there are some."""
    document: Document = {"client_id": made.client.id, "credential_id": made.credential.id}
    if made.armored is None:
        return document | {"operator_fingerprint": desk.installation.operator_certificate.fingerprint}
    document |= members(desk, made.name, made.armored) | {"use_by": made.credential.first_use_by}
    return document if made.link is None else document | {"link": made.link}

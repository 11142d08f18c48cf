"""A sealed message becomes a credential in the vault, or nothing changes.

What is checked, in this order; nothing is believed before 5, nothing is stored before 8:
    1 it is one armoured OpenPGP message of a sensible size
    2 it opens with a key of ours; issuer and client in it are UNVERIFIED and serve only to find the certificate
    3 the fingerprint: pinned by an earlier receipt, else confirmed by the person (flag or terminal)
    4 the certificate with that fingerprint: the flag's file, the pinned one, gpg's keyring, the issuer's over HTTPS
    5 the signature over the message by that certificate
    6 the recipient named inside is a key of ours: a message to another, sealed anew for us, is refused
    7 issuer and signer are those pinned for this client, and the signer the one pinned for this issuer
    8 it is newer than what is stored, or the same: an operator dates each message of a client later than the last one
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation, MalformedMessage
from keyfob.openpgp.certificate import Certificate, read_signer, show_fingerprint
from keyfob.partner import safe_url
from keyfob.partner.errors import MessageRefused, Unreachable
from keyfob.partner.steps import Request, Transport
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keeping import Keeper, Prepared
from keyfob.partner.vault.stores import Named
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse
from keyfob.secret import Secret

MAX_BYTES = 128 * 1024
_ARMOUR = b"-----BEGIN PGP MESSAGE-----"
_WELL_KNOWN = "/.well-known/keyfob/operator.asc"


class Opener(Protocol):
    """What opens a message on this machine: gpg, or a private key file."""

    def unseal(self, message: bytes, *, signer: Certificate) -> Secret:
        """The plaintext, its signature by `signer` verified."""
        ...

    def unseal_unverified(self, message: bytes) -> Secret:
        """The plaintext, whoever wrote it: good for nothing but finding the certificate that verifies it."""
        ...

    def holds(self, fingerprint: str) -> bool:
        """Whether the private key of this certificate is the one that opens messages here."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What is known of the operator before a message is opened, and where more can be found.

    `fingerprint` was given on the command line; `confirm` asks a person at a terminal, None where there is none.
    """

    certificate: bytes | None
    fingerprint: str | None
    confirm: Callable[[Certificate], bool] | None
    gpg_export: Callable[[str], bytes | None]
    transport: Transport


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was stored and where; whether the operator is a new one for this vault, and the message the current one.

    `aside` names what of the client could not be read, and were renamed. `not_acknowledged`: why the issuer was
    not told; None: it was.
    """

    entry: Entry
    place: str
    first: bool
    again: bool
    aside: tuple[str, ...]
    not_acknowledged: str | None = "it was not asked for"


@dataclass(frozen=True, slots=True)
class _Pin:
    fingerprint: str
    certificate: bytes


def receive(
    message: bytes, *, vault: Named, new_id: Callable[[], str], keeper: Callable[[str], Keeper], opener: Opener,
    operator: Operator, keeping: Keeping, now: int,
) -> Receipt:  # fmt: skip
    """Store the credential in `message`; `keeper` is made for an installation id.

    Raises MessageRefused, Unreachable or another Problem: nothing is stored.
    """
    check_message(message)
    unverified = _read(opener.unseal_unverified(message))
    known = Vault.find(vault)
    all_entries = () if known is None else known.all_entries()
    pin = _pinned(all_entries, unverified)
    certificate = _certificate(unverified.issuer, pin, operator, now=now)
    information = _read(opener.unseal(message, signer=certificate))
    _check_recipient(information, opener)
    _check_newer(() if known is None else known.entries(information.client_id), information)
    # Before there is a vault: a key file or passphrase that cannot be had leaves nothing behind.
    others = [entry for entry in all_entries if entry.client_id != information.client_id]
    prepared = keeper("").prepare(keeping, others=others)
    with (stored := Vault.create(vault, new_id=new_id)).locked():
        # Another `receive` may have stored something since: what is pinned is looked up again under the lock.
        pin = _pinned(stored.all_entries(), information)
        if pin is not None and pin.fingerprint != certificate.fingerprint:
            raise _changed_signer(certificate)
        older = stored.entries(information.client_id)
        _check_newer(older, information)
        again = any(entry.message_id == information.message_id for entry in older)
        here = keeper(stored.installation_id)
        entry = _entry(older, information, certificate, message, here, prepared)
        here.check_lasting(entry)
        place = stored.put(entry)
        aside = stored.set_aside_damaged(information.client_id)
        return Receipt(entry, place, first=pin is None, again=again, aside=aside)


def check_message(message: bytes) -> None:
    """Raises MessageRefused unless `message` can be an armoured OpenPGP message."""
    if len(message) > MAX_BYTES:
        raise MessageRefused("not-a-message", f"the file is larger than {MAX_BYTES} bytes", hint=_HINT_FILE)
    if b"PRIVATE KEY" in message[:4096]:
        raise MessageRefused(
            "private-key", "the file holds a private key, not a message", hint="name it with --private-key instead"
        )
    if b"-----BEGIN PGP PUBLIC KEY" in message:
        raise MessageRefused(
            "certificate", "the file holds a certificate, not a message", hint="name it with --operator-certificate"
        )
    if message.count(_ARMOUR) != 1 or not message.isascii():
        raise MessageRefused("not-a-message", "the file holds no armoured OpenPGP message", hint=_HINT_FILE)


def check_fingerprint(text: str) -> str:
    """A fingerprint as a person writes it, in its one form: hexadecimal capitals. Raises Misuse."""
    fingerprint = "".join(text.split()).replace(":", "").upper().removeprefix("0X")
    if len(fingerprint) not in (40, 64) or not set(fingerprint) <= set("0123456789ABCDEF"):
        raise Misuse(
            "not-a-fingerprint", "that is no OpenPGP fingerprint", hint="it has 40 hexadecimal digits, spaces allowed"
        )
    return fingerprint


def _read(plaintext: Secret) -> ClientInformation:
    try:
        information = client_information.read(plaintext)
    except MalformedMessage as broken:
        raise MessageRefused(
            "malformed-message", f"the message holds no client information: {broken}", hint="tell the operator"
        ) from broken
    # A key that somebody else has had is no key of one's own.
    if information.client_key is not None:
        raise MessageRefused("key-in-message", "the message holds a private key", hint="tell the operator")
    return information


def _pinned(entries: Sequence[Entry], information: ClientInformation) -> _Pin | None:
    """The signer pinned for this client or this issuer. Raises MessageRefused when the client's issuer changed."""
    for entry in entries:
        if entry.client_id == information.client_id and entry.issuer != information.issuer:
            raise MessageRefused(
                "changed-issuer",
                f"the client {entry.client_id} belongs to {entry.issuer}, the message names another issuer",
                hint="ask the operator by another way before you do anything; a move needs a new vault",
            )
    for entry in entries:
        if entry.issuer == information.issuer:
            return _Pin(entry.signer_fingerprint, entry.signer_certificate.encode())
    return None


def _certificate(issuer: str, pin: _Pin | None, operator: Operator, *, now: int) -> Certificate:
    """The operator's certificate, its fingerprint pinned or confirmed. `issuer` is UNVERIFIED."""
    given = None if operator.fingerprint is None else check_fingerprint(operator.fingerprint)
    if pin is not None and given is not None and given != pin.fingerprint:
        raise MessageRefused(
            "changed-signer",
            f"the fingerprint given is not the one pinned for {issuer}: {show_fingerprint(pin.fingerprint)}",
            hint="ask the operator by another way which one holds; a new operator's key needs a new vault",
        )
    wanted = pin.fingerprint if pin is not None else given
    if wanted is None and operator.confirm is None:
        raise _not_confirmed()  # before anything is asked for at an address that nobody has vouched for
    certificate = read_signer(_find_certificate(issuer, wanted, pin, operator), now=now)
    if wanted is not None and certificate.fingerprint != wanted:
        raise MessageRefused(
            "wrong-operator-certificate",
            f"the operator's certificate has the fingerprint {show_fingerprint(certificate.fingerprint)}, "
            f"not {show_fingerprint(wanted)}",
            hint="ask the operator by another way (telephone, contract) for the right fingerprint; nothing was stored",
        )
    if wanted is None and (operator.confirm is None or not operator.confirm(certificate)):
        raise _not_confirmed()
    return certificate


def _find_certificate(issuer: str, wanted: str | None, pin: _Pin | None, operator: Operator) -> bytes:
    if operator.certificate is not None:
        return operator.certificate
    if pin is not None:
        return pin.certificate
    if wanted is not None and (exported := operator.gpg_export(wanted)) is not None:
        return exported
    url = safe_url.check(issuer) + _WELL_KNOWN
    response = operator.transport.send(Request("GET", url))
    if response.status != 200:
        raise Unreachable(
            "no-operator-certificate",
            f"{url} is not there (HTTP {response.status})",
            hint="ask the operator for its certificate and name it: --operator-certificate FILE.asc",
        )
    return response.body


def _check_recipient(information: ClientInformation, opener: Opener) -> None:
    if not opener.holds(information.recipient_fingerprint):
        raise MessageRefused(
            "wrong-recipient",
            f"the message was written for {show_fingerprint(information.recipient_fingerprint)}, which is no key of "
            "yours: somebody sealed it anew",
            hint="tell the operator: the credential in it may be known to others",
        )


def _check_newer(stored: Sequence[Entry], information: ClientInformation) -> None:
    """Refuses what an earlier receipt has overtaken; the current message itself may be received again."""
    if not stored or stored[0].message_id == information.message_id:
        return
    replayed = any(entry.message_id == information.message_id for entry in stored)
    if replayed or information.issued_at <= stored[0].issued_at:
        raise MessageRefused(
            "older-message",
            f"the vault holds a newer credential of {information.client_id} than this message",
            hint="use the newest message; if this is the newest that you have, ask the operator",
        )


def _not_confirmed() -> MessageRefused:
    return MessageRefused(
        "fingerprint-not-confirmed",
        "the operator's fingerprint was not confirmed: nothing was stored",
        hint="ask the operator for it by another way than the message came, then give --operator-fingerprint",
    )


def _changed_signer(certificate: Certificate) -> MessageRefused:
    return MessageRefused(
        "changed-signer",
        f"the message is signed by {show_fingerprint(certificate.fingerprint)}, which is not the pinned signer",
        hint="ask the operator by another way before you do anything",
    )


def _entry(
    older: Sequence[Entry], information: ClientInformation, certificate: Certificate, message: bytes, keeper: Keeper,
    prepared: Prepared,
) -> Entry:  # fmt: skip
    received = max((entry.received for entry in older), default=0) + 1
    ciphertext, opened_with = keeper.keep(prepared, information, message)
    return Entry(
        client_id=information.client_id,
        credential_id=information.credential_id,
        issuer=information.issuer,
        token_endpoint=information.token_endpoint,
        scope=information.scope,
        resource=information.resource,
        issued_at=information.issued_at,
        expires_at=information.client_secret_expires_at,
        message_id=information.message_id,
        recipient_fingerprint=information.recipient_fingerprint,
        signer_fingerprint=certificate.fingerprint,
        signer_certificate=certificate.armored.decode("ascii"),
        received=received,
        keeping=prepared.keeping,
        opened_with=opened_with,
        ciphertext=ciphertext,
    )


_HINT_FILE = "name the .asc file that the operator sent"

"""From a secret to a message that one partner alone can open and anybody can tell is the operator's."""

from keyfob.openpgp import sequoia
from keyfob.openpgp.certificate import Certificate, show_fingerprint
from keyfob.problem import Problem
from keyfob.secret import Secret


def seal(plaintext: Secret, *, recipient: Certificate, operator_key: Secret) -> bytes:
    """An armored message (ASCII): signed by the operator inside, encrypted to `recipient` outside.

    The signature does not name the recipient (RFC 9580 §13.11): the plaintext must. `recipient` comes from
    certificate.check at this moment; a stored one may have expired since.
    """
    return _encrypt(plaintext, recipient, operator_key)


def encrypt(plaintext: Secret, *, recipient: Certificate) -> bytes:
    """An armored message that only `recipient` opens, and that says nothing of who wrote it."""
    return _encrypt(plaintext, recipient, None)


def _encrypt(plaintext: Secret, recipient: Certificate, signing_key: Secret | None) -> bytes:
    try:
        return sequoia.encrypt(plaintext, recipient=recipient.armored, signing_key=signing_key)
    except sequoia.Refused as refused:
        raise Problem(
            "not-sealed",
            f"nothing could be sealed to {show_fingerprint(recipient.fingerprint)}: {refused}",
            hint="check the certificate: gpg --show-keys FILE",
        ) from None

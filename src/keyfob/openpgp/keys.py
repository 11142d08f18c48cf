"""OpenPGP private keys that we make: the operator's, a new node's, and a partner's where no gpg is installed."""

from keyfob.openpgp import sequoia
from keyfob.openpgp.certificate import Certificate, read_signer
from keyfob.problem import Problem
from keyfob.secret import Secret


def generate_operator_key(name: str) -> tuple[Secret, Certificate]:
    """A private key (armored, no passphrase) that signs every sealed message, and its certificate. Does not expire.

    Ed25519 and Cv25519 in version 4, which gpg 2.2 reads. `name`: its one user id.
    """
    private_key, parsed = sequoia.generate(name)
    return private_key, read_signer(parsed.armored)


def generate_node_key(name: str, lifetime: int) -> tuple[Secret, Certificate]:
    """The same kind, for `lifetime` seconds: what a new node opens its one message with."""
    private_key, parsed = sequoia.generate(name, lifetime=lifetime)
    return private_key, read_signer(parsed.armored)


def generate_partner_key(user_id: str, lifetime: int) -> tuple[Secret, Certificate]:
    """A private key (armored, no passphrase) as partners use it, RSA 4096 with an encryption subkey.

    `lifetime` in seconds; making it takes some seconds. Its certificate says that it understands the encryption of
    RFC 9580 §5.13.2, which gpg does not: partners who open messages with gpg make their key with gpg.
    """
    private_key, parsed = sequoia.generate(user_id, lifetime=lifetime, rsa=True)
    return private_key, read_signer(parsed.armored)


def certificate_of(private_key: Secret) -> Certificate:
    """The certificate of a private key. Raises Problem when it is no private key."""
    try:
        parsed = sequoia.certificate_of(private_key)
    except sequoia.Refused as refused:
        raise Problem(
            "not-a-private-key",
            f"that is no OpenPGP private key: {refused}",
            hint="export it: gpg --armor --export-secret-keys FPR > FILE.asc && chmod 600 FILE.asc",
        ) from None
    return read_signer(parsed.armored)

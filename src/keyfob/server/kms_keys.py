"""Signing keys in AWS KMS: which fit which algorithm, how one is taken up, and how it is asked for signatures."""

import json

from keyfob import aws_kms
from keyfob.aws import FOR_A_COMMAND, FOR_A_REQUEST, Patience
from keyfob.aws_kms import KeyArn, Kms
from keyfob.jose import remote_keys
from keyfob.jose.remote_keys import RemoteKey
from keyfob.problem import Misuse
from keyfob.server.signing import THREADS

_NAMES = {
    "ES256": "ECDSA_SHA_256",
    "ES384": "ECDSA_SHA_384",
    "PS256": "RSASSA_PSS_SHA_256",
    "RS256": "RSASSA_PKCS1_V1_5_SHA_256",
    "RS384": "RSASSA_PKCS1_V1_5_SHA_384",
}
"""What KMS calls the algorithms (RFC 7518 §3.1) that it can be given a digest for."""

_PROBE = b"keyfob: can this key sign"  # without a dot: no part of it can be taken for a JWS


def take_up(name: KeyArn, algorithm: str) -> tuple[RemoteKey, KeyArn]:
    """The key `name`, by its own ARN, once it has signed with `algorithm`. Raises Misuse, Problem."""
    if algorithm not in _NAMES:
        raise Misuse(
            "kms-algorithm",
            f"a key in AWS KMS does not sign with {algorithm}",
            hint=f"set keys.algorithm to one of {', '.join(_NAMES)}",
        )
    said = Kms(name).public_key()
    pinned = aws_kms.parse(f"{aws_kms.PREFIX}{said.arn}")
    try:
        if _NAMES[algorithm] not in said.algorithms:
            raise ValueError("another kind")
        key = remote_keys.from_der(said.der, algorithm, _asking(pinned, algorithm, FOR_A_COMMAND))
    except ValueError:
        raise Misuse(
            "kms-algorithm",
            f"{pinned} cannot sign with {algorithm}, which keys.algorithm asks for: it does {_list(said.algorithms)}",
            hint="ES256 needs a key of spec ECC_NIST_P256, ES384 ECC_NIST_P384, the others RSA_3072 or RSA_4096",
        ) from None
    key.sign(_PROBE)
    return key, pinned


def find(name: str, public_jwk: str, algorithm: str) -> RemoteKey:
    """The key that was taken up as `name`. Nothing is asked of it yet. Raises ValueError when the row is damaged."""
    return remote_keys.from_jwk(json.loads(public_jwk), _asking(aws_kms.parse(name), algorithm, FOR_A_REQUEST))


def _asking(key: KeyArn, algorithm: str, patience: Patience) -> remote_keys.Ask:
    kms = Kms(key, patience=patience, connections=THREADS)
    return lambda digest: kms.sign(digest, _NAMES[algorithm])


def _list(algorithms: tuple[str, ...]) -> str:
    known = [ours for ours, theirs in _NAMES.items() if theirs in algorithms]
    return " or ".join(known) or "none of ours"

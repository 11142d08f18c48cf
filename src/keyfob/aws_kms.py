"""AWS KMS: the few calls that are made of it, each bounded in time, and what each failure is in words.

An encryption context is authenticated and stands in AWS's logs in clear: it holds ids, and nothing secret.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keyfob import aws
from keyfob.aws import AGAIN, CREDENTIALS, CREDENTIALS_HINT, FOR_A_COMMAND, THROTTLED, Patience, Service
from keyfob.problem import KeyProblem, Misuse
from keyfob.secret import Secret

SERVICE = Service("AWS KMS", "kms", "kms", "AWS_ENDPOINT_URL_KMS")
PREFIX = "aws-kms:"
MAX_PLAINTEXT_BYTES = 4096
"""What `Encrypt` takes with a symmetric key: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html."""

_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:kms:(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:"
    r"(?:key/[A-Za-z0-9-]{1,100}|(?P<alias>alias/[A-Za-z0-9/_-]{1,250}))"
)
_FORM = "aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID, or its alias: aws-kms:arn:aws:kms:REGION:ACCOUNT:alias/NAME"
_SYMMETRIC = "SYMMETRIC_DEFAULT"


class KmsProblem(KeyProblem):
    """A call to KMS that failed. The text names the key and AWS's error code, never what AWS or boto3 said."""


@dataclass(frozen=True, slots=True)
class KeyArn:
    """Which key: its ARN, or that of an alias, which another key may be given later."""

    arn: str
    region: str
    is_alias: bool

    def __str__(self) -> str:
        return f"{PREFIX}{self.arn}"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`der`: SubjectPublicKeyInfo. `algorithms`: what KMS signs with it, in its own names."""

    arn: str
    der: bytes
    algorithms: tuple[str, ...]


def parse(name: str) -> KeyArn:
    """`aws-kms:ARN`. Raises Misuse; the region is the ARN's, so that nothing in the environment can mean another."""
    found = _ARN.fullmatch(name.removeprefix(PREFIX))
    if found is None or not name.startswith(PREFIX):
        raise Misuse("bad-kms-key", "the key in AWS KMS is not named as it must be", hint=_FORM)
    return KeyArn(found[0], found["region"], found["alias"] is not None)


class Kms:
    """One key in KMS. Blocking, and safe to use from threads; nothing is asked, nor boto3 imported, before it is used.

    `connections`: how many calls there may be at once. Every method raises KmsProblem, and Misuse where an endpoint or
    an installation is not fit.
    """

    def __init__(self, key: KeyArn, *, patience: Patience = FOR_A_COMMAND, connections: int = 1) -> None:
        self.key = key
        self._patience = patience
        self._connections = connections
        self._made: Any = None
        self._making = threading.Lock()

    def pinned(self) -> "Kms":
        """The key that an alias names now, by its own ARN, for encryption. Raises Misuse when it is no such key."""
        said = self._call("DescribeKey", lambda client: client.describe_key(KeyId=self.key.arn))["KeyMetadata"]
        if said.get("KeyUsage") != "ENCRYPT_DECRYPT" or said.get("KeySpec", _SYMMETRIC) != _SYMMETRIC:
            raise Misuse("kms-key-use", f"{self.key} is no key for encryption", hint="name a symmetric key")
        return Kms(parse(f"{PREFIX}{said['Arn']}"), patience=self._patience, connections=self._connections)

    def encrypt(self, plaintext: Secret, context: Mapping[str, str]) -> bytes:
        """Raises ValueError above MAX_PLAINTEXT_BYTES: a data key goes here, never what it protects."""
        content = plaintext.reveal_bytes()
        if not 0 < len(content) <= MAX_PLAINTEXT_BYTES:
            raise ValueError(f"KMS encrypts {MAX_PLAINTEXT_BYTES} bytes at most")
        asked = {"KeyId": self.key.arn, "Plaintext": content, "EncryptionContext": dict(context)}
        return bytes(self._call("Encrypt", lambda client: client.encrypt(**asked))["CiphertextBlob"])

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> Secret:
        """By this very key: an older version of its material, too. Raises KmsProblem `kms-ciphertext` for another's."""
        asked = {"KeyId": self.key.arn, "CiphertextBlob": ciphertext, "EncryptionContext": dict(context)}
        return Secret(self._call("Decrypt", lambda client: client.decrypt(**asked))["Plaintext"])

    def public_key(self) -> PublicKey:
        """Of a key that signs. Raises KmsProblem."""
        said = self._call("GetPublicKey", lambda client: client.get_public_key(KeyId=self.key.arn))
        if said.get("KeyUsage") != "SIGN_VERIFY":
            raise Misuse("kms-key-use", f"{self.key} is no key that signs", hint="name one of usage SIGN_VERIFY")
        return PublicKey(str(said["KeyId"]), bytes(said["PublicKey"]), tuple(said.get("SigningAlgorithms", ())))

    def sign(self, digest: bytes, algorithm: str) -> bytes:
        """`algorithm` in KMS's name. For ECDSA the signature is DER."""
        asked = {"KeyId": self.key.arn, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": algorithm}
        return bytes(self._call("Sign", lambda client: client.sign(**asked))["Signature"])

    def _call(self, operation: str, ask: Callable[[Any], Any]) -> Any:
        client = self._client()
        import botocore.exceptions

        try:
            with aws.untold():
                return ask(client)
        except botocore.exceptions.ClientError as refused:
            raise _refused(self.key, operation, refused.response) from None
        except botocore.exceptions.BotoCoreError as failed:
            raise _failed(self.key, type(failed).__name__) from None

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = _make_client(self.key, self._patience, self._connections)
            return self._made


def _make_client(key: KeyArn, patience: Patience, connections: int) -> Any:
    try:
        return aws.make_client(SERVICE, key.region, patience, connections)
    except aws.UnreadableSettings as failed:
        raise _failed(key, failed.kind) from None


_OUTAGE = frozenset(
    {"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ServiceUnavailable"}
)


def _refused(key: KeyArn, operation: str, response: Mapping[str, Any]) -> KmsProblem:
    """What KMS answered, by its code; of its message only whether the key is to be deleted."""
    code, status = aws.read_refusal(response)
    if code in THROTTLED:
        return KmsProblem(
            "kms-throttled", f"AWS KMS throttles its callers of {key} ({code})", hint="raise the quota of KMS requests"
        )
    if code in CREDENTIALS:
        return _no_credentials(key, code)
    if code in _OUTAGE or status >= 500:
        return KmsProblem("kms-unavailable", f"AWS KMS cannot answer for {key} ({code})", hint=AGAIN)
    if code == "KMSInvalidStateException" and "delet" in str(response.get("Error", {}).get("Message", "")):
        code = "PendingDeletion"
    name, what, hint = _REFUSALS.get(code, ("kms-failed", "was refused by AWS KMS", "ask the owner of the key"))
    return KmsProblem(name, f"{key} {what} ({operation}: {code})", hint=hint)


_REFUSALS = {
    "DisabledException": ("kms-key-disabled", "is disabled", "aws kms enable-key"),
    "PendingDeletion": ("kms-key-deleted", "is about to be deleted", "aws kms cancel-key-deletion, then enable-key"),
    "KMSInvalidStateException": ("kms-key-state", "is in no state for use", "aws kms describe-key says which"),
    "AccessDeniedException": (
        "kms-denied",
        "may not be used so",
        "its key policy or the IAM policy must allow this call, with the encryption context of this installation",
    ),
    "NotFoundException": ("kms-key-missing", "is not there", "mend region, account and id in the ARN"),
    "InvalidArnException": ("kms-key-missing", "is not there", "mend region, account and id in the ARN"),
    "InvalidKeyUsageException": ("kms-key-use", "is a key for another use", "name a key of the fitting usage"),
    "IncorrectKeyException": ("kms-ciphertext", "did not make this", "name the key that it was made with"),
    "InvalidCiphertextException": ("kms-ciphertext", "does not open this", "restore it from a backup"),
}


def _failed(key: KeyArn, kind: str) -> KmsProblem:
    """What never came to an answer."""
    if kind in CREDENTIALS:
        return _no_credentials(key, kind)
    return KmsProblem("kms-unreachable", f"AWS KMS cannot be reached for {key} ({kind})", hint=AGAIN)


def _no_credentials(key: KeyArn, kind: str) -> KmsProblem:
    said = f"there are no good AWS credentials for {key} ({kind})"
    return KmsProblem("kms-credentials", said, hint=CREDENTIALS_HINT)

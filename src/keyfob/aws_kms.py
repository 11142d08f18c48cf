"""AWS KMS: the few calls that are made of it, each bounded in time, and what each failure is in words.

The only file that knows boto3 (the extra `aws`), which is imported when a key is first named. Credentials come from
boto3's own chain and are never seen here. An encryption context is authenticated and stands in AWS's logs in clear:
it holds ids, and nothing secret.
"""

import contextlib
import contextvars
import ipaddress
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

PREFIX = "aws-kms:"
MAX_PLAINTEXT_BYTES = 4096
"""What `Encrypt` takes with a symmetric key: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html."""

_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:kms:(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:"
    r"(?:key/[A-Za-z0-9-]{1,100}|(?P<alias>alias/[A-Za-z0-9/_-]{1,250}))"
)
_FORM = "aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID, or its alias: aws-kms:arn:aws:kms:REGION:ACCOUNT:alias/NAME"
_SYMMETRIC = "SYMMETRIC_DEFAULT"


class KmsProblem(Problem):
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
class Patience:
    """Seconds for a connection and for an answer, and how many attempts there are in all."""

    connect: float
    answer: float
    attempts: int


FOR_A_COMMAND = Patience(connect=3, answer=5, attempts=3)
"""Half a minute at the very most, the pauses between attempts included."""
FOR_A_REQUEST = Patience(connect=1, answer=1.5, attempts=2)


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
            with _untold():
                return ask(client)
        except botocore.exceptions.ClientError as refused:
            raise _refused(self.key, operation, refused.response) from None
        except botocore.exceptions.BotoCoreError as failed:
            raise _failed(self.key, failed) from None

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = _make_client(self.key, self._patience, self._connections)
            return self._made


def _make_client(key: KeyArn, patience: Patience, connections: int) -> Any:
    boto3 = _boto3()
    import botocore.config
    import botocore.exceptions

    chosen = botocore.config.Config(
        region_name=key.region,
        connect_timeout=patience.connect,
        read_timeout=patience.answer,
        # "standard" asks again after throttling and a lost connection, after a pause that grows and is not foreseeable.
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        max_pool_connections=connections,
        user_agent_appid="keyfob",
    )
    _quieten()
    try:
        # A session of its own: the default one is shared by the whole program, and not made for threads.
        client = boto3.session.Session().client("kms", config=chosen)
    except (botocore.exceptions.BotoCoreError, ValueError) as failed:
        raise _failed(key, failed) from None
    check_endpoint(str(client.meta.endpoint_url))
    return client


def check_endpoint(url: str) -> None:
    """Raises Misuse for an endpoint without TLS that is not this very machine: data keys would go there in clear."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise Misuse(
        "kms-endpoint",
        "the endpoint of AWS KMS is not https",
        hint="mend AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_KMS or endpoint_url in AWS's configuration",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _boto3() -> ModuleType:
    try:
        import boto3
    except ModuleNotFoundError as missing:
        raise Misuse(
            "not-installed",
            "the packages for keys in AWS KMS are not installed",
            hint='in the checkout: python -m pip install ".[aws]"',
        ) from missing
    return boto3  # type: ignore[no-any-return]  # it ships no types


_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"),
        *("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "MetadataRetrievalError"),
        *("InvalidConfigError", "ConfigParseError", "NoAuthTokenError", "LoginTokenLoadError"),
        *("UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "InvalidClientTokenId"),
        *("MissingAuthenticationTokenException", "IncompleteSignature", "ExpiredToken", "SignatureDoesNotMatch"),
    }
)
_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded", "TooManyRequestsException"}
)
_OUTAGE = frozenset(
    {"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ServiceUnavailable"}
)
_AGAIN = (
    "try again; see https://health.aws.amazon.com, and the way from here to the endpoint of KMS in the key's region"
)


def _refused(key: KeyArn, operation: str, response: Mapping[str, Any]) -> KmsProblem:
    """What KMS answered, by its code; of its message only whether the key is to be deleted."""
    code = re.sub(r"[^A-Za-z.]", "", str(response.get("Error", {}).get("Code", "")))[:64] or "unknown"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code in _THROTTLED:
        return KmsProblem(
            "kms-throttled", f"AWS KMS throttles its callers of {key} ({code})", hint="raise the quota of KMS requests"
        )
    if code in _CREDENTIALS:
        return _no_credentials(key, code)
    if code in _OUTAGE or status >= 500:
        return KmsProblem("kms-unavailable", f"AWS KMS cannot answer for {key} ({code})", hint=_AGAIN)
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


def _failed(key: KeyArn, failed: Exception) -> KmsProblem:
    """What never came to an answer."""
    kind = type(failed).__name__
    if kind in _CREDENTIALS:
        return _no_credentials(key, kind)
    return KmsProblem("kms-unreachable", f"AWS KMS cannot be reached for {key} ({kind})", hint=_AGAIN)


def _no_credentials(key: KeyArn, kind: str) -> KmsProblem:
    hint = "give this process an AWS role (or AWS_PROFILE): boto3 looks for it where AWS's own tools do"
    return KmsProblem("kms-credentials", f"there are no good AWS credentials for {key} ({kind})", hint=hint)


_calling: contextvars.ContextVar[bool] = contextvars.ContextVar("calling", default=False)
_TELLING = ("botocore.endpoint", "botocore.parsers", "botocore.auth", "botocore.hooks", "botocore.regions")


@contextlib.contextmanager
def _untold() -> Iterator[None]:
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)


def _quieten() -> None:
    """At level DEBUG boto3 logs the bodies of what it sends and gets, plaintext data keys among them: not for us."""
    for name in _TELLING:
        logger = logging.getLogger(name)
        if _is_silent not in logger.filters:
            logger.addFilter(_is_silent)


def _is_silent(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG or not _calling.get()

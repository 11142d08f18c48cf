"""The vault as one secret in AWS Secrets Manager, which holds the document of keyfob.partner.vault.read_only.

One secret, because a role can then be let to that one alone, and because a list of secrets may be minutes old. Keyfob
neither makes nor deletes it. A change is a new version, and then one move of AWSCURRENT from the version that was read:
if another has moved it meanwhile AWS refuses, and nothing has changed. Needs the extra `aws`.
"""

import contextlib
import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keyfob import aws
from keyfob.aws import AGAIN, CREDENTIALS, CREDENTIALS_HINT, FOR_A_COMMAND, THROTTLED, Service
from keyfob.partner.errors import VaultChanged, VaultProblem
from keyfob.partner.vault import read_only
from keyfob.partner.vault.read_only import Documents
from keyfob.partner.vault.store import DAMAGED
from keyfob.problem import Misuse

PREFIX = "aws-secrets:"
MAX_BYTES = 65_536
"""What a secret holds: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html."""

_SERVICE = Service("AWS Secrets Manager", "secrets", "secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER")
_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:secretsmanager:(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:"
    r"secret:[A-Za-z0-9/_+=.@-]{1,512}"
)
_CURRENT = "AWSCURRENT"
_DRAFT = "KEYFOB_DRAFT"


@dataclass(frozen=True, slots=True)
class _Version:
    """What was read: `id` of the version, its documents."""

    id: str
    installation_id: str
    documents: Documents


class SecretsManagerStore:
    """`Store` over one secret, see keyfob.partner.vault.stores. There is no lock: who is second is refused."""

    usual_key_file = None

    def __init__(self, arn: str, client: Any, installation_id: str) -> None:
        self.where = PREFIX + arn
        self.installation_id = installation_id
        self._secret = _Secret(arn, client)
        self._held = threading.local()

    @classmethod
    def find(cls, named: str) -> "SecretsManagerStore | None":
        secret = _open(named)
        found = secret.read()
        return None if found is None else cls(secret.arn, secret.client, found.installation_id)

    @classmethod
    def create(cls, named: str, *, new_id: Callable[[], str]) -> "SecretsManagerStore":
        secret = _open(named)
        found = secret.read() or secret.begin(new_id())
        return cls(secret.arn, secret.client, found.installation_id)

    def clients(self) -> tuple[str, ...]:
        return tuple(sorted(client for client, found in self._now().documents.items() if _living(found)))

    def read(self, client_id: str) -> Mapping[str, bytes]:
        return _living(self._now().documents.get(client_id, {}))

    def write(self, client_id: str, credential_id: str, document: bytes) -> None:
        def change(found: dict[str, bytes]) -> None:
            found[credential_id] = document

        self._change(client_id, change)

    def remove(self, client_id: str, credential_id: str) -> None:
        def change(found: dict[str, bytes]) -> None:
            for one in (credential_id, credential_id + DAMAGED):
                found.pop(one, None)

        self._change(client_id, change)

    def remove_client(self, client_id: str) -> None:
        self._change(client_id, lambda found: found.clear())

    def set_aside(self, client_id: str, credential_id: str) -> str:
        def change(found: dict[str, bytes]) -> None:
            found[credential_id + DAMAGED] = found.pop(credential_id)

        self._change(client_id, change)
        return self.place(client_id, credential_id + DAMAGED)

    def place(self, client_id: str, credential_id: str) -> str:
        return f"{client_id}/{credential_id} in {self.where}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """All changes of the block are one version. Raises VaultChanged when somebody was faster."""
        read = self._now()
        self._held.version = read
        try:
            yield
            wanted: _Version = self._held.version
        finally:
            del self._held.version
        if wanted is not read:
            self._secret.replace(read, wanted)

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        """Two that rotate at once are given the same message, so they need not wait for each other."""
        yield

    def _now(self) -> _Version:
        held: _Version | None = getattr(self._held, "version", None)
        if held is not None:
            return held
        found = self._secret.read()
        if found is None or found.installation_id != self.installation_id:
            raise VaultProblem("vault-changed", f"{self.where} is another vault now", hint="open it anew")
        return found

    def _change(self, client_id: str, change: Callable[[dict[str, bytes]], None]) -> None:
        if getattr(self._held, "version", None) is None:
            with self.locked():
                self._change(client_id, change)
            return
        held: _Version = self._held.version
        found = dict(held.documents.get(client_id, {}))
        change(found)
        documents = {**held.documents, client_id: found}
        kept = {client: one for client, one in documents.items() if one}
        self._held.version = _Version(held.id, held.installation_id, kept)


class _Secret:
    """The calls that are made: GetSecretValue, PutSecretValue, UpdateSecretVersionStage."""

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self.client = client

    def read(self) -> _Version | None:
        """The current version; None while there is none."""
        try:
            said = self._call("GetSecretValue", SecretId=self.arn, VersionStage=_CURRENT)
        except VaultProblem as refused:
            if refused.code == "secrets-missing" and self._is_there():
                return None
            raise
        installation_id, documents = read_only.read(str(said.get("SecretString", "")).encode(), PREFIX + self.arn)
        return _Version(str(said["VersionId"]), installation_id, documents)

    def begin(self, installation_id: str) -> _Version:
        """The first version, of this or of whoever was faster: AWS makes the first one the current one."""
        self._put(_Version("", installation_id, {}))
        found = self.read()
        if found is None:
            raise VaultProblem("secrets-failed", f"{PREFIX}{self.arn} does not keep what it is given", hint=AGAIN)
        return found

    def replace(self, read: _Version, wanted: _Version) -> None:
        made = self._put(wanted)
        stage = {"VersionStage": _CURRENT, "RemoveFromVersionId": read.id, "MoveToVersionId": made}
        self._call("UpdateSecretVersionStage", SecretId=self.arn, **stage)

    def _put(self, version: _Version) -> str:
        text = read_only.write(version.installation_id, version.documents).decode()
        if len(text) > MAX_BYTES:
            hint = "forget what has ended: keyfob vault forget, or use another secret for some of the clients"
            raise VaultProblem("secrets-full", f"{PREFIX}{self.arn} holds {MAX_BYTES} bytes at most", hint=hint)
        # The same change of the same version has the same id: an attempt may be repeated after a lost answer.
        token = str(uuid.UUID(bytes=hashlib.sha256(f"{version.id}\n{text}".encode()).digest()[:16]))
        made = {"SecretString": text, "VersionStages": [_DRAFT], "ClientRequestToken": token}
        return str(self._call("PutSecretValue", SecretId=self.arn, **made)["VersionId"])

    def _is_there(self) -> bool:
        """Apart from whether it has a value; a role that may not ask this is told that it is missing."""
        try:
            self._call("DescribeSecret", SecretId=self.arn)
        except VaultProblem:
            return False
        return True

    def _call(self, operation: str, **asked: object) -> Any:
        import botocore.exceptions

        method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        try:
            with aws.untold():
                return getattr(self.client, method)(**asked)
        except botocore.exceptions.ClientError as refused:
            code, status = aws.read_refusal(refused.response)
            raise _refused(self.arn, operation, code, status) from None
        except botocore.exceptions.BotoCoreError as failed:
            raise _refused(self.arn, operation, type(failed).__name__, 0) from None


def _open(named: str) -> _Secret:
    arn = named.removeprefix(PREFIX)
    found = _ARN.fullmatch(arn)
    if found is None:
        hint = "aws-secrets:arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
        raise Misuse("bad-vault", "the secret in AWS is not named as it must be", hint=hint)
    try:
        client = aws.make_client(_SERVICE, found["region"], FOR_A_COMMAND, 1)
    except aws.UnreadableSettings as failed:
        raise _refused(arn, "", failed.kind, 0) from None
    return _Secret(arn, client)


def _living(found: Mapping[str, bytes]) -> dict[str, bytes]:
    return {one: document for one, document in found.items() if not one.endswith(DAMAGED)}


def _refused(arn: str, operation: str, code: str, status: int) -> VaultProblem:
    where = PREFIX + arn
    if code in CREDENTIALS:
        said = f"there are no good AWS credentials for {where} ({code})"
        return VaultProblem("secrets-credentials", said, hint=CREDENTIALS_HINT)
    if code in THROTTLED or status >= 500 or status == 0:
        return VaultProblem("secrets-away", f"AWS Secrets Manager cannot answer for {where} ({code})", hint=AGAIN)
    if operation == "UpdateSecretVersionStage" and code == "InvalidParameterException":
        return VaultChanged(where)
    name, what, hint = _REFUSALS.get(code, ("secrets-failed", "was refused by AWS", "ask the owner of the secret"))
    return VaultProblem(name, f"{where} {what} ({operation}: {code})", hint=hint)


_REFUSALS = {
    "AccessDeniedException": (
        "secrets-denied",
        "may not be used so",
        "the role needs secretsmanager:GetSecretValue, to write PutSecretValue and UpdateSecretVersionStage, of it",
    ),
    "ResourceNotFoundException": (
        "secrets-missing",
        "is not there, or has no value yet",
        "make it first: aws secretsmanager create-secret --name NAME; then mend region, account and name in the ARN",
    ),
    "InvalidRequestException": ("secrets-deleted", "is about to be deleted", "aws secretsmanager restore-secret"),
    "DecryptionFailure": ("secrets-denied", "cannot be decrypted", "the role needs kms:Decrypt of the secret's key"),
    "EncryptionFailure": ("secrets-denied", "cannot be encrypted", "the role needs kms:GenerateDataKey of its key"),
}

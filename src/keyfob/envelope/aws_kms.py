"""Key-encryption keys in AWS KMS: they never leave it, and it says who used them when.

Wrapped: the length of the key's ARN in two bytes, the ARN, and KMS's ciphertext of the data key. KMS authenticates the
encryption context along with it: the fields of the Context, which KMS logs in clear and a key policy may ask for.
"""

import struct
from dataclasses import dataclass, field

from keyfob import aws_kms
from keyfob.aws_kms import PREFIX, KeyArn, Kms, KmsProblem
from keyfob.envelope.format import DATA_KEY_BYTES, Context, EnvelopeError
from keyfob.problem import Misuse
from keyfob.secret import Secret

KIND = "aws-kms"
_MAX_WRAPPED_BYTES = 4096


@dataclass(frozen=True, slots=True)
class AwsKmsWrapper:
    """A symmetric key in KMS, by its own ARN: what an alias named when it was chosen, whatever it names later."""

    kms: Kms = field(repr=False)

    @property
    def kind(self) -> str:
        return KIND

    @property
    def key(self) -> KeyArn:
        return self.kms.key

    @classmethod
    def choose(cls, name: str) -> "AwsKmsWrapper":
        """The key `aws-kms:ARN`, or the one that this alias names now. Raises Misuse, KmsProblem."""
        return cls(Kms(aws_kms.parse(name)).pinned())

    @classmethod
    def of(cls, wrapped: bytes) -> "AwsKmsWrapper":
        """The key that `wrapped` names. Nothing is asked of it yet. Raises EnvelopeError."""
        arn, _ = _read(wrapped)
        return cls(Kms(arn))

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        arn = self.key.arn.encode()
        ciphertext = self.kms.encrypt(data_key, _encryption_context(context))
        return struct.pack(">H", len(arn)) + arn + ciphertext

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        """The data key. Raises EnvelopeError for another key's or place's, KmsProblem when KMS does not do it."""
        made_by, ciphertext = _read(wrapped)
        if made_by != self.key:
            raise EnvelopeError(
                f"the envelope does not open with {self.key}", code="envelope-other-key", hint=f"it needs {made_by}"
            )
        try:
            data_key = self.kms.decrypt(ciphertext, _encryption_context(context))
        except KmsProblem as refused:
            if refused.code != "kms-ciphertext":
                raise
            raise EnvelopeError("the envelope is damaged, or belongs to another place") from None
        if len(data_key.reveal_bytes()) != DATA_KEY_BYTES:
            raise EnvelopeError("the envelope is damaged in its wrapped key")
        return data_key


def _encryption_context(context: Context) -> dict[str, str]:
    return {
        "keyfob-installation": context.installation_id,
        "keyfob-purpose": context.purpose,
        "keyfob-record": context.record_id,
        "keyfob-key-version": str(context.key_version),
    }


def _read(wrapped: bytes) -> tuple[KeyArn, bytes]:
    """The key's ARN, and KMS's ciphertext."""
    if not 2 < len(wrapped) <= _MAX_WRAPPED_BYTES:
        raise EnvelopeError("the envelope is damaged in its wrapped key")
    end = 2 + int.from_bytes(wrapped[:2], "big")
    try:
        arn = aws_kms.parse(PREFIX + wrapped[2:end].decode("ascii"))
    except (ValueError, Misuse):
        raise EnvelopeError("the envelope is damaged in its wrapped key") from None
    if arn.is_alias or len(wrapped) <= end:
        raise EnvelopeError("the envelope is damaged in its wrapped key")
    return arn, wrapped[end:]

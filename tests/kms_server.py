"""moto's server as AWS KMS, run as a program: `python kms_server.py PORT`.

Where it differs from what AWS documents, it is brought back to it: `Sign` takes a digest as one, PSS has a salt of the
digest's length, a key that is disabled or about to be deleted does nothing, another key's ciphertext is told apart, and
a public key comes with the ARN.
"""

import json
import sys

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import server
from moto.core.exceptions import JsonRESTError
from moto.kms import models, responses, utils


def check(key: models.Key) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html"""
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def sign(self, message, signing_algorithm):
    """Only digests are asked for: https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html, MessageType."""
    if isinstance(self, utils.ECDSAPrivateKey):
        assert signing_algorithm in self.valid_signing_algorithms
        return self.private_key.sign(message, ec.ECDSA(Prehashed(digest_of(message, signing_algorithm))))
    digest = digest_of(message, signing_algorithm)
    how = padding.PKCS1v15()
    if "PSS" in signing_algorithm:
        how = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return self.private_key.sign(message, how, Prehashed(digest))


def digest_of(message, signing_algorithm):
    from cryptography.hazmat.primitives import hashes

    digest = {"256": hashes.SHA256(), "384": hashes.SHA384()}[signing_algorithm[-3:]]
    if len(message) != digest.digest_size:
        raise JsonRESTError("ValidationException", "Digest is invalid length for algorithm.")
    return digest


utils.ECDSAPrivateKey.sign = utils.RSAPrivateKey.sign = sign


def checked(method):
    def run(self, **arguments):
        if arguments.get("key_id"):
            check(self.keys[self.any_id_to_key_id(arguments["key_id"])])
        return method(self, **arguments)

    return run


for name in ("sign", "encrypt"):
    setattr(models.KmsBackend, name, checked(getattr(models.KmsBackend, name)))

decrypting = models.KmsBackend.decrypt


def decrypt(self, ciphertext_blob, encryption_context, key_id=None):
    plaintext, arn = decrypting(self, ciphertext_blob, encryption_context)
    check(self.keys[self.any_id_to_key_id(arn)])
    if key_id is not None and self.any_id_to_key_id(key_id) != self.any_id_to_key_id(arn):
        raise JsonRESTError("IncorrectKeyException", "The key ID does not identify the one used to encrypt.")
    return plaintext, arn


models.KmsBackend.decrypt = decrypt


def digests_only(self):
    assert self._get_param("MessageType") == "DIGEST"
    return signing(self)


def public_key_of(self):
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html: KeyId is the key's ARN."""
    said = json.loads(telling(self))
    return json.dumps(said | {"KeyId": self.kms_backend.describe_key(said["KeyId"]).arn})


telling = responses.KmsResponse.get_public_key
responses.KmsResponse.get_public_key = public_key_of
signing = responses.KmsResponse.sign
responses.KmsResponse.sign = digests_only

if __name__ == "__main__":
    server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])

"""RFC 9530: whether what came is what was sent, where the sender says what that is."""

import base64
import binascii
import hashlib
import hmac
import re

from keyfob.cdms.problems import ApiProblem
from keyfob.oauth.wire import Headers, values

_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}
_MEMBER = re.compile(r"\s*([a-z][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]{0,128}):\s*")


def check(headers: Headers, content: bytes) -> None:
    """Raises ApiProblem (400) when a Content-Digest is there and is not that of `content`, as it came on the wire."""
    # RFC 9530 §2: a dictionary of RFC 8941, each member the digest by one algorithm.
    for member in b",".join(values(headers, b"content-digest")).decode("latin-1").split(","):
        if not member.strip():
            continue
        found = _MEMBER.fullmatch(member)
        if found is None:
            raise ApiProblem(400, "bad-digest", "Content-Digest is sha-256=:BASE64: or sha-512=:BASE64:")
        # RFC 9530 §5: an algorithm that is not known, or known to be weak, proves nothing and is passed over.
        algorithm = _ALGORITHMS.get(found.group(1))
        if algorithm is None:
            continue
        try:
            said = base64.b64decode(found.group(2), validate=True)
        except binascii.Error:
            raise ApiProblem(400, "bad-digest", "Content-Digest is no base64") from None
        if not hmac.compare_digest(said, hashlib.new(algorithm, content).digest()):
            raise ApiProblem(400, "digest-mismatch", "the body is not the one that Content-Digest was made of")

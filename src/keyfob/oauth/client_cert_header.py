"""RFC 9440: the client's certificate as the proxy that ended TLS passes it on. Only a trusted proxy's word counts."""

import base64
import binascii
import re

from keyfob.oauth.mutual_tls import MAX_CERTIFICATE_BYTES, MAX_CHAIN, PresentedCertificate
from keyfob.oauth.wire import Headers, values

NAME, CHAIN_NAME = b"client-cert", b"client-cert-chain"
# RFC 8941 §3.3.5: a byte sequence is base64 between colons.
_BYTES = re.compile(rb":([A-Za-z0-9+/]+={0,2}):")
_MAX_ENCODED = 4 * (MAX_CERTIFICATE_BYTES // 3 + 1)


class MalformedClientCert(ValueError):
    """The headers cannot be read; why, without their text."""


def is_sent(headers: Headers) -> bool:
    return any(name in (NAME, CHAIN_NAME) for name, _ in headers)


def read(headers: Headers) -> PresentedCertificate | None:
    """The certificate that a proxy vouches for; None when the client presented none. Raises MalformedClientCert."""
    found, chain = values(headers, NAME), values(headers, CHAIN_NAME)
    # RFC 9440 §2.2: a certificate is one item: a second one would be somebody else's.
    if len(found) > 1:
        raise MalformedClientCert("more than one Client-Cert header")
    if not found:
        # RFC 9440 §2.3: no chain without the certificate that it belongs to.
        if chain:
            raise MalformedClientCert("a Client-Cert-Chain header without Client-Cert")
        return None
    # RFC 8941 §4.2: a list may be spread over several headers; nothing in it holds a comma.
    listed = [part for value in chain for part in value.split(b",")]
    if len(listed) > MAX_CHAIN:
        raise MalformedClientCert(f"more than {MAX_CHAIN} certificates in Client-Cert-Chain")
    return PresentedCertificate(_read_bytes(found[0]), tuple(_read_bytes(one) for one in listed))


def write(certificate: bytes) -> bytes:
    """RFC 9440 §2.1: the value of a Client-Cert header."""
    return b":" + base64.b64encode(certificate) + b":"


def _read_bytes(value: bytes) -> bytes:
    item = _BYTES.fullmatch(value.strip(b" \t")) if len(value) <= _MAX_ENCODED else None
    # RFC 8941 §4.2.7: what is no byte sequence, or has anything beside it, is not read.
    if item is None:
        raise MalformedClientCert("a certificate is no byte sequence (base64 between colons), or too long")
    try:
        decoded = base64.b64decode(item[1], validate=True)
    except binascii.Error:
        raise MalformedClientCert("a certificate is no base64") from None
    if base64.b64encode(decoded) != item[1]:
        raise MalformedClientCert("a certificate is no canonical base64")
    return decoded

"""A client's certificate in our own TLS: which ones a handshake lets through, and what the application is told.

The library can ask for a certificate that need not come, but one that comes must lead to an anchor: there is no way to
look at another and decide then. So every certificate that somebody registered is an anchor, beside the authorities. To
be let through is no right: it proves a key, and the application judges what for.
"""

import logging
import ssl
from collections.abc import Iterable
from typing import Any

from keyfob.oauth import asgi_tls
from keyfob.oauth.mutual_tls import MAX_CHAIN, PresentedCertificate

_log = logging.getLogger("keyfob.serving")

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for."""
_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class Anchors:
    """The certificates that a handshake may lead to. Each process adds to its own; one that was added stays."""

    def __init__(self, certificates: Iterable[bytes] = ()) -> None:
        self._context: ssl.SSLContext | None = None
        self._known: set[bytes] = set()
        self._waiting = list(certificates)

    def attach(self, context: ssl.SSLContext) -> None:
        """From now on `context` asks its clients for a certificate, which they need not have."""
        context.verify_mode = ssl.CERT_OPTIONAL
        # An expired certificate comes through, to be refused with a reason; one that is registered is an anchor by
        # itself, whoever issued it.
        flags = int(context.verify_flags) | ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        context.verify_flags = ssl.VerifyFlags(flags)
        # A ticket holds the client's own certificate, and not what leads from there to an authority.
        context.options |= ssl.OP_NO_TICKET
        self._context = context
        self.add(self._waiting)

    def add(self, certificates: Iterable[bytes]) -> None:
        """More of them (DER), in effect with the next handshake. What cannot be one is told in the log, and left."""
        if self._context is None:
            return
        for certificate in certificates:
            if certificate in self._known:
                continue
            self._known.add(certificate)
            try:
                self._context.load_verify_locations(cadata=certificate)
            except ssl.SSLError as refused:
                _log.warning("anchor_refused reason=%s", refused.reason)


def tls_extension(found: Any) -> dict[object, object] | None:
    """The TLS extension of ASGI for a connection's SSL object; None for a context that asks for no certificate."""
    if found is None or found.context.verify_mode == ssl.CERT_NONE:
        return None
    certificate = found.getpeercert(True)
    presented = None
    if certificate is not None:
        presented = PresentedCertificate(certificate, _chain(found)[: MAX_CHAIN + 1])
    return asgi_tls.write(presented, version=_VERSIONS.get(found.version()))


def _chain(found: Any) -> tuple[bytes, ...]:
    """What came after the client's own certificate."""
    if hasattr(found, "get_unverified_chain"):  # Python 3.13
        return tuple(found.get_unverified_chain())[1:]
    listed = found._sslobj.get_unverified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in listed)[1:]

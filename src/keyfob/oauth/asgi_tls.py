"""The TLS extension of ASGI: how a server tells its application of the client's certificate, and whose word counts."""

import binascii
import ssl
from collections.abc import Mapping, MutableMapping
from typing import Any

from keyfob.oauth import client_cert_header
from keyfob.oauth.client_cert_header import MalformedClientCert
from keyfob.oauth.mutual_tls import MAX_CHAIN, PresentedCertificate
from keyfob.oauth.trusted_proxies import NOBODY, TrustedProxies


def presented_certificate(
    scope: MutableMapping[str, Any], *, trusted_proxies: TrustedProxies = NOBODY
) -> PresentedCertificate | None:
    """The certificate of whoever sent this request, from the handshake, or from the proxy that had the handshake.

    A Client-Cert header of anybody but `trusted_proxies` says nothing: it is not even read. The certificate
    of the proxy's own connection is not the client's. Raises MalformedClientCert.
    """
    peer = scope.get("client")
    # RFC 9440 §4: the header counts only from whoever is known to take out what others put there.
    if peer is not None and peer[0] in trusted_proxies:
        return client_cert_header.read(scope["headers"])
    extension = (scope.get("extensions") or {}).get("tls")
    return None if extension is None else read(extension)


def read(extension: Mapping[str, Any]) -> PresentedCertificate | None:
    """The certificate in the extension; None when the client presented none. Raises MalformedClientCert."""
    listed = tuple(extension.get("client_cert_chain") or ())
    # A server that tells of a certificate which it did not like tells so: that one counts as none.
    if not listed or extension.get("client_cert_error") is not None:
        return None
    if len(listed) > MAX_CHAIN + 1:
        raise MalformedClientCert("the client's certificates are too many")
    try:
        first, *rest = (ssl.PEM_cert_to_DER_cert(pem) for pem in listed)
    except (ValueError, binascii.Error) as broken:
        raise MalformedClientCert("a certificate of the TLS extension is no PEM") from broken
    return PresentedCertificate(first, tuple(rest))


def write(presented: PresentedCertificate | None, *, version: int | None) -> dict[object, object]:
    """The extension for a scope."""
    ders = () if presented is None else (presented.certificate, *presented.chain)
    return {
        "server_cert": None,
        "client_cert_chain": tuple(ssl.DER_cert_to_PEM_cert(der) for der in ders),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": version,
        "cipher_suite": None,
    }

"""RFC 8705 §2: which certificate is a client's, by an authority's word (§2.1) or by its own registration (§2.2)."""

import logging
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from keyfob.client_certificates import (
    Authorities,
    ClientCertificate,
    Expired,
    NotVouchedFor,
    NotYetValid,
    UnusableCertificate,
    WrongPurpose,
    read_authorities,
)
from keyfob.jose.client_keys import ClientKeys
from keyfob.oauth import mutual_tls
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.problem import Misuse
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage.records import Client

_log = logging.getLogger("keyfob.server")

_CAUSES: Mapping[type[UnusableCertificate], Cause] = {
    NotYetValid: Cause.CERTIFICATE_NOT_YET_VALID,
    Expired: Cause.CERTIFICATE_EXPIRED,
    WrongPurpose: Cause.CERTIFICATE_PURPOSE,
    NotVouchedFor: Cause.CERTIFICATE_UNTRUSTED,
}


class ClientTrust:
    """The operator's authorities for clients' certificates, taken up anew when their file (PEM) changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.authorities = Authorities(())
        self.reload()

    def reload(self) -> None:
        """What cannot be read leaves everything as it was, but at the start: then it raises Misuse."""
        if self._path is None:
            return
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            if stamp != self._seen:
                self.authorities = Authorities(read_authorities(self._path))
                self._seen = stamp
        except (Misuse, OSError) as unusable:
            if self._seen is None:
                raise unusable if isinstance(unusable, Misuse) else _missing(self._path) from unusable
            _log.error("client_ca_refused file=%s reason=%s (the old ones are believed on)", self._path, unusable)

    def anchors(self) -> tuple[bytes, ...]:
        """Their certificates, in DER."""
        return tuple(one.public_bytes(Encoding.DER) for one in self.authorities.certificates)


def certificates_of(keys: ClientKeys | None) -> tuple[bytes, ...]:
    """The certificates (`x5c`, DER) among a client's keys."""
    return () if keys is None else tuple(key.certificate for key in keys.keys if key.certificate is not None)


def anchors_of(keys: ClientKeys | None) -> tuple[bytes, ...]:
    """Those of them that a handshake may lead to."""
    return tuple(one for one in certificates_of(keys) if _is_alone(one))


def _is_alone(certificate: bytes) -> bool:
    try:
        ClientCertificate.read(certificate).check_alone()
    except UnusableCertificate as refused:
        # It came by a jwks_uri: at the command line it would have been refused.
        _log.debug("certificate_is_no_anchor reason=%s", refused)
        return False
    return True


def registered(keys: ClientKeys | None) -> frozenset[str]:
    """The thumbprints of the certificates that a client registered."""
    return frozenset(map(mutual_tls.thumbprint, certificates_of(keys)))


def find_fault(presented: PresentedCertificate, *, now: int) -> Cause | None:
    """Why a certificate is good for nobody, whoever it is of; None when it is."""
    try:
        ClientCertificate.read(presented.certificate).check(now=now)
    except UnusableCertificate as unusable:
        return _CAUSES.get(type(unusable), Cause.CERTIFICATE_MALFORMED)
    return None


def find_refusal(
    client: Client | None,
    presented: PresentedCertificate,
    registered: frozenset[str],
    authorities: Authorities,
    *,
    now: int,
) -> Cause | None:
    """Why the certificate does not prove that `client` sent it; None when it does.

    An authority's word is asked for every client, also for one that does not exist: the time must be the same.
    """
    try:
        certificate = ClientCertificate.read(presented.certificate)
        certificate.check(now=now)
    except UnusableCertificate as unusable:
        return Cause.UNKNOWN_CLIENT if client is None else _CAUSES.get(type(unusable), Cause.CERTIFICATE_MALFORMED)
    try:
        authorities.check(certificate, presented.chain, now=now)
        is_vouched_for = True
    except NotVouchedFor:
        is_vouched_for = False
    if client is None:
        return Cause.UNKNOWN_CLIENT
    # RFC 8705 §2, RFC 7591 §2: a client authenticates in the one way that it is registered for.
    if client.auth_method not in METHODS_BY_CERTIFICATE:
        return Cause.NOT_BY_CERTIFICATE
    if client.auth_method is Method.SELF_SIGNED_TLS_CLIENT_AUTH:
        # RFC 8705 §2.2: the certificate is one of those that the client registered; who issued it does not matter.
        return None if presented.thumbprint in registered else Cause.CERTIFICATE_NOT_REGISTERED
    # RFC 8705 §2.1: an authority that the operator trusts has issued the certificate.
    if not is_vouched_for:
        return Cause.CERTIFICATE_UNTRUSTED
    # RFC 8705 §2.1: and it names the subject that is registered for the client.
    if client.tls_subject is None or not mutual_tls.names(certificate.names, client.tls_subject):
        return Cause.CERTIFICATE_OF_ANOTHER
    return None


def _missing(path: Path) -> Misuse:
    return Misuse("client-ca-missing", f"{path} (tls.client_ca) cannot be read", hint="name the authorities' PEM file")

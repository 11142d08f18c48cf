"""RFC 8705: clients that prove themselves, and tokens that are bound, by TLS certificates. Values, and no X.509."""

import hashlib
import hmac
import ipaddress
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from keyfob.oauth import distinguished_name
from keyfob.oauth.distinguished_name import DistinguishedName, MalformedName

# RFC 8705 §3.1: the member of `cnf` that names a certificate.
CONFIRMATION = "x5t#S256"
BOUND_TOKENS = "tls_client_certificate_bound_access_tokens"
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_CHAIN = 8
_MAX_TEXT = 1024
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")


class SubjectField(StrEnum):
    """RFC 8705 §2.1.2: the metadata of which a client of `tls_client_auth` has exactly one."""

    SUBJECT_DN = "tls_client_auth_subject_dn"
    SAN_DNS = "tls_client_auth_san_dns"
    SAN_URI = "tls_client_auth_san_uri"
    SAN_IP = "tls_client_auth_san_ip"
    SAN_EMAIL = "tls_client_auth_san_email"


class InvalidMetadata(ValueError):
    """The metadata of a client cannot be used; the text names the member and says why."""


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    """What the certificate of a client must name, in which of the fields; the value in its one way to be written."""

    field: SubjectField
    value: str


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """What a certificate names: its subject, and its alternative names by their kind (RFC 5280 §4.2.1.6)."""

    subject: DistinguishedName = ()
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """A client's certificate as the TLS handshake gave it: its key is proven, and nothing else. All in DER.

    `chain`: what came with it, and may lead to an authority.
    """

    certificate: bytes
    chain: tuple[bytes, ...] = ()

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.certificate)


def thumbprint(certificate: bytes) -> str:
    """RFC 8705 §3.1: the SHA-256 of a certificate's DER, in base64url."""
    return urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()


def confirms(confirmed: str, certificate: bytes) -> bool:
    """Whether `certificate` is the one that a token names."""
    return hmac.compare_digest(confirmed.encode(errors="replace"), thumbprint(certificate).encode())


def read_subject(metadata: Mapping[str, object]) -> CertificateSubject | None:
    """The one subject member among a client's metadata; None when there is none. Raises InvalidMetadata."""
    said = [field for field in SubjectField if metadata.get(field.value) is not None]
    # RFC 8705 §2.1.2: a client uses exactly one of them.
    if len(said) > 1:
        raise InvalidMetadata(f"{said[0].value} and {said[1].value} exclude each other")
    if not said:
        return None
    value = metadata[said[0].value]
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise InvalidMetadata(f"{said[0].value} must be a text of 1 to {_MAX_TEXT} characters")
    return CertificateSubject(said[0], _normal(said[0], value))


def read_bound_tokens(metadata: Mapping[str, object]) -> bool:
    """RFC 8705 §3.4: false by default. Raises InvalidMetadata."""
    value = metadata.get(BOUND_TOKENS, False)
    if not isinstance(value, bool):
        raise InvalidMetadata(f"{BOUND_TOKENS} must be true or false")
    return value


def names(certificate: CertificateNames, subject: CertificateSubject) -> bool:
    """Whether the certificate names the subject. RFC 8705 §2.1: one match is enough, and no wildcard is one."""
    if subject.field is SubjectField.SUBJECT_DN:
        return certificate.subject == distinguished_name.parse(subject.value)
    listed = {
        SubjectField.SAN_DNS: certificate.dns,
        SubjectField.SAN_URI: certificate.uris,
        SubjectField.SAN_IP: certificate.addresses,
        SubjectField.SAN_EMAIL: certificate.mailboxes,
    }
    return any(_normal_or_none(subject.field, one) == subject.value for one in listed[subject.field])


def _normal_or_none(field: SubjectField, value: str) -> str | None:
    try:
        return _normal(field, value)
    except InvalidMetadata:
        return None  # what could not be registered is nobody's


def _normal(field: SubjectField, value: str) -> str:
    try:
        return _NORMAL[field](value)
    except ValueError as wrong:
        raise InvalidMetadata(f"{field.value}: {wrong}") from None


def _dn(value: str) -> str:
    try:
        return distinguished_name.write(distinguished_name.parse(value))
    except MalformedName as malformed:
        raise ValueError(f"{malformed}, such as CN=edc.acme.example,O=Acme,C=DE (RFC 4514)") from None


def _dns(value: str) -> str:
    # RFC 4343: the case of a DNS name does not matter.
    name = value.lower()
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("is no DNS name (no wildcard, no dot at the end)")
    return name


def _uri(value: str) -> str:
    # RFC 3986 §6.2.1: URIs are compared as they are written.
    if not _URI.fullmatch(value) or not urlsplit(value).scheme:
        raise ValueError("is no absolute URI with a scheme in lower case")
    return value


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("is no IP address") from None


def _email(value: str) -> str:
    # RFC 5280 §7.5: the part before the @ is compared as it is, the host without regard to case.
    mailbox, at, host = value.rpartition("@")
    if not at or not _MAILBOX.fullmatch(mailbox):
        raise ValueError("is no mail address")
    return f"{mailbox}@{_dns(host)}"


_NORMAL = {
    SubjectField.SUBJECT_DN: _dn,
    SubjectField.SAN_DNS: _dns,
    SubjectField.SAN_URI: _uri,
    SubjectField.SAN_IP: _ip,
    SubjectField.SAN_EMAIL: _email,
}

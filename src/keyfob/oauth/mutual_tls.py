"""RFC 8705: a client that proves itself, and a token that is bound, by a TLS certificate; values, and no X.509."""

from dataclasses import dataclass
from enum import StrEnum


class SubjectField(StrEnum):
    """RFC 8705 §2.1.2: the metadata of which a client of `tls_client_auth` has exactly one."""

    SUBJECT_DN = "tls_client_auth_subject_dn"
    SAN_DNS = "tls_client_auth_san_dns"
    SAN_URI = "tls_client_auth_san_uri"
    SAN_IP = "tls_client_auth_san_ip"
    SAN_EMAIL = "tls_client_auth_san_email"


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    """What the certificate of a client must name, in which of the fields."""

    field: SubjectField
    value: str

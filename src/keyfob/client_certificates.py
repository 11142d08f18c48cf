"""RFC 5280: what a client's certificate says, whether it holds now, and whether an authority vouches for it.

The handshake has proven its key, and nothing else is believed here: which certificates a handshake lets through is a
matter of the library's, and of a proxy's configuration.
"""

import base64
import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, VerificationError

from keyfob.jose.algorithms import PublicKey
from keyfob.jose.keys import public_members, thumbprint, write_jwks
from keyfob.oauth.mutual_tls import MAX_CERTIFICATE_BYTES, CertificateNames
from keyfob.problem import Misuse

_MAX_BUNDLE_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 4
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")
_PURPOSES = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


class UnusableCertificate(ValueError):
    """The certificate is not good for a client; the text says why, and holds nothing of it."""


class NotYetValid(UnusableCertificate):
    """RFC 5280 §4.1.2.5."""


class Expired(UnusableCertificate):
    """RFC 5280 §4.1.2.5."""


class WrongPurpose(UnusableCertificate):
    """RFC 5280 §4.2.1.3, §4.2.1.12: its key may not be used for a TLS client."""


class NotVouchedFor(UnusableCertificate):
    """RFC 5280 §6: no way leads from it to a trusted authority."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that can be read, with what it names."""

    x509: x509.Certificate
    names: CertificateNames

    @classmethod
    def read(cls, der: bytes) -> "ClientCertificate":
        """Raises UnusableCertificate."""
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise UnusableCertificate(f"it is larger than {MAX_CERTIFICATE_BYTES} bytes")
        try:
            found = x509.load_der_x509_certificate(der)
            return cls(found, _names(found))
        except (ValueError, TypeError, x509.InvalidVersion) as broken:
            raise UnusableCertificate("it cannot be read") from broken

    @property
    def public_key_thumbprint(self) -> str | None:
        """RFC 7638; None for a kind of key that signs nothing here. Raises UnusableCertificate."""
        try:
            public_key = self.x509.public_key()
        except (ValueError, UnsupportedAlgorithm) as broken:
            raise UnusableCertificate("its key cannot be read") from broken
        return thumbprint(public_key) if isinstance(public_key, PublicKey) else None

    def check_alone(self) -> None:
        """That it can vouch for no other certificate. Raises WrongPurpose.

        A handshake finds issuers by their name alone: one that a partner registered under the name of an authority
        would stand before the authority, and nobody else would come through.
        """
        try:
            usage = self.x509.extensions.get_extension_for_class(x509.KeyUsage).value
        except (x509.ExtensionNotFound, ValueError):
            raise WrongPurpose("it does not say that it signs no other certificates") from None
        if usage.key_cert_sign:
            raise WrongPurpose("it may sign other certificates")

    def check(self, *, now: int) -> None:
        """That it holds at `now`, for a client. Raises NotYetValid, Expired or WrongPurpose."""
        at = datetime.datetime.fromtimestamp(now, tz=datetime.UTC)
        # RFC 5280 §4.1.2.5: both ends of the period belong to it.
        if at < self.x509.not_valid_before_utc:
            raise NotYetValid("it is not valid yet")
        # RFC 5280 §4.1.2.5: a certificate is good until its notAfter, and not a second more.
        if at > self.x509.not_valid_after_utc:
            raise Expired("it has expired")
        try:
            extensions = self.x509.extensions
        except ValueError as broken:
            raise UnusableCertificate("its extensions cannot be read") from broken
        for extension in extensions:
            # RFC 5280 §4.2.1.12: where purposes are named, a TLS client is among them.
            if isinstance(extension.value, x509.ExtendedKeyUsage) and _PURPOSES.isdisjoint(extension.value):
                raise WrongPurpose("its extended key usage is not for TLS clients")
            # RFC 5280 §4.2.1.3: where usages are named, signing is among them.
            if isinstance(extension.value, x509.KeyUsage) and not extension.value.digital_signature:
                raise WrongPurpose("its key usage is not for signatures")


@dataclass(frozen=True, slots=True)
class Authorities:
    """Those whose certificates are believed: the operator's list."""

    certificates: tuple[x509.Certificate, ...]

    def check(self, certificate: ClientCertificate, chain: Sequence[bytes], *, now: int) -> None:
        """That one of them vouches for `certificate`, by way of `chain` (DER). RFC 5280 §6. Raises NotVouchedFor."""
        if not self.certificates:
            raise NotVouchedFor("there is no authority for clients' certificates (tls.client_ca)")
        try:
            between = [x509.load_der_x509_certificate(one) for one in chain if len(one) <= MAX_CERTIFICATE_BYTES]
            verifier = (
                PolicyBuilder()
                .store(verification.Store(list(self.certificates)))
                .time(datetime.datetime.fromtimestamp(now, tz=datetime.UTC))
                .max_chain_depth(_MAX_DEPTH)
                .extension_policies(ca_policy=_CA_POLICY, ee_policy=_CLIENT_POLICY)
                .build_client_verifier()
            )
            verifier.verify(certificate.x509, between)
        except (VerificationError, ValueError, TypeError) as refused:
            raise NotVouchedFor("no authority of tls.client_ca vouches for it") from refused


def read_authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM file. Raises Misuse that names it."""
    hint = "name a PEM file with the certificates of the authorities that issue to your clients"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BUNDLE_BYTES + 1)
    except OSError as failed:
        raise Misuse("client-ca-missing", f"{path} cannot be read: {failed.strerror}", hint=hint) from failed
    found = _PEM.findall(content) if len(content) <= _MAX_BUNDLE_BYTES else []
    if not found:
        raise Misuse("client-ca-empty", f"{path} holds no certificate in PEM form", hint=hint)
    try:
        return tuple(x509.load_pem_x509_certificate(one) for one in found)
    except ValueError:
        raise Misuse("client-ca-damaged", f"{path} holds a damaged certificate", hint=hint) from None


def as_jwks(content: bytes) -> bytes | None:
    """Certificates in PEM as a JWK set, each key with its own (RFC 7517 §4.7); None when there is none.

    Raises ValueError for a damaged one, or a key that no JWK can be.
    """
    members = []
    for one in _PEM.findall(content):
        certificate = x509.load_pem_x509_certificate(one)
        public_key = certificate.public_key()
        if not isinstance(public_key, PublicKey):
            raise ValueError("its key is neither EC, RSA nor Ed25519")
        der = certificate.public_bytes(serialization.Encoding.DER)
        members.append({**public_members(public_key), "x5c": [base64.b64encode(der).decode()]})
    return write_jwks(members) if members else None


def _names(certificate: x509.Certificate) -> CertificateNames:
    subject = tuple(
        frozenset((one.oid.dotted_string, one.value if isinstance(one.value, str) else one.value.hex()) for one in rdn)
        for rdn in certificate.subject.rdns
    )
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return CertificateNames(subject)
    return CertificateNames(
        subject,
        dns=tuple(found.get_values_for_type(x509.DNSName)),
        uris=tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
        addresses=tuple(str(one) for one in found.get_values_for_type(x509.IPAddress)),
        mailboxes=tuple(found.get_values_for_type(x509.RFC822Name)),
    )


def _is_authority(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    # RFC 5280 §4.2.1.9: who signs certificates says that it may.
    if not constraints.ca:
        raise ValueError("its issuer is no authority")


def _may_sign_certificates(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    # RFC 5280 §4.2.1.3: where an authority's usages are named, signing certificates is among them.
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("its issuer may not sign certificates")


# Of authorities only what decides: many private ones leave out what browsers ask of public ones. What the client's own
# certificate must be is checked above, with its own words.
_CA_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates)
)
_CLIENT_POLICY = ExtensionPolicy.permit_all()

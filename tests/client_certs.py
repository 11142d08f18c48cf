"""Certificates of clients, made as authorities and partners make them: good ones, and each kind of bad one."""

import base64
import datetime
import ipaddress
import json
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc import jwk

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def private_key(self) -> bytes:
        plain = serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Its chain and its private key, as programs take them."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain))
        key.write_bytes(self.private_key)
        key.chmod(0o600)
        return certificate, key

    def jwks(self, *others: "Pair") -> bytes:
        return json.dumps({"keys": [one._jwk() for one in (self, *others)]}).encode()

    def _jwk(self) -> dict[str, object]:
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {**jwk.import_key(public, "EC").as_dict(private=False), "x5c": [base64.b64encode(self.der).decode()]}

    def load_into(self, context: ssl.SSLContext, folder: Path) -> None:
        name = f"presented-{self.certificate.serial_number}"
        made = folder / f"{name}.pem", folder / f"{name}.key"
        context.load_cert_chain(*(made if made[1].exists() else self.files(folder, name)))


def make(
    name: str,
    *,
    by: Pair | None = None,
    is_authority: bool = False,
    dns: str | None = None,
    uri: str | None = None,
    address: str | None = None,
    mailbox: str | None = None,
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
    key: ec.EllipticCurvePrivateKey | None = None,
    padding: int = 0,
    usage: bool = True,
    signs: bool = True,
) -> Pair:
    """A certificate for CN=`name`,O=Acme,C=DE; self-signed without `by`. `padding`: bytes that it is larger by."""
    now = datetime.datetime.now(datetime.UTC)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    issuer = subject if by is None else by.certificate.subject
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now + begins, now + ends
    ).add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    if usage:
        said = x509.KeyUsage(
            *(
                signs and not is_authority,
                False,
                False,
                False,
                not signs,
                signs and is_authority,
                is_authority,
                False,
                False,
            )
        )
        builder = builder.add_extension(said, critical=True)
    if purpose is not None and not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    names: list[x509.GeneralName] = []
    names += [x509.DNSName(dns)] if dns else []
    names += [x509.UniformResourceIdentifier(uri)] if uri else []
    names += [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    names += [x509.RFC822Name(mailbox)] if mailbox else []
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if padding:
        filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x04" * padding)
        builder = builder.add_extension(filler, critical=False)
    signed = builder.sign(key if by is None else by.key, hashes.SHA256())
    chain = () if by is None or by.certificate.issuer == by.certificate.subject else (by.certificate, *by.chain)
    return Pair(signed, key, chain)

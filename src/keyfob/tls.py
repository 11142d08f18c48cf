"""TLS for clients and servers: 1.2 at least, always verified; and a throw-away authority for loopback names only.

RFC 9325 (recommended use of TLS), RFC 5280 (certificates). Nothing here turns a check off, and no option does.
"""

import contextlib
import datetime
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keyfob import home, shown_chain
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

CA_CERTIFICATE = "ca.pem"
CA_PRIVATE_KEY = "ca.key"

_MEND = "put it back, or name another: tls.{} in keyfob.toml"
_CA_VARIABLES = ("KEYFOB_CA_FILE", "SSL_CERT_FILE")
_MAX_CA_BYTES = 4 * 1024 * 1024
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
# RFC 9325 §4.2: forward secrecy and AEAD only. (The suites of TLS 1.3 are all so, and not in this list.)
_TLS_12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

# Browsers take 398 days at most from any authority that they know; ours asks for no exception.
_LIFETIME = datetime.timedelta(days=397)
_BACKDATED = datetime.timedelta(hours=1)  # for a client whose clock is a little behind
_LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_LOOPBACK_DOMAIN = "localhost"
_LOOPBACK_NAME = re.compile(r"([a-z0-9-]{1,63}\.){0,3}localhost")


def client_context(ca_file: str | os.PathLike[str] | None, *, environ: Mapping[str, str]) -> ssl.SSLContext:
    """A context that believes the authorities in `ca_file`, else KEYFOB_CA_FILE, else SSL_CERT_FILE, else the system's.

    A file replaces the system's authorities. Raises Problem when it is missing or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and compares names (RFC 9525)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    shown_chain.watch(context)
    source, path = _ca_source(None if ca_file is None else Path(ca_file), environ)
    if path is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    content = _read(path, what=f"the CA file {path} ({source})", hint="name the file that the operator gave you")
    certificates = _PEM_CERTIFICATE.findall(content)
    if not certificates:
        raise Problem(
            "ca-file-empty",
            f"{path} ({source}) holds no certificate in PEM form",
            hint="name the CA's certificate; from DER: openssl x509 -inform der -in FILE -out FILE.pem",
        )
    try:
        context.load_verify_locations(cadata=b"\n".join(certificates).decode("ascii"))
    except ssl.SSLError as broken:
        raise Problem(
            "ca-file-damaged", f"{path} ({source}) holds a damaged certificate", hint="get the CA's certificate anew"
        ) from broken
    return context


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """A server's context: TLS 1.2 and later, forward secrecy and AEAD only (RFC 9325 §4.2), no renegotiation.

    `certificate` holds the chain, the server's own first. Raises Problem when the files are unusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_12_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    for path, what, setting in (
        (certificate, "TLS certificate", "certificate"),
        (private_key, "TLS private key", "private_key"),
    ):
        _read(path, what=f"the {what} {path}", hint=_MEND.format(setting))
    try:
        context.load_cert_chain(certificate, private_key, password=_refuse_passphrase)
    except ssl.SSLError as refused:
        raise Problem(
            "tls-files-refused",
            f"{certificate} and {private_key} are no usable certificate and private key: {_reason(refused)}",
            hint="name a PEM file with the server's chain, its own certificate first, and the private key of that one",
        ) from None
    return context


def check_believable(certificate: Path | None, *, url: str, now: int) -> None:
    """Raises Misuse when `find_doubt` has something to say; None is for a certificate that is yet to be made."""
    if certificate is not None and (doubt := find_doubt(certificate, url=url, now=now)) is not None:
        raise Misuse("tls-certificate", doubt, hint=f"give one that is valid now, for the host of {url}: --tls-cert")


def find_doubt(certificate: Path, *, url: str, now: int) -> str | None:
    """Why no client of `url` will believe the server's own certificate now, or None.

    RFC 5280 §4.1.2.5 (validity), RFC 9525 §6 (names). Who signed it is not judged: that is the client's to know.
    """
    host = urlsplit(url).hostname or ""
    content = _read(certificate, what=f"the TLS certificate {certificate}", hint=_MEND.format("certificate"))
    try:
        first = x509.load_pem_x509_certificates(content)[0]
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except ValueError:
        return f"{certificate} is damaged"
    except x509.ExtensionNotFound:
        return f"{certificate} names no host"
    if _date(now) >= first.not_valid_after_utc:
        return f"{certificate} has expired: it was valid until {first.not_valid_after_utc:%Y-%m-%d %H:%M:%SZ}"
    if _date(now) < first.not_valid_before_utc:
        return f"{certificate} is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M:%SZ}"
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    domains = names.get_values_for_type(x509.DNSName)
    if host in addresses or any(_matches(host, domain) for domain in domains):
        return None
    return f"{certificate} is for {', '.join([*domains, *addresses]) or 'no host'}, not for {host}"


def create_authority(folder: Path, *, now: int) -> None:
    """A throw-away authority in `folder`, which must exist: ca.pem, and ca.key with mode 0600.

    Its certificate allows loopback names alone (RFC 5280 §4.2.1.10): whoever steals its key, and whoever trusts it for
    longer than wanted, risks nothing beyond this machine. Raises Misuse when there is one already.
    """
    if (folder / CA_CERTIFICATE).exists():
        raise Misuse("file-exists", f"there is an authority in {folder} already", hint="name another folder")
    private_key = ec.generate_private_key(ec.SECP256R1())
    starts_at = _date(now) - _BACKDATED
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Keyfob throw-away authority for this machine")])
    public_key = private_key.public_key()
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts_at)
        .not_valid_after(starts_at + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[x509.DNSName(_LOOPBACK_DOMAIN), *map(x509.IPAddress, _LOOPBACK_NETWORKS)],
                excluded_subtrees=None,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(private_key, hashes.SHA256())
    )
    home.write_new_file(folder / CA_PRIVATE_KEY, _write_key(private_key).reveal_bytes())
    home.write_new_file(folder / CA_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def authority_beside(ca_file: Path) -> Path | None:
    """The folder of the throw-away authority whose certificate `ca_file` is, or None when its key is not there."""
    folder = ca_file.parent
    return folder if ca_file.name == CA_CERTIFICATE and (folder / CA_PRIVATE_KEY).is_file() else None


def issue_certificate(authority: Path, *, names: Sequence[str], now: int) -> tuple[bytes, Secret]:
    """A server certificate (PEM) and its private key for `names`, each a loopback DNS name or IP address.

    `authority`: the folder that create_authority filled, or the ca.pem in it. Raises Problem when it is unusable, and
    Misuse for a name that it must not vouch for.
    """
    alternative_names = [_alternative_name(name) for name in names]
    ca, ca_key = _load_authority(authority if authority.is_dir() else authority.parent, now=now)
    private_key = ec.generate_private_key(ec.SECP256R1())
    starts_at = _date(now) - _BACKDATED
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Keyfob server on this machine")])
    certificate = (
        x509.CertificateBuilder(issuer_name=ca.subject, subject_name=subject, public_key=private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(starts_at, ca.not_valid_before_utc))
        .not_valid_after(min(starts_at + _LIFETIME, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), _write_key(private_key)


def _matches(host: str, domain: str) -> bool:
    """RFC 9525 §6.3: a wildcard stands for one whole label, the first."""
    label, _, rest = domain.lower().partition(".")
    return host == domain.lower() or (label == "*" and bool(rest) and host.partition(".")[2] == rest)


def _ca_source(ca_file: Path | None, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    if ca_file is not None:
        return "--ca", ca_file
    for variable in _CA_VARIABLES:
        if environ.get(variable):
            return variable, Path(environ[variable])
    return "", None


def _read(path: Path, *, what: str, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CA_BYTES + 1)
    except OSError as failed:
        raise Misuse("tls-file-missing", f"{what} cannot be read: {failed.strerror}", hint=hint) from failed
    if len(content) > _MAX_CA_BYTES:
        raise Problem("tls-file-too-large", f"{what} is larger than {_MAX_CA_BYTES} bytes", hint=hint)
    return content


def _refuse_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, and a server that starts unattended would wait for ever.
    raise Problem(
        "tls-key-passphrase",
        "the TLS private key is protected by a passphrase",
        hint="take it off: openssl pkey -in FILE -out NEW.key && chmod 600 NEW.key",
    )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown form").replace("_", " ").lower()


def _load_authority(folder: Path, *, now: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_path, key_path = folder / CA_CERTIFICATE, folder / CA_PRIVATE_KEY
    hint = "give TLS files of your own: --tls-cert FILE --tls-key FILE"
    content = _read(certificate_path, what=f"the authority's certificate {certificate_path}", hint=hint)
    key_content = Secret(_read(key_path, what=f"the authority's private key {key_path}", hint=hint))
    home.check_private(key_path)
    try:
        certificate = x509.load_pem_x509_certificate(content)
        private_key = serialization.load_pem_private_key(key_content.reveal_bytes(), password=None)
    except (ValueError, TypeError):
        raise _unusable_authority(folder, "its files are damaged") from None
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or certificate.public_key() != private_key.public_key():
        raise _unusable_authority(folder, "the key is not the certificate's")
    if not certificate.not_valid_before_utc <= _date(now) < certificate.not_valid_after_utc:
        raise _unusable_authority(folder, "its certificate has expired, or is not valid yet")
    return certificate, private_key


def _unusable_authority(folder: Path, why: str) -> Problem:
    return Problem(
        "authority-unusable",
        f"the throw-away authority in {folder} cannot issue certificates: {why}",
        hint="give TLS files of your own: --tls-cert FILE --tls-key FILE",
    )


def _alternative_name(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(name)
        if any(address in network for network in _LOOPBACK_NETWORKS):
            return x509.IPAddress(address)
    if _LOOPBACK_NAME.fullmatch(name):
        return x509.DNSName(name)
    raise Misuse(
        "not-loopback",
        f"the throw-away authority vouches for this machine's own names only, not for {name}",
        hint="give a certificate for that name: --tls-cert FILE --tls-key FILE",
    )


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    """What an authority may do (sign certificates), or what a server may (sign handshakes). RFC 5280 §4.2.1.3."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(private_key: ec.EllipticCurvePrivateKey) -> Secret:
    return Secret(
        private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _date(now: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, tz=datetime.UTC)

"""RFC 9325, RFC 5280: real handshakes on real sockets."""

import datetime
import socket
import ssl
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from keyfob import tls
from keyfob.ambient import system_clock
from keyfob.problem import Misuse, Problem

NAMES = ("localhost", "127.0.0.1", "::1")
NOW = system_clock()
DAY = 24 * 3600


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    tls.create_authority(folder, now=NOW)
    return folder


def issue(authority: Path, folder: Path, *names: str, now: int = NOW) -> tuple[Path, Path]:
    certificate, private_key = tls.issue_certificate(authority, names=names or NAMES, now=now)
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(certificate)
    paths[1].write_bytes(private_key.reveal_bytes())
    return paths


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, *, name: str) -> ssl.SSLSocket:
    """The client's end after the handshake; raises what the client sees."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.settimeout(10)
            try:
                with server.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                connection.close()  # the client's own error is what the test looks at

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=10) as connection:
                with client.wrap_socket(connection, server_hostname=name) as secured:
                    secured.send(b"x")
                    return secured
        finally:
            thread.join(10)


@pytest.mark.parametrize("name", [*NAMES])
def test_a_client_that_knows_the_authority_reaches_each_of_the_names(
    authority: Path, tmp_path: Path, name: str
) -> None:
    server = tls.server_context(*issue(authority, tmp_path))
    handshake(server, tls.client_context(authority / "ca.pem", environ={}), name=name)


def test_another_authority_is_refused(authority: Path, tmp_path: Path) -> None:
    """RFC 6750 §5.2, §5.3, RFC 8414 §6.2, RFC 9700 §2.6."""
    other = tmp_path / "other"
    other.mkdir()
    tls.create_authority(other, now=NOW)
    server = tls.server_context(*issue(authority, tmp_path))
    for client in (tls.client_context(other / "ca.pem", environ={}), tls.client_context(None, environ={})):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(server, client, name="localhost")


def test_another_name_is_refused(authority: Path, tmp_path: Path) -> None:
    """RFC 6750 §5.2, §5.3, RFC 8414 §6.2, RFC 9728 §7.3."""
    server = tls.server_context(*issue(authority, tmp_path, "localhost"))
    client = tls.client_context(authority / "ca.pem", environ={})
    for name in ("127.0.0.1", "other.localhost", "example.org"):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(server, client, name=name)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL")
def test_tls_1_1_is_refused_on_both_sides(authority: Path, tmp_path: Path) -> None:
    """RFC 8996, RFC 6749 §3.2, RFC 7009 §2, RFC 7662 §2, RFC 8414 §6.1, RFC 9728 §7.1."""
    paths = issue(authority, tmp_path)
    old_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old_client.load_verify_locations(authority / "ca.pem")
    old_client.set_ciphers("ALL:@SECLEVEL=0")
    old_client.minimum_version = ssl.TLSVersion.TLSv1
    old_client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(tls.server_context(*paths), old_client, name="localhost")
    old_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old_server.load_cert_chain(*paths)
    old_server.set_ciphers("ALL:@SECLEVEL=0")
    old_server.minimum_version = ssl.TLSVersion.TLSv1
    old_server.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(old_server, tls.client_context(authority / "ca.pem", environ={}), name="localhost")
    # The two old ones agree with each other: it is our side that refuses.
    assert handshake(old_server, old_client, name="localhost") is not None


def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption(authority: Path, tmp_path: Path) -> None:
    """RFC 9325 §4.2."""
    server = tls.server_context(*issue(authority, tmp_path))
    for cipher in server.get_ciphers():
        assert cipher["aead"] and (cipher["protocol"] == "TLSv1.3" or "ECDHE" in cipher["name"])
    client = tls.client_context(authority / "ca.pem", environ={})
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    handshake(server, client, name="localhost")
    weak = tls.client_context(authority / "ca.pem", environ={})
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(server, weak, name="localhost")


def test_a_client_context_always_verifies(authority: Path) -> None:
    for context in (tls.client_context(authority / "ca.pem", environ={}), tls.client_context(None, environ={})):
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_flag_comes_before_the_variables_and_keyfobs_before_openssls(authority: Path, tmp_path: Path) -> None:
    server = tls.server_context(*issue(authority, tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    tls.create_authority(other, now=NOW)
    good, bad = authority / "ca.pem", other / "ca.pem"
    for flag, environ in (
        (good, {"KEYFOB_CA_FILE": str(bad), "SSL_CERT_FILE": str(bad)}),
        (None, {"KEYFOB_CA_FILE": str(good), "SSL_CERT_FILE": str(bad)}),
        (None, {"SSL_CERT_FILE": str(good)}),
        (None, {"KEYFOB_CA_FILE": "", "SSL_CERT_FILE": str(good)}),
    ):
        handshake(server, tls.client_context(flag, environ=environ), name="localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, tls.client_context(bad, environ={"KEYFOB_CA_FILE": str(good)}), name="localhost")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "tls-file-missing"),
        (b"", "ca-file-empty"),
        (b"hello", "ca-file-empty"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca-file-damaged"),
        (b"x" * (4 * 1024 * 1024 + 1), "tls-file-too-large"),
    ],
)
def test_a_ca_file_that_is_unusable_is_named_with_where_it_came_from(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Problem) as caught:
        tls.client_context(None, environ={"KEYFOB_CA_FILE": str(path)})
    assert caught.value.code == code
    assert str(path) in caught.value.message and "KEYFOB_CA_FILE" in caught.value.message


def test_a_private_key_as_ca_file_is_refused(authority: Path) -> None:
    with pytest.raises(Problem) as caught:
        tls.client_context(authority / "ca.key", environ={})
    assert caught.value.code == "ca-file-empty"


def test_a_bundle_with_notes_in_any_language_is_read(authority: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes("# Größe\n".encode() + (authority / "ca.pem").read_bytes() + b"# \xff\n")
    server = tls.server_context(*issue(authority, tmp_path))
    handshake(server, tls.client_context(bundle, environ={}), name="localhost")


@given(content=st.binary(max_size=200))
def test_any_ca_file_is_read_or_a_problem(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    for whole in (content, b"-----BEGIN CERTIFICATE-----\n" + content + b"\n-----END CERTIFICATE-----"):
        path.write_bytes(whole)
        with pytest.raises(Problem):
            tls.client_context(path, environ={})


def test_server_files_that_are_unusable_are_named(authority: Path, tmp_path: Path) -> None:
    certificate, private_key = issue(authority, tmp_path)
    with pytest.raises(Problem, match=r"absent\.pem"):
        tls.server_context(tmp_path / "absent.pem", private_key)
    with pytest.raises(Problem, match=r"absent\.key"):
        tls.server_context(certificate, tmp_path / "absent.key")
    for one, other in ((private_key, certificate), (certificate, authority / "ca.key"), (certificate, certificate)):
        with pytest.raises(Problem) as caught:
            tls.server_context(one, other)
        assert caught.value.code == "tls-files-refused" and "PRIVATE KEY" not in caught.value.message


def test_a_private_key_under_a_passphrase_never_asks(authority: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    certificate, private_key = issue(authority, tmp_path)
    key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"horse"),
        )
    )
    with pytest.raises(Problem) as caught:
        tls.server_context(certificate, private_key)
    assert caught.value.code == "tls-key-passphrase"


def test_the_authoritys_key_is_its_owners_alone_and_it_is_never_made_twice(authority: Path) -> None:
    assert stat.S_IMODE((authority / "ca.key").stat().st_mode) == 0o600
    before = (authority / "ca.key").read_bytes()
    with pytest.raises(Misuse):
        tls.create_authority(authority, now=NOW)
    assert (authority / "ca.key").read_bytes() == before


def test_the_authority_vouches_for_this_machine_only(authority: Path) -> None:
    for name in (
        "example.org",
        "localhost.example.org",
        "10.0.0.1",
        "::2",
        "",
        "*.localhost.",
        "localhost\n",
        "ä.localhost",
    ):
        with pytest.raises(Misuse):
            tls.issue_certificate(authority, names=["localhost", name], now=NOW)


def test_a_certificate_for_another_machine_by_the_stolen_key_is_refused(authority: Path, tmp_path: Path) -> None:
    """RFC 5280 §4.2.1.10: what our code refuses to sign, a thief would sign; the name constraints still hold."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ca = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), password=None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    forged = (
        x509.CertificateBuilder(ca.subject, x509.Name([]), key.public_key(), x509.random_serial_number())
        .not_valid_before(ca.not_valid_before_utc)
        .not_valid_after(ca.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    (tmp_path / "forged.pem").write_bytes(forged.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "forged.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    server = tls.server_context(tmp_path / "forged.pem", tmp_path / "forged.key")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(server, tls.client_context(authority / "ca.pem", environ={}), name="bank.example")


def test_no_certificate_is_valid_for_more_than_398_days_or_longer_than_its_authority(
    authority: Path, tmp_path: Path
) -> None:
    ca = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    for now in (NOW, NOW + 300 * DAY):
        issued = x509.load_pem_x509_certificate(issue(authority, tmp_path, now=now)[0].read_bytes())
        for found in (ca, issued):
            lifetime = found.not_valid_after_utc - found.not_valid_before_utc
            assert datetime.timedelta() < lifetime <= datetime.timedelta(days=398)
        assert issued.not_valid_after_utc <= ca.not_valid_after_utc
        assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_issues_by_its_folder_or_its_certificate_and_not_after_its_end(
    authority: Path, tmp_path: Path
) -> None:
    server = tls.server_context(*issue(authority / "ca.pem", tmp_path))
    handshake(server, tls.client_context(authority / "ca.pem", environ={}), name="localhost")
    with pytest.raises(Problem) as caught:
        tls.issue_certificate(authority, names=NAMES, now=NOW + 398 * DAY)
    assert caught.value.code == "authority-unusable"


@pytest.mark.parametrize(
    "break_it",
    [
        lambda folder: (folder / "ca.key").unlink(),
        lambda folder: (folder / "ca.pem").unlink(),
        lambda folder: (folder / "ca.key").chmod(0o644),
        lambda folder: (folder / "ca.key").write_bytes(b"hello"),
        lambda folder: (folder / "ca.pem").write_bytes(b"hello"),
    ],
)
def test_a_broken_authority_is_a_problem(tmp_path: Path, break_it: Callable[[Path], object]) -> None:
    tls.create_authority(tmp_path, now=NOW)
    break_it(tmp_path)
    with pytest.raises(Problem):
        tls.issue_certificate(tmp_path, names=NAMES, now=NOW)


def test_an_authority_whose_key_is_anothers_is_a_problem(authority: Path, tmp_path: Path) -> None:
    tls.create_authority(tmp_path, now=NOW)
    (tmp_path / "ca.key").write_bytes((authority / "ca.key").read_bytes())
    with pytest.raises(Problem, match="not the certificate's"):
        tls.issue_certificate(tmp_path, names=NAMES, now=NOW)


def test_an_authority_is_found_beside_its_certificate_only_with_its_key(authority: Path, tmp_path: Path) -> None:
    assert tls.authority_beside(authority / "ca.pem") == authority
    (tmp_path / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    assert tls.authority_beside(tmp_path / "ca.pem") is None
    (authority / "other.pem").write_bytes(b"")
    assert tls.authority_beside(authority / "other.pem") is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://api.example", ""),
        ("https://api.example:8443/v1", ""),
        ("https://a.partner.example", ""),
        ("https://[::1]:8443", ""),
        ("https://partner.example", "not for partner.example"),
        ("https://a.b.partner.example", "not for a.b.partner.example"),
        ("https://127.0.0.1", "not for 127.0.0.1"),
        ("https://other.example", "is for api.example, *.partner.example, ::1, not for other.example"),
    ],
)
def test_a_servers_certificate_is_held_against_its_url(tmp_path: Path, url: str, words: str) -> None:
    """RFC 9525 §6."""
    path = tmp_path / "server.pem"
    issued = trustme.CA().issue_cert("api.example", "*.partner.example", "::1")
    path.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    doubt = tls.find_doubt(path, url=url, now=system_clock())
    assert (words in doubt) if words else doubt is None, doubt


def test_a_servers_certificate_is_held_against_the_clock(authority: Path, tmp_path: Path) -> None:
    """RFC 5280 §4.1.2.5: from notBefore through notAfter."""
    path, _ = issue(authority, tmp_path, "localhost")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    last, first = (int(at.timestamp()) for at in (certificate.not_valid_after_utc, certificate.not_valid_before_utc))
    assert tls.find_doubt(path, url="https://localhost", now=last - 1) is None
    assert "has expired" in (tls.find_doubt(path, url="https://localhost", now=last) or "")
    assert tls.find_doubt(path, url="https://localhost", now=first) is None
    assert "not valid before" in (tls.find_doubt(path, url="https://localhost", now=first - 1) or "")


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_servers_certificate_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(content)
    assert "is damaged" in (tls.find_doubt(path, url="https://localhost", now=0) or "")

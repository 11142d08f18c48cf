"""keyfob.oauth.client_cert_header and asgi_tls: a certificate that was passed on, or told by an ASGI server."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import asgi_tls, client_cert_header, trusted_proxies
from keyfob.oauth.client_cert_header import CHAIN_NAME, NAME, MalformedClientCert
from keyfob.oauth.mutual_tls import MAX_CHAIN, PresentedCertificate

PROXY = "192.0.2.1"
PROXIES = trusted_proxies.read(f"{PROXY}, 10.42.0.0/16")


@given(st.binary(min_size=1, max_size=300), st.lists(st.binary(min_size=1, max_size=50), max_size=MAX_CHAIN))
def test_what_a_proxy_wrote_is_read(certificate, chain):
    """RFC 9440 §2.1, §2.2, §2.3, RFC 8941 §3.3.5, §4.2: a list in one header or in several."""
    write = client_cert_header.write
    presented = PresentedCertificate(certificate, tuple(chain))
    spread = [(CHAIN_NAME, write(one)) for one in chain]
    joined = [(CHAIN_NAME, b", ".join(map(write, chain)))] if chain else []
    for headers in ([(NAME, write(certificate)), *spread], [*joined, (NAME, b" " + write(certificate) + b"\t")]):
        assert client_cert_header.is_sent(headers)
        assert client_cert_header.read(headers) == presented
    assert client_cert_header.read([(b"accept", b"*/*")]) is None


GOOD = client_cert_header.write(b"abc")


@pytest.mark.parametrize(
    "headers",
    [
        [(NAME, GOOD), (NAME, GOOD)],
        [(CHAIN_NAME, GOOD)],
        [(NAME, b"YWJj")],
        [(NAME, GOOD + b";a=1")],
        [(NAME, GOOD + b", " + GOOD)],
        [(NAME, b"::")],
        [(NAME, b":YWJ:")],
        [(NAME, b":YWJk=:")],
        [(NAME, b":YWJ!:")],
        [(NAME, b":YR==:")],
        [(NAME, b":-_8=:")],
        [(NAME, b"")],
        [(NAME, client_cert_header.write(b"a" * 17_000))],
        [(NAME, GOOD), *[(CHAIN_NAME, GOOD)] * (MAX_CHAIN + 1)],
        [(NAME, GOOD), (CHAIN_NAME, GOOD + b",")],
    ],
)
def test_what_no_proxy_writes_so_is_refused(headers):
    """RFC 9440 §2.2, §2.3, RFC 8941 §4.2, §4.2.7: two, a chain alone, parameters, no base64 or another form of it."""
    with pytest.raises(MalformedClientCert):
        client_cert_header.read(headers)


@given(st.lists(st.tuples(st.sampled_from([NAME, CHAIN_NAME]), st.binary(max_size=40)), max_size=4))
def test_any_headers_are_read_or_refused(headers):
    try:
        found = client_cert_header.read(headers)
    except MalformedClientCert:
        return
    assert (found is None) is (not headers)


def scope(peer: str, presented: PresentedCertificate | None, *headers: tuple[bytes, bytes]) -> dict[str, object]:
    extension = asgi_tls.write(presented, version=0x0304)
    return {"client": (peer, 1), "headers": list(headers), "extensions": {"tls": extension}}


def test_a_header_counts_from_the_trusted_proxy_alone_and_then_the_handshake_does_not():
    """RFC 9440 §4: the proxy's own certificate is not its client's."""
    mine, theirs = PresentedCertificate(b"mine", (b"over me",)), (NAME, client_cert_header.write(b"theirs"))
    read = asgi_tls.presented_certificate
    assert read(scope("198.51.100.9", mine, theirs), trusted_proxies=PROXIES) == mine
    assert read(scope("198.51.100.9", mine, theirs)) == mine
    assert read(scope("198.51.100.9", None, theirs), trusted_proxies=PROXIES) is None
    assert read(scope(PROXY, mine, theirs), trusted_proxies=PROXIES) == PresentedCertificate(b"theirs")
    assert read(scope(PROXY, mine), trusted_proxies=PROXIES) is None
    assert read(scope("10.42.0.9", mine, theirs), trusted_proxies=PROXIES) == PresentedCertificate(b"theirs")
    assert read(scope("10.43.0.9", mine, theirs), trusted_proxies=PROXIES) == mine
    assert read({"headers": [theirs]}, trusted_proxies=PROXIES) is None


def test_a_server_that_did_not_like_the_certificate_told_of_none():
    told = asgi_tls.write(PresentedCertificate(b"a"), version=None)
    assert asgi_tls.read(told) == PresentedCertificate(b"a")
    assert asgi_tls.read(told | {"client_cert_error": "expired"}) is None
    for broken in (["no PEM"], [ssl.DER_cert_to_PEM_cert(b"a")] * (MAX_CHAIN + 2)):
        with pytest.raises(MalformedClientCert):
            asgi_tls.read(told | {"client_cert_chain": broken})

"""Certificates that the trusted proxy passes on (RFC 9440), to a real server that speaks plain HTTP to it alone."""

import base64
import http.client
import json
from urllib.parse import urlencode

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from client_certs import DAY, make
from keyfob.oauth import client_cert_header, mutual_tls
from keyfob.server import settings
from keyfob.server.refusals.causes import Cause

RESOURCE = "https://api.example"
AUTHORITY = make("Clients' authority", is_authority=True)
BETWEEN = make("Between", by=AUTHORITY, is_authority=True)
GOOD = make("edc.acme.example", by=AUTHORITY, dns="edc.acme.example")
FAR = make("edc.acme.example", by=BETWEEN, dns="edc.acme.example")
OWN = make("own.acme.example")


@pytest.fixture(scope="module")
def behind(new_operator):
    """An operator whose TLS ends at a proxy on this machine: the tests are that proxy."""
    operator = new_operator()
    (operator.home / "clients-ca.pem").write_bytes(AUTHORITY.pem)
    path = operator.home / "keyfob.toml"
    for name, value in (
        ("tls.client_certificates", "ask"),
        ("tls.client_ca", "clients-ca.pem"),
        ("http.trusted_proxy", "127.0.0.1"),
    ):
        path.write_bytes(settings.replaced(path.read_bytes(), name, value, where=str(path)))
    operator.serve()
    return operator


@pytest.fixture(scope="module")
def clients(behind) -> tuple[str, str]:
    """One of an authority, and one with a certificate of its own."""
    jwks = behind.home.parent / "own.jwks"
    jwks.write_bytes(OWN.jwks())
    base = ("client", "create", "--partner", "Acme", "--scope", "studies:read", "--resource", RESOURCE)
    named = ("--auth-method", "tls_client_auth", "--tls-san-dns", "edc.acme.example")
    registered = ("--auth-method", "self_signed_tls_client_auth", "--jwks", jwks)
    pki = behind.run(*base, "--name", "pki", *named)
    own = behind.run(*base, "--name", "own", *registered)
    return str(pki["client_id"]), str(own["client_id"])


def ask(behind, client_id: str, *headers: tuple[str, bytes]):
    """(status, document) of a token request by way of the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", behind.port, timeout=30)
    form = urlencode({"grant_type": "client_credentials", "client_id": client_id, "scope": "studies:read"}).encode()
    try:
        connection.putrequest("POST", "/oauth2/token")
        usual = (("x-forwarded-for", b"192.0.2.1"), ("content-type", b"application/x-www-form-urlencoded"))
        for name, value in (*usual, ("content-length", str(len(form)).encode()), *headers):
            connection.putheader(name, value)
        connection.endheaders(form)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def header(pair) -> tuple[str, bytes]:
    return "client-cert", client_cert_header.write(pair.der)


def chain(*pairs) -> tuple[str, bytes]:
    return "client-cert-chain", b", ".join(client_cert_header.write(pair.der) for pair in pairs)


def test_the_proxys_word_is_taken_for_either_kind(behind, clients):
    """RFC 9440 §2.2, §2.3: and the way to the authority comes in a header of its own."""
    pki, own = clients
    for client_id, sent, pair in (
        (pki, (header(GOOD),), GOOD),
        (pki, (header(FAR), chain(BETWEEN)), FAR),
        (own, (header(OWN),), OWN),
    ):
        status, document = ask(behind, client_id, *sent)
        assert status == 200, document
        part = document["access_token"].split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        assert said["cnf"] == {"x5t#S256": mutual_tls.thumbprint(pair.der)}


def test_what_the_proxy_did_not_judge_is_judged_here(behind, clients, until):
    """RFC 8705 §2.1: a proxy that lets any certificate through opens nothing."""
    pki, own = clients
    wanted: dict[str, str] = {}
    for client_id, sent, cause in (
        (pki, (header(FAR),), "certificate_untrusted"),
        (pki, (header(make("edc.acme.example", dns="edc.acme.example")),), "certificate_untrusted"),
        (pki, (header(make("x", by=AUTHORITY, dns="*.acme.example")),), "certificate_of_another"),
        (pki, (header(make("x", by=AUTHORITY, purpose=ExtendedKeyUsageOID.SERVER_AUTH)),), "certificate_purpose"),
        (pki, (header(make("x", by=AUTHORITY, ends=-DAY / 2)),), "certificate_expired"),
        (own, (header(GOOD),), "certificate_not_registered"),
        (own, (header(make("own.acme.example", key=OWN.key)),), "certificate_not_registered"),
        (own, (("client-cert", client_cert_header.write(b"\x30\x03\x02\x01\x01")),), "certificate_malformed"),
        (own, (("client-cert", client_cert_header.write(b"x" * 16_000)),), "certificate_malformed"),
        (pki, (), "no_credentials"),
    ):
        status, document = ask(behind, client_id, *sent)
        assert (status, document["error"]) == (401, "invalid_client")
        wanted[str(document["error_id"])] = cause

    def found() -> dict[str, str]:
        return {one["request_id"]: one["reason"] for one in behind.audit(100) if one.get("request_id") in wanted}

    until(lambda: len(found()) == len(wanted))
    assert found() == {error_id: Cause[cause.upper()].value for error_id, cause in wanted.items()}


def test_a_header_that_no_proxy_writes_so_is_refused(behind, clients):
    """RFC 9440 §2.2, §2.3: two, none but a chain, no base64, an other form; whoever it is for."""
    own = clients[1]
    good = client_cert_header.write(OWN.der)
    for sent in (
        (header(OWN), header(OWN)),
        (header(OWN), header(GOOD)),
        (("client-cert", good + b", " + good),),
        (chain(BETWEEN),),
        (header(GOOD), chain(*[BETWEEN] * 9)),
        (("client-cert", good.strip(b":")),),
        (("client-cert", good.replace(b"M", b"!", 1)),),
        (("client-cert", b":QQ:"),),
        (("client-cert", b":QQ=:"),),
        (("client-cert", b":QR==:"),),
        (("client-cert", b'"' + good + b'"'),),
        (("client-cert", good + b";a=1"),),
        (("client-cert", b":" + b"A" * 30_000 + b":"),),
        (("client-cert", b""),),
        (("client-cert", b"-----BEGIN CERTIFICATE-----"),),
    ):
        status, document = ask(behind, own, *sent)
        assert (status, document["error"]) == (400, "invalid_request"), sent
    assert ask(behind, own, ("client-cert", b":" + b"A" * 64 * 1024 + b":"))[0] == 400

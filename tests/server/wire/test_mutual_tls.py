"""Clients that prove themselves by a TLS certificate (RFC 8705), on a real server with its own TLS."""

import base64
import http.client
import json
import socket
import ssl
import threading
from urllib.parse import urlencode

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc import jwt
from joserfc.jwk import ECKey

from client_certs import DAY, Pair, make
from keyfob import tls
from keyfob.oauth import client_cert_header, mutual_tls
from keyfob.partner import CredentialRefused, client_key, open_keyed
from keyfob.problem import Misuse, Problem
from keyfob.server import settings

RESOURCE = "https://api.example"
SUBJECT = "CN=edc.acme.example,O=Acme,C=DE"
AUTHORITY = make("Clients' authority", is_authority=True)
BETWEEN = make("Between", by=AUTHORITY, is_authority=True)
STRANGE = make("Strange authority", is_authority=True)
GOOD = make("edc.acme.example", by=AUTHORITY, dns="edc.acme.example", uri="urn:acme:edc", address="192.0.2.7",
            mailbox="edc@acme.example")  # fmt: skip
OWN = make("edc.acme.example")


def set_up(operator, **values: str) -> None:
    path = operator.home / "keyfob.toml"
    for name, value in values.items():
        path.write_bytes(settings.replaced(path.read_bytes(), name.replace("__", "."), value, where=str(path)))


def create(operator, name: str, *options: object) -> str:
    made = operator.run(
        *("client", "create", "--partner", "Acme", "--name", name, "--scope", "studies:read", "--resource", RESOURCE),
        *options,
    )
    return str(made["client_id"])


@pytest.fixture(scope="module")
def mutual(new_operator, tmp_path_factory):
    operator = new_operator()
    authorities = operator.home / "clients-ca.pem"
    authorities.write_bytes(AUTHORITY.pem)
    set_up(operator, tls__client_certificates="ask", tls__client_ca="clients-ca.pem")
    operator.serve("--workers", "2")
    return operator


@pytest.fixture(scope="module")
def pki(mutual) -> str:
    return create(mutual, "pki", "--auth-method", "tls_client_auth", "--tls-subject-dn", SUBJECT)


@pytest.fixture(scope="module")
def own(mutual, until, tmp_path_factory) -> str:
    client_id = register(mutual, "own", OWN)
    until(lambda: answers(mutual, client_id, OWN))
    return client_id


def register(mutual, name: str, *pairs: Pair, options: tuple[str, ...] = ()) -> str:
    path = mutual.home.parent / f"{name}.jwks"
    path.write_bytes(pairs[0].jwks(*pairs[1:]))
    return create(mutual, name, "--auth-method", "self_signed_tls_client_auth", "--jwks", path, *options)


def connect(mutual, pair: Pair | None, version: ssl.TLSVersion | None = None) -> http.client.HTTPSConnection:
    context = tls.client_context(mutual.home / "tls" / "ca.pem", environ={})
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if pair is not None:
        pair.load_into(context, mutual.home.parent)
    return http.client.HTTPSConnection("localhost", mutual.port, timeout=30, context=context)


def ask(mutual, client_id: str, pair: Pair | None, *, headers=None, version=None, **more: str):
    """(status, document) of a token request by certificate. Raises OSError where the handshake refuses."""
    connection = connect(mutual, pair, version)
    form = urlencode({"grant_type": "client_credentials", "client_id": client_id, "scope": "studies:read", **more})
    try:
        found = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        connection.request("POST", "/oauth2/token", body=form, headers=found)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def answers(mutual, client_id: str, pair: Pair) -> bool:
    """Whether the certificate gets a token: a handshake may still refuse what was registered just now."""
    try:
        return all(ask(mutual, client_id, pair)[0] == 200 for _ in range(8))  # of each worker
    except OSError:
        return False


def reason(mutual, until, document) -> str:
    """What the operator reads of a refusal."""
    error_id = str(document["error_id"])
    until(lambda: any(error_id == one.get("request_id") for one in mutual.audit(50)))
    return str(mutual.run("explain", error_id)["reason"])


def claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_the_authority_gets_a_token_that_is_bound_to_it(mutual, pki, version):
    """RFC 8705 §2.1, §3, §3.1."""
    status, document = ask(mutual, pki, GOOD, version=version)
    assert (status, document["token_type"]) == (200, "Bearer"), document
    bound = {"x5t#S256": mutual_tls.thumbprint(GOOD.der)}
    assert claims(document["access_token"])["cnf"] == bound
    assert mutual.introspect(document["access_token"])["cnf"] == bound


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_was_registered_gets_a_token_whoever_issued_it(mutual, own, version):
    """RFC 8705 §2.2, §2.2.2."""
    status, document = ask(mutual, own, OWN, version=version)
    assert status == 200, document
    assert claims(document["access_token"])["cnf"] == {"x5t#S256": mutual_tls.thumbprint(OWN.der)}


def test_the_way_to_the_authority_may_lead_over_others_and_holds_when_the_session_is_resumed(mutual, pki):
    pair = make("edc.acme.example", by=BETWEEN)
    context = tls.client_context(mutual.home / "tls" / "ca.pem", environ={})
    pair.load_into(context, mutual.home.parent)
    session = None
    for _ in range(3):
        raw = socket.create_connection(("localhost", mutual.port))
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            form = urlencode({"grant_type": "client_credentials", "client_id": pki, "scope": "studies:read"})
            head = "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
            connection.sendall((head + form).encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            while connection.recv(4096):
                pass
            session = connection.session


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--tls-san-dns", "EDC.acme.example"),
        ("--tls-san-uri", "urn:acme:edc"),
        ("--tls-san-ip", "192.0.2.7"),
        ("--tls-san-email", "edc@ACME.example"),
    ],
)
def test_a_client_may_be_known_by_any_of_its_names(mutual, option, value):
    """RFC 8705 §2.1.2."""
    name = option.removeprefix("--tls-")
    client_id = create(mutual, name, "--auth-method", "tls_client_auth", option, value)
    assert ask(mutual, client_id, GOOD)[0] == 200
    shown = mutual.run("client", "show", client_id)
    assert shown[f"tls_client_auth_{name.replace('-', '_')}"] in (value, value.lower())
    other = make("edc.acme.example", by=AUTHORITY, dns="x.acme.example", uri="urn:acme:x", address="192.0.2.8",
                 mailbox="x@acme.example")  # fmt: skip
    assert ask(mutual, client_id, other)[0] == 401


BAD = {
    "certificate_of_another": make("lab.other.example", by=AUTHORITY, dns="edc.acme.example"),
    "certificate_expired": make("edc.acme.example", by=AUTHORITY, begins=-3 * DAY, ends=-DAY),
    "certificate_not_yet_valid": make("edc.acme.example", by=AUTHORITY, begins=DAY, ends=2 * DAY),
    "certificate_untrusted": OWN,
}


@pytest.mark.parametrize("cause", BAD)
def test_a_certificate_that_is_not_the_clients_is_refused_in_the_words_of_a_wrong_secret(
    mutual, pki, own, until, cause
):
    """RFC 8705 §2.1: another's, expired, not valid yet, self-signed. The reason is the operator's alone."""
    status, document = ask(mutual, pki, BAD[cause])
    assert (status, document["error"]) == (401, "invalid_client")
    unknown = ask(mutual, "cl_0000000000000000000000", GOOD)
    assert unknown[0] == 401
    assert {**document, "error_id": ""} == {**unknown[1], "error_id": ""}
    assert reason(mutual, until, document) == cause


def test_a_certificate_of_an_authority_does_not_stand_for_one_that_was_registered(mutual, own, until):
    status, document = ask(mutual, own, GOOD)
    assert status == 401
    assert reason(mutual, until, document) == "certificate_not_registered"


def test_a_certificate_that_could_sign_others_is_not_registered(mutual):
    """As an anchor it would let in whom its owner likes, and under an authority's name keep all others out."""
    path = mutual.home.parent / "authority.jwks"
    for pair in (make("Clients' authority", is_authority=True), make("edc.acme.example", usage=False)):
        path.write_bytes(pair.jwks())
        options = ("--auth-method", "self_signed_tls_client_auth", "--jwks", path)
        base = (
            "client",
            "create",
            "--partner",
            "Acme",
            "--name",
            "x",
            "--scope",
            "studies:read",
            "--resource",
            RESOURCE,
        )
        assert mutual.run(*base, *options, status=2)["error"] == "bad-certificate"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "pair",
    [
        make("edc.acme.example"),
        make("edc.acme.example", by=STRANGE),
        make("edc.acme.example", by=AUTHORITY, purpose=ExtendedKeyUsageOID.SERVER_AUTH),
        make("edc.acme.example", padding=64 * 1024),
        make("edc.acme.example", by=GOOD),
        make("edc.acme.example", by=OWN),
    ],
    ids=["self-signed", "another authority", "for servers", "64 KiB", "by a client", "by a self-signed client"],
)
def test_what_leads_to_no_anchor_does_not_come_through_the_handshake(mutual, pki, own, pair, version):
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(mutual, pki, pair, version=version)
    assert ask(mutual, own, OWN)[0] == 200


def test_a_certificate_that_is_too_large_is_not_read(mutual, pki, until):
    for size in (20, 64):
        status, document = ask(mutual, pki, make("edc.acme.example", by=AUTHORITY, padding=size * 1024))
        assert (status, document["error"]) == (401, "invalid_client")
    assert reason(mutual, until, document) == "certificate_malformed"


def test_a_client_is_refused_without_its_certificate_and_with_another_method(mutual, pki, own, until):
    """RFC 7591 §2: each client has one way. The key of a certificate signs no assertion."""
    assert ask(mutual, pki, None)[0] == 401
    assert ask(mutual, own, OWN, client_secret="x")[0] == 401
    assertion = jwt.encode(
        {"alg": "ES256"},
        {"iss": own, "sub": own, "aud": mutual.issuer, "exp": 2**31, "iat": 2**31 - 60, "jti": "1"},
        ECKey.import_key(OWN.private_key),
    )
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert ask(mutual, own, OWN, client_assertion=assertion, client_assertion_type=kind)[0] == 401
    secret = mutual.client("with-secret")
    status, document = ask(mutual, secret.client_id, GOOD)
    assert status == 401
    assert reason(mutual, until, document) == "not_by_certificate"


def test_a_header_is_nothing_without_a_trusted_proxy(mutual, pki, own):
    """RFC 9440 §4: neither in place of a certificate, nor beside one; and the log tells of it."""
    header = {"client-cert": client_cert_header.write(GOOD.der).decode()}
    assert ask(mutual, pki, None, headers=header)[0] == 401
    assert ask(mutual, pki, OWN, headers=header)[0] == 401
    document = ask(mutual, own, OWN, headers=header)[1]
    assert claims(document["access_token"])["cnf"] == {"x5t#S256": mutual_tls.thumbprint(OWN.der)}
    assert "proxy_headers_ignored" in mutual.log


def test_a_client_changes_its_certificate_without_a_failed_call(mutual, until):
    old, new = make("roll.acme.example"), make("roll.acme.example")
    client_id = register(mutual, "roll", old)
    until(lambda: answers(mutual, client_id, old))
    both = mutual.home.parent / "both.jwks"
    both.write_bytes(old.jwks(new))
    mutual.run("client", "keys", client_id, "--jwks", both)
    until(lambda: answers(mutual, client_id, new))
    assert ask(mutual, client_id, old)[0] == 200
    both.write_bytes(new.jwks())
    mutual.run("client", "keys", client_id, "--jwks", both)
    assert ask(mutual, client_id, old)[0] == 401
    assert ask(mutual, client_id, new)[0] == 200


def test_tokens_of_any_client_may_be_bound_to_a_certificate(mutual, until):
    """RFC 8705 §3, §3.4: then it gets none without; a secret stays what proves it."""
    info = mutual.client("bound", "--certificate-bound")
    pair = f"{info.client_id}:{info.client_secret.reveal()}".encode()
    basic = {"authorization": "Basic " + base64.b64encode(pair).decode()}
    status, document = ask(mutual, info.client_id, GOOD, headers=basic)
    assert status == 200, document
    assert claims(document["access_token"])["cnf"] == {"x5t#S256": mutual_tls.thumbprint(GOOD.der)}
    status, document = ask(mutual, info.client_id, None, headers=basic)
    assert (status, document["error"]) == (400, "invalid_request")
    assert reason(mutual, until, document) == "certificate_needed"
    status, document = ask(mutual, info.client_id, BAD["certificate_expired"], headers=basic)
    assert (status, document["error"]) == (401, "invalid_client")


def test_a_client_that_proves_a_key_is_bound_to_that_key_instead(mutual, pki):
    """RFC 9449 beside RFC 8705: `--dpop` chooses the key; a proof that was not asked for binds to both."""
    from keyfob.ambient import system_clock
    from keyfob.jose import keys
    from keyfob.jose.proofs import sign_proof

    key = keys.generate("ES256")

    def proof(jti: str) -> dict[str, str]:
        url = f"{mutual.issuer}/oauth2/token"
        return {"dpop": sign_proof(key, method="POST", url=url, now=system_clock(), jti=jti).reveal()}

    options = ("--auth-method", "tls_client_auth", "--tls-subject-dn", SUBJECT)
    client_id = create(mutual, "dpop", *options, "--dpop", "--profile", "fapi2")
    status, document = ask(mutual, client_id, GOOD, headers=proof("1"))
    assert (status, document["token_type"]) == (200, "DPoP")
    assert claims(document["access_token"])["cnf"] == {"jkt": key.kid}
    status, document = ask(mutual, pki, GOOD, headers=proof("2"))
    bound = {"jkt": key.kid, "x5t#S256": mutual_tls.thumbprint(GOOD.der)}
    assert claims(document["access_token"])["cnf"] == bound


def test_the_metadata_say_what_is_so(mutual, operator):
    """RFC 8705 §3.3, RFC 8414 §2."""
    said = mutual.metadata()
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(said["token_endpoint_auth_methods_supported"])
    assert said["tls_client_certificate_bound_access_tokens"] is True
    without = operator.metadata()
    assert not any("tls" in name for name in without["token_endpoint_auth_methods_supported"])
    assert "tls_client_certificate_bound_access_tokens" not in without


def test_a_client_revokes_and_introspects_by_its_certificate(mutual, pki):
    token = ask(mutual, pki, GOOD)[1]["access_token"]
    for path, status in (("/oauth2/introspect", 200), ("/oauth2/revoke", 200)):
        connection = connect(mutual, GOOD)
        form = urlencode({"client_id": pki, "token": token})
        connection.request("POST", path, body=form, headers={"content-type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        assert response.status == status
        response.read()
        connection.close()
    assert mutual.introspect(token) == {"active": False}


def test_new_authorities_are_taken_up_while_running(mutual, pki, until):
    path = mutual.home / "clients-ca.pem"
    later = make("Later authority", is_authority=True)
    pair = make("edc.acme.example", by=later)
    path.write_bytes(AUTHORITY.pem + later.pem)
    until(lambda: answers(mutual, pki, pair))
    path.write_bytes(AUTHORITY.pem)

    def is_refused() -> bool:
        return all(ask(mutual, pki, pair)[0] == 401 for _ in range(8))

    until(is_refused)
    assert ask(mutual, pki, GOOD)[0] == 200


def test_fifty_connections_with_and_without_certificates_do_not_mix(mutual, pki, own):
    found: list[bool] = []

    def one(number: int) -> None:
        client_id, pair = ((pki, GOOD), (own, OWN), (pki, OWN))[number % 3]
        found.append((ask(mutual, client_id, pair)[0] == 200) is (number % 3 != 2))

    running = [threading.Thread(target=one, args=(number,)) for number in range(24)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert found == [True] * 24


def test_the_partners_library_has_tokens_by_its_certificate_and_by_its_key(mutual, pki, own, tmp_path):
    """RFC 8705 §2, §3, RFC 7523 §2.2: with what the client has, and nothing else."""
    common = {"scope": "studies:read", "resource": RESOURCE, "ca": mutual.home / "tls" / "ca.pem"}
    scope = frozenset({"studies:read"})
    for client_id, pair in ((pki, GOOD), (own, OWN)):
        certificate, key = pair.files(tmp_path, client_id)
        authorizer, _ = open_keyed(mutual.issuer, client_id, certificate=certificate, private_key=key, **common)
        held = authorizer.source.token(scope, resource=RESOURCE)
        claims = json.loads(base64.urlsafe_b64decode(held.access_token.reveal().split(".")[1] + "=="))
        assert claims["cnf"] == {"x5t#S256": mutual_tls.thumbprint(pair.der)}
        assert held.identity.method == "tls_client_auth"
    path = tmp_path / "signs.key"
    path.touch(mode=0o600)
    path.write_bytes(OWN.private_key)
    signs = create(mutual, "signs", "--auth-method", "private_key_jwt", "--jwks", jwks_of(OWN, tmp_path))
    authorizer, _ = open_keyed(mutual.issuer, signs, private_key=path, **common)
    held = authorizer.source.token(scope, resource=RESOURCE)
    assert held.identity.method == "private_key_jwt"
    # Another key in the file is taken up without a restart, also one that does not count.
    path.write_bytes(client_key.generate().to_secret().reveal_bytes())
    with pytest.raises(CredentialRefused):
        authorizer.source.token(scope, resource=RESOURCE, refused=held)
    path.write_bytes(OWN.private_key)
    assert authorizer.source.token(scope, resource=RESOURCE).credential_id == held.credential_id
    path.chmod(0o644)
    with pytest.raises(Problem):
        open_keyed(mutual.issuer, signs, private_key=path, **common)
    with pytest.raises(Misuse):
        open_keyed(mutual.issuer, pki, private_key=tmp_path / "none", **common)


def jwks_of(pair: Pair, folder) -> str:
    path = folder / "signs.jwks"
    path.write_bytes(pair.jwks())
    return str(path)

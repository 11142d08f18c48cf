"""Tokens that are bound to a TLS certificate (RFC 8705 §3), or to a key whose proofs need a nonce (RFC 9449 §9), at a
real clinical API with its own TLS.
"""

import ssl
import time

import pytest

from client_certs import Pair, make
from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth import mutual_tls
from keyfob.secret import Secret

AUTHORITY = make("Clients' authority", is_authority=True)
ISSUED, OWN = make("edc.example", by=AUTHORITY), make("lab.example")


@pytest.fixture(scope="module")
def api(new_api):
    made = new_api()
    (made.home / "clients.pem").write_bytes(AUTHORITY.pem + OWN.pem)
    path = made.home / "keyfob.toml"
    path.write_text(path.read_text() + '\n[tls]\nclient_ca = "clients.pem"\n[guard]\ndpop_nonce = "required"\n')
    made.serve()
    yield made
    made.stop()


def ask(api, token: str, pair: Pair | None, version: ssl.TLSVersion | None = None) -> int:
    connection = api.connect()
    context = connection._context
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if pair is not None:
        pair.load_into(context, api.home.parent)
    try:
        connection.request("GET", "/v1/studies", headers={"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        challenge = answer.getheader("www-authenticate") or ""
        assert answer.status == 200 or 'error="invalid_token"' in challenge
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("mine", "other"), [(ISSUED, OWN), (OWN, ISSUED)], ids=["of the authority", "its own"])
def test_a_bound_token_is_good_in_a_connection_with_its_certificate_alone(api, mine, other, version):
    token = api.token(cnf={"x5t#S256": mutual_tls.thumbprint(mine.der)})
    assert ask(api, token, mine, version) == 200
    assert ask(api, token, other, version) == 401
    assert ask(api, token, None, version) == 401


def test_a_token_that_is_bound_to_nothing_needs_no_certificate(api):
    assert ask(api, api.token(), None) == ask(api, api.token(), OWN) == 200


def test_a_proof_needs_a_nonce_where_the_setting_says_so(api):
    key = keys.generate("ES256")
    token = api.token(cnf={"jkt": key.kid})

    def get(jti: str, nonce: str | None) -> tuple[int, str | None]:
        url, now = f"{api.resource}/v1/studies", int(time.time())
        proof = sign_proof(key, method="GET", url=url, now=now, jti=jti, access_token=Secret(token), nonce=nonce)
        connection = api.connect()
        connection.request("GET", "/v1/studies", headers={"authorization": f"DPoP {token}", "dpop": proof.reveal()})
        answer = connection.getresponse()
        found = answer.status, answer.getheader("dpop-nonce")
        connection.close()
        return found

    status, nonce = get("1", None)
    assert status == 401 and nonce is not None
    assert get("2", nonce) == (200, None)
    assert get("2", nonce) == (401, None)

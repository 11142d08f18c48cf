"""Clients that register themselves with a TLS certificate (RFC 7591, RFC 8705 §2.1.2, §2.2.2), on a real server."""

import http.client
import json
from urllib.parse import urlencode

import pytest

from client_certs import make
from keyfob import tls
from keyfob.server import settings

AUTHORITY = make("Clients' authority", is_authority=True)
GOOD = make("edc.acme.example", by=AUTHORITY, dns="edc.acme.example")
OTHER = make("other.acme.example", by=AUTHORITY, dns="other.acme.example")
OWN = make("own.acme.example")
UNBOUND = {"tls_client_certificate_bound_access_tokens": False}


@pytest.fixture(scope="module")
def mutual(new_operator):
    operator = new_operator()
    (operator.home / "clients-ca.pem").write_bytes(AUTHORITY.pem)
    path = operator.home / "keyfob.toml"
    for name, value in (("tls.client_certificates", "ask"), ("tls.client_ca", "clients-ca.pem")):
        path.write_bytes(settings.replaced(path.read_bytes(), name, value, where=str(path)))
    operator.serve()
    return operator


@pytest.fixture(scope="module")
def invited(mutual) -> str:
    return mutual.allow("--uses", "20", "--profile", "fapi2")["initial_access_token"]


def ask(operator, client_id: str, pair) -> int:
    context = tls.client_context(operator.home / "tls" / "ca.pem", environ={})
    pair.load_into(context, operator.home.parent)
    connection = http.client.HTTPSConnection("localhost", operator.port, timeout=30, context=context)
    form = {"grant_type": "client_credentials", "client_id": client_id, "scope": "studies:read"}
    try:
        connection.request(
            "POST", "/oauth2/token", urlencode(form), {"content-type": "application/x-www-form-urlencoded"}
        )
        return connection.getresponse().status
    except OSError:
        return 0  # the handshake: a certificate that leads to no anchor
    finally:
        connection.close()


def test_a_client_of_an_authority_registers_by_a_name_in_its_certificate(mutual, invited):
    """RFC 8705 §2.1.2, §3: and FAPI 2.0 takes it, since its tokens are bound to its certificate."""
    asked = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "EDC.acme.example"}
    made = mutual.register(invited, asked | {"client_name": "by an authority"}).document
    assert made["tls_client_auth_san_dns"] == "edc.acme.example"
    assert made["tls_client_certificate_bound_access_tokens"] is True
    assert ask(mutual, made["client_id"], GOOD) == 200
    assert ask(mutual, made["client_id"], OTHER) == 401
    uri, token = made["registration_client_uri"], made["registration_access_token"]
    for changes in ({"tls_client_auth_san_dns": "other.acme.example"}, UNBOUND, {"dpop_bound_access_tokens": True}):
        said = {"client_id": made["client_id"], **changes}
        refused = mutual.manage("PUT", uri, token, said)
        assert (refused.status, refused.document["error"]) == (400, "invalid_client_metadata"), changes
    assert mutual.manage("PUT", uri, token, {"client_id": made["client_id"], **asked}).status == 200


def test_a_client_registers_with_its_own_certificate(mutual, invited, until):
    """RFC 8705 §2.2.2."""
    asked = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": json.loads(OWN.jwks())}
    made = mutual.register(invited, asked).document
    assert made["jwks"] == asked["jwks"]
    until(lambda: ask(mutual, made["client_id"], OWN) == 200)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "tls_client_auth", "jwks": json.loads(OWN.jwks())},
        {
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "a.example",
            "tls_client_auth_san_uri": "urn:a",
        },
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_ip": "nonsense"},
        {"tls_client_auth_san_dns": "a.example", "jwks": json.loads(OWN.jwks())},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
    ],
)
def test_metadata_that_fit_no_certificate_are_refused(mutual, invited, changes):
    """RFC 8705 §2.1.2, §2.2."""
    answer = mutual.register(invited, changes)
    assert (answer.status, answer.document["error"]) == (400, "invalid_client_metadata")


def test_where_no_certificate_is_asked_for_none_can_be_registered(operator):
    token = operator.allow()["initial_access_token"]
    asked = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "edc.acme.example"}
    answer = operator.register(token, asked)
    assert (answer.status, answer.document["error"]) == (400, "invalid_client_metadata")
    assert "certificate" in answer.document["error_description"]

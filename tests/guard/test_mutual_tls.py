"""Tokens that are bound to a TLS certificate (RFC 8705 §3): worth nothing in a connection without it."""

import asyncio

import pytest

from keyfob.guard import Guard
from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.mutual_tls import PresentedCertificate

AUDIENCE = "https://api.example"
NOW = 1_000_000
KEY = keys.generate("ES256")
MINE, OTHER = PresentedCertificate(b"mine"), PresentedCertificate(b"another", (b"mine",))


@pytest.fixture
def guard(issuer) -> Guard:
    return Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=lambda: NOW)


def admit(guard, token, certificate, *more):
    scheme = b"DPoP " if more else b"Bearer "
    headers = [(b"authorization", scheme + token.reveal_bytes()), *more]
    asked = {"method": "GET", "path": b"/v1/studies", "certificate": certificate}
    return asyncio.run(guard.admit(headers, b"", "studies:read", **asked))


def test_the_token_is_good_with_its_certificate_and_with_no_other(guard, issuer):
    """RFC 8705 §3: also not with one under it, and not where nobody tells of certificates."""
    token = issuer.token(cnf={"x5t#S256": MINE.thumbprint})
    assert admit(guard, token, MINE).confirmation == {"x5t#S256": MINE.thumbprint}
    for certificate in (OTHER, None):
        with pytest.raises(InvalidToken):
            admit(guard, token, certificate)
    with pytest.raises(InvalidToken):
        guard.check(token, NOW)


def test_a_token_of_nobodys_is_good_with_any_certificate(guard, issuer):
    assert admit(guard, issuer.token(), MINE).confirmation is None


def test_a_token_that_is_bound_twice_needs_both(guard, issuer):
    """RFC 8705 §3, RFC 9449 §7.1."""
    token = issuer.token(cnf={"x5t#S256": MINE.thumbprint, "jkt": KEY.kid})

    def proof(jti):
        url = f"{AUDIENCE}/v1/studies"
        signed = sign_proof(KEY, method="GET", url=url, now=NOW, jti=jti, access_token=token)
        return b"dpop", signed.reveal_bytes()

    assert admit(guard, token, MINE, proof("1"))
    for certificate, more in ((MINE, ()), (OTHER, (proof("2"),)), (None, (proof("3"),))):
        with pytest.raises(InvalidToken):
            admit(guard, token, certificate, *more)


@pytest.mark.parametrize("cnf", [{"x5t#S256": 7}, {"x5t#S256": ""}, {"x5t": "a"}, {"kid": "a"}])
def test_a_binding_that_is_not_understood_is_not_skipped(guard, issuer, cnf):
    with pytest.raises(InvalidToken):
        admit(guard, issuer.token(cnf=cnf), MINE)

"""Secrets and tokens that look real, made for each run, to be hidden where they must be found."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from keyfob import client_secret
from keyfob.ambient import system_clock, system_entropy
from keyfob.client_secret import Prefix
from keyfob.jose import keys
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth import access_token
from keyfob.oauth.access_token import AccessToken
from keyfob.partner.scan import matching
from keyfob.secret import Secret


@dataclass(frozen=True)
class Planted:
    """A secret to hide somewhere."""

    secret: Secret

    @property
    def text(self) -> str:
        return self.secret.reveal()

    @property
    def body(self) -> bytes:
        return self.secret.reveal_bytes()

    @property
    def fingerprint(self) -> str:
        return matching.fingerprint(self.secret)


@pytest.fixture
def secret() -> Planted:
    return Planted(client_secret.make("Abcdefgh12", system_entropy(32)))


@pytest.fixture
def plant() -> Callable[[Prefix], Planted]:
    return lambda prefix: Planted(client_secret.make("Abcdefgh12", system_entropy(32), prefix=prefix))


@pytest.fixture(scope="session")
def signing_key():
    return keys.generate("ES256")


@pytest.fixture
def new_token(signing_key) -> Callable[[int], Planted]:
    """A real access token that expires in so many seconds."""

    def make(lifetime: int) -> Planted:
        now = system_clock()
        token = AccessToken(
            issuer="https://issuer.example", subject="cl_1", client_id="cl_1", audience="https://api.example",
            issued_at=now, expires_at=now + lifetime, jti="j1", scope=frozenset({"a"}), authorization_details=(),
            credential_id="Abcdefgh12",
        )  # fmt: skip
        return Planted(sign_access_token(access_token.write_claims(token), signing_key))

    return make

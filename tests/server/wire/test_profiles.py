"""Clients of published profiles: SMART Backend Services and FAPI 2.0, each held to its own rules on a real server."""

import time

import pytest

from keyfob.jose import jws, keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth import client_assertion, client_authentication

RESOURCE = "https://api.example"


class Client:
    def __init__(self, operator, profile: str, algorithm: str, *options: str) -> None:
        self.operator, self.key = operator, keys.generate(algorithm)
        file = operator.home.parent / f"{profile}-{algorithm}.jwks"
        file.write_bytes(keys.write_jwks([self.key.public_jwk()]))
        arguments = ("client", "create", "--partner", "Acme", "--name", f"{profile}-{algorithm}", "--jwks", file)
        arguments = (*arguments, "--scope", "studies:read", "--resource", RESOURCE, "--profile", profile)
        made = operator.run(*arguments, "--auth-method", "private_key_jwt", *options)
        self.client_id = made["client_id"]

    def ask(self, *, dpop: bool = False, lifetime: int = 300, **changes: object):
        now = int(time.time())
        claims = client_assertion.write_claims(
            self.client_id, audience=self.operator.issuer, now=now, jti=str(time.time_ns())
        )
        claims |= {"exp": now + lifetime} | changes
        asserted = client_authentication.write_assertion(jws.sign(claims, self.key, header=self.key.header("JWT")))
        url, proof = f"{self.operator.issuer}/oauth2/token", {}
        if dpop:
            made = sign_proof(keys.generate("ES256"), method="POST", url=url, now=now, jti=str(time.time_ns()))
            proof = {"dpop": made.reveal()}
        asked = {"grant_type": "client_credentials", "scope": "studies:read"} | asserted
        return self.operator.form("/oauth2/token", asked, extra=proof)

    @property
    def endpoint(self) -> str:
        return f"{self.operator.issuer}/oauth2/token"


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_smart_takes_its_two_algorithms_to_the_token_endpoint_for_five_minutes(operator, algorithm):
    """HL7 SMART App Launch 2.2, Backend Services: aud is the token URL, exp at most five minutes, tokens 300 s."""
    client = Client(operator, "smart", algorithm)
    answer = client.ask(aud=client.endpoint)
    assert (answer.status, answer.document["expires_in"]) == (200, 300)
    assert client.ask().status == 401
    assert client.ask(aud=client.endpoint, lifetime=400).status == 401


def test_an_algorithm_outside_the_profile_is_refused_also_when_its_key_is_registered(operator):
    """RFC 8725 §3.1."""
    smart = Client(operator, "smart", "ES256")
    assert smart.ask(aud=smart.endpoint).status == 401
    fapi = Client(operator, "fapi2", "RS256", "--dpop")
    assert fapi.ask(dpop=True).status == 401


def test_smart_clients_find_what_they_need(operator):
    document = operator.request("GET", "/.well-known/smart-configuration").document
    assert document["token_endpoint"] == f"{operator.issuer}/oauth2/token"
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert document["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]
    assert document["grant_types_supported"] == ["client_credentials"]
    assert "client-confidential-asymmetric" in document["capabilities"]


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA"])
def test_fapi_takes_the_issuer_alone_and_binds_each_token(operator, algorithm):
    """FAPI 2.0 Security Profile, section 5.3.2.1."""
    client = Client(operator, "fapi2", algorithm, "--dpop")
    answer = client.ask(dpop=True)
    assert (answer.status, answer.document["token_type"]) == (200, "DPoP")
    assert client.ask().document["error"] == "invalid_dpop_proof"
    assert client.ask(dpop=True, aud=client.endpoint).status == 401
    assert client.ask(dpop=True, aud=[operator.issuer, client.endpoint]).status == 401


def test_what_a_profile_excludes_is_said_when_the_client_is_made(operator, tmp_path):
    file = tmp_path / "x.jwks"
    file.write_bytes(keys.write_jwks([keys.generate("ES256").public_jwk()]))
    base = ("client", "create", "--partner", "Acme", "--name", "x", "--scope", "studies:read", "--resource", RESOURCE)
    by_key = ("--auth-method", "private_key_jwt", "--jwks", file)
    for options, code in (
        (("--profile", "smart"), "profile-needs-key"),
        (("--profile", "fapi2", "--dpop"), "profile-needs-key"),
        (("--profile", "fapi2", *by_key), "profile-needs-binding"),
        (("--profile", "smart", *by_key, "--token-lifetime", "301"), "profile-lifetime"),
    ):
        assert operator.run(*base, *options, status=2)["error"] == code

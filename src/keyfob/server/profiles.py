"""Published profiles that a client may follow, and what each asks beyond the core: one table.

SMART: HL7 SMART App Launch 2.2, Backend Services. FAPI2: FAPI 2.0 Security Profile, section 5.3.
"""

from dataclasses import dataclass

from keyfob.jose.algorithms import ALGORITHMS
from keyfob.oauth import client_assertion
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.problem import Misuse
from keyfob.server.settings import Settings
from keyfob.server.storage.records import Client, Profile


@dataclass(frozen=True, slots=True)
class Rules:
    """`audiences`: which names of ours (attributes of Settings) an assertion may have. Lifetimes in seconds."""

    assertion_algorithms: frozenset[str]
    assertion_lifetime: int
    audiences: tuple[str, ...]
    token_lifetime: int
    methods: frozenset[Method]
    needs_bound_tokens: bool
    takes_certificates: bool


RULES = {
    Profile.DEFAULT: Rules(
        frozenset(ALGORITHMS),
        client_assertion.MAX_LIFETIME,
        ("issuer", "token_endpoint"),
        900,
        frozenset(Method),
        needs_bound_tokens=False,
        takes_certificates=True,
    ),
    # https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
    Profile.SMART: Rules(
        frozenset({"RS384", "ES384"}),
        300,
        ("token_endpoint",),
        300,
        frozenset({Method.PRIVATE_KEY_JWT}),
        needs_bound_tokens=False,
        takes_certificates=False,
    ),
    # https://openid.net/specs/fapi-security-profile-2_0-final.html
    Profile.FAPI2: Rules(
        frozenset({"PS256", "ES256", "EdDSA"}),
        300,
        ("issuer",),
        900,
        frozenset({Method.PRIVATE_KEY_JWT, *METHODS_BY_CERTIFICATE}),
        needs_bound_tokens=True,
        takes_certificates=True,
    ),
}


def audiences(profile: Profile, settings: Settings) -> frozenset[str]:
    """What an assertion may call us: from configuration, and never from the request."""
    return frozenset(str(getattr(settings, name)) for name in RULES[profile].audiences)


def check(client: Client) -> None:
    """What excludes what, in words. Raises Misuse."""
    rules, name = RULES[client.profile], client.profile.value
    if not rules.takes_certificates and (client.certificate_bound or client.auth_method in METHODS_BY_CERTIFICATE):
        raise Misuse(
            "profile-without-certificates",
            f"the profile {name} has no client certificates: its clients sign, and its tokens are bearer tokens",
            hint="add --auth-method private_key_jwt --jwks FILE, or leave --profile out",
        )
    if client.auth_method not in rules.methods:
        raise Misuse(
            "profile-needs-key",
            f"the profile {name} has no secrets",
            hint="add --auth-method private_key_jwt --jwks FILE",
        )
    is_bound = client.dpop_bound or client.certificate_bound or client.auth_method in METHODS_BY_CERTIFICATE
    if rules.needs_bound_tokens and not is_bound:
        raise Misuse(
            "profile-needs-binding",
            f"the profile {name} has only bound tokens",
            hint="add --dpop, or --certificate-bound for tokens that are bound to its TLS certificate",
        )
    check_lifetime(client.profile, client.token_lifetime)


def check_lifetime(profile: Profile, token_lifetime: int) -> None:
    """Raises Misuse."""
    longest = RULES[profile].token_lifetime
    if token_lifetime > longest:
        raise Misuse(
            "profile-lifetime",
            f"the profile {profile.value} has tokens of at most {longest} s",
            hint=f"--token-lifetime {longest}",
        )

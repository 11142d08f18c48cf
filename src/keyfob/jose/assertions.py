"""RFC 7523 client assertions as signed JWTs: signature and claims are one call."""

from keyfob.jose import jws
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.jws import Header, InvalidJws
from keyfob.jose.keys import SigningKey, VerificationKey
from keyfob.oauth import client_assertion
from keyfob.oauth.client_assertion import ClientAssertion
from keyfob.oauth.errors import InvalidClient
from keyfob.secret import Secret

MAX_BYTES = 8192


class UnknownAssertionKey(InvalidClient):
    """The assertion names a key that the set does not hold: it may be newer than the set."""


def sign_assertion(client_id: str, key: SigningKey, *, audience: str, now: int, jti: str) -> Secret:
    """A statement that its bearer is `client_id`, for the issuer `audience`, good for a minute."""
    claims = client_assertion.write_claims(client_id, audience=audience, now=now, jti=jti)
    return jws.sign(claims, key, header=key.header(client_assertion.JWT_TYPE))


def verify_assertion(
    assertion: Secret,
    keys: ClientKeys,
    *,
    client_id: str,
    audiences: frozenset[str],
    now: int,
    max_lifetime: int,
    algorithms: frozenset[str] = frozenset(ALGORITHMS),
) -> ClientAssertion:
    """The assertion, when a key of `client_id` signed it and it is good now. Raises InvalidClient, reason in `detail`.

    RFC 7523 §3, RFC 8725 §3.11.
    """
    try:
        _, claims = jws.verify(assertion, lambda header: _keys_for(header, keys, algorithms), max_bytes=MAX_BYTES)
    except InvalidJws as invalid:
        raise InvalidClient(detail=f"the assertion cannot be believed: {invalid}") from invalid
    return client_assertion.read_claims(
        claims, client_id=client_id, audiences=audiences, now=now, max_lifetime=max_lifetime
    )


def _keys_for(header: Header, keys: ClientKeys, algorithms: frozenset[str]) -> tuple[VerificationKey, ...]:
    # RFC 8725 §3.11: what was signed as something else is no assertion; most libraries say JWT, or nothing.
    if "typ" in header and not any(jws.has_type(header, kind) for kind in ("jwt", client_assertion.JWT_TYPE)):
        raise InvalidClient(detail="the assertion's typ is another token's")
    if header.get("alg") not in algorithms:
        raise InvalidClient(detail="the assertion's alg is not one that this client may use")
    found = keys.may_have_signed(header)
    if not found:
        raise UnknownAssertionKey(detail="the assertion names a key that is not registered")
    return found

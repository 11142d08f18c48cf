"""Tokens that nobody may come in with, each by its fault: properly signed where the fault is another."""

import json
import time

from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from keyfob.jose import keys
from keyfob.jose.compact import encode
from keyfob.jose.keys import SigningKey


def make(issuer: str, audience: str, key: SigningKey, feed_key: SigningKey) -> dict[str, str]:
    """By name; good ones are the issuer's `key` and claims of now."""
    now = int(time.time())
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    claims = {
        "iss": issuer,
        "sub": "cl_1",
        "client_id": "cl_1",
        "aud": audience,
        "iat": now,
        "exp": now + 300,
        "jti": "j",
        "scope": "orders:read orders:write",
    }
    stranger = keys.generate("ES256")
    good = _sign(key, header, claims)
    head, body, signature = good.split(".")
    as_hmac_key = OctKey.import_key(json.dumps(key.public_jwk()))
    by_hmac = jws.serialize_compact({**header, "alg": "HS256"}, json.dumps(claims), as_hmac_key, ["HS256"])
    theirs = ECKey.import_key(stranger.to_secret().reveal_bytes())
    return {
        "alg none": f"{encode(json.dumps({**header, 'alg': 'none'}).encode()).decode()}.{body}.",
        "HMAC with the public key": by_hmac,
        "another alg than the key's": _sign(key, {**header, "alg": "ES384"}, claims),
        "typ of an ID token": _sign(key, {**header, "typ": "JWT"}, claims),
        "typ of the revocation feed": _sign(key, {**header, "typ": "keyfob-revocations+jwt"}, claims),
        "no typ": _sign(key, {"alg": "ES256", "kid": key.kid}, claims),
        "no kid": _sign(key, {"alg": "ES256", "typ": "at+jwt"}, claims),
        "a foreign kid": _sign(stranger, {**header, "kid": stranger.kid}, claims),
        "a stranger's signature under our kid": _sign(stranger, header, claims),
        "signed by the feed's key": _sign(feed_key, {**header, "kid": feed_key.kid}, claims),
        "an embedded jwk": _sign(
            stranger, {**header, "kid": stranger.kid, "jwk": theirs.as_dict(private=False)}, claims
        ),
        "a jku": _sign(stranger, {**header, "kid": stranger.kid, "jku": "https://evil.example/jwks"}, claims),
        "an x5u": _sign(stranger, {**header, "kid": stranger.kid, "x5u": "https://evil.example/x"}, claims),
        "an unknown critical extension": _sign(key, {**header, "crit": ["x"], "x": 1}, claims),
        "an unencoded payload": _sign(key, {**header, "b64": False}, claims),
        "a repeated header": _sign(key, json.dumps(header)[:-1] + ', "alg": "ES256"}', claims),
        "a repeated claim": _sign(key, header, json.dumps(claims)[:-1] + ', "exp": 9999999999}'),
        "a non-canonical signature": f"{head}.{body}.{_other_spelling(signature)}",
        "padding": f"{good}==",
        "a cut signature": good[:-4],
        "expired this second": _sign(key, header, {**claims, "exp": now}),
        "no exp": _sign(key, header, {name: value for name, value in claims.items() if name != "exp"}),
        "exp as text": _sign(key, header, {**claims, "exp": str(now + 300)}),
        "issued in the future": _sign(key, header, {**claims, "iat": now + 3600, "exp": now + 7200}),
        "not yet valid": _sign(key, header, {**claims, "nbf": now + 3600}),
        "another audience": _sign(key, header, {**claims, "aud": "https://other.example"}),
        "a list of audiences": _sign(key, header, {**claims, "aud": [audience, "https://other.example"]}),
        "another issuer": _sign(key, header, {**claims, "iss": "https://evil.example"}),
        "the issuer with a slash": _sign(key, header, {**claims, "iss": issuer + "/"}),
        "scope as a list": _sign(key, header, {**claims, "scope": ["orders:read", "orders:write"]}),
        "bound to a DPoP key, and borne": _sign(key, header, {**claims, "cnf": {"jkt": stranger.kid}}),
        "bound to a certificate, and none came": _sign(key, header, {**claims, "cnf": {"x5t#S256": "A" * 43}}),
        "bound to something unknown": _sign(key, header, {**claims, "cnf": {"x": "y"}}),
        "five parts": good + ".x.y",
        "not a token": "hello",
    }


def _sign(key: SigningKey, header: dict[str, object] | str, claims: dict[str, object] | str) -> str:
    head = header if isinstance(header, str) else json.dumps(header)
    body = claims if isinstance(claims, str) else json.dumps(claims)
    signing_input = encode(head.encode()) + b"." + encode(body.encode())
    return (signing_input + b"." + encode(key.algorithm.sign(key.private_key, signing_input))).decode()


def _other_spelling(signature: str) -> str:
    """The same bytes with other unused bits at the end (RFC 4648 §3.5): a decoder that is lax takes both."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]

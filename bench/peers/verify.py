"""One access token, verified by Python libraries of others: signature, issuer, audience and times. By `bench/guard.py`.

Reads a JSON object from its input, and writes the CPU microseconds of one verification for each, the median of rounds.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import jwt
from authlib.jose import JsonWebKey, JsonWebToken
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

ROUNDS = 5


def main() -> None:
    asked = json.load(sys.stdin)
    token, issuer, audience = asked["token"], asked["issuer"], asked["audience"]
    pyjwt_key = jwt.PyJWK.from_dict(asked["jwk"]).key
    joserfc_key = joserfc_jwk.import_key(asked["jwk"])
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience}
    )
    authlib_key, authlib_jwt = JsonWebKey.import_key(asked["jwk"]), JsonWebToken(["ES256"])
    wanted = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}

    def by_joserfc() -> None:
        registry.validate(joserfc_jwt.decode(token, joserfc_key, ["ES256"]).claims)

    ways: dict[str, Callable[[], object]] = {
        f"PyJWT {version('pyjwt')}": lambda: jwt.decode(
            token, pyjwt_key, algorithms=["ES256"], issuer=issuer, audience=audience
        ),
        f"joserfc {version('joserfc')}": by_joserfc,
        f"Authlib {version('authlib')}": lambda: authlib_jwt.decode(
            token, authlib_key, claims_options=wanted
        ).validate(),
    }
    print(json.dumps({what: cost(way, asked["count"]) for what, way in ways.items()}))


def cost(way: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            way()
        times.append(time.process_time() - began)
    return statistics.median(times) / count * 1e6


if __name__ == "__main__":
    main()

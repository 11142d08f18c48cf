"""One access token, verified by Python libraries of others: signature, issuer, audience and times. By `bench/guard.py`.

Reads a JSON object from its input, and writes for each the CPU seconds of its rounds, in turn with the bare signature.
"""

import json
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from importlib.metadata import version

import jwt
from authlib.jose import JsonWebKey, JsonWebToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt


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
    signed, _, last = token.encode().rpartition(b".")
    both = urlsafe_b64decode(last + b"==")
    signature = encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big"))
    how = ec.ECDSA(hashes.SHA256())

    def by_joserfc() -> None:
        registry.validate(joserfc_jwt.decode(token, joserfc_key, ["ES256"]).claims)

    ways: dict[str, Callable[[], object]] = {
        asked["bare"]: lambda: pyjwt_key.verify(signature, signed, how),
        f"PyJWT {version('pyjwt')}": lambda: jwt.decode(
            token, pyjwt_key, algorithms=["ES256"], issuer=issuer, audience=audience
        ),
        f"joserfc {version('joserfc')}": by_joserfc,
        f"Authlib {version('authlib')}": lambda: authlib_jwt.decode(
            token, authlib_key, claims_options=wanted
        ).validate(),
    }
    seen: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(asked["rounds"]):
        for what, way in ways.items():
            began = time.process_time()
            for _ in range(asked["count"]):
                way()
            seen[what].append(time.process_time() - began)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

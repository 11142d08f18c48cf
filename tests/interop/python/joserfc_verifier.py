import json
import os
import sys
import time

import given
import requests
from joserfc import jwk, jwt
from joserfc.errors import InvalidClaimError, JoseError

metadata = requests.get(given.ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
keys = jwk.KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
essential = {
    "iss": {"essential": True, "value": given.ISSUER},
    "aud": {"essential": True, "value": os.environ["AUDIENCE"]},
    "exp": {"essential": True},
}
# RFC 9449 §6.1: bound to the key of a proof, which is given as a JWK.
proven = os.environ.get("PROVEN")
jkt = jwk.import_key(json.loads(proven)).thumbprint() if proven else None
try:
    token = jwt.decode(given.secret(), keys, ["ES256"])
    jwt.JWTClaimsRegistry(now=int(time.time()), **essential).validate(token.claims)
    if token.claims.get("cnf", {}).get("jkt") != jkt:
        raise InvalidClaimError("cnf")
except (JoseError, ValueError) as refused:
    sys.exit(f"refused: {type(refused).__name__}")
given.say("joserfc", token.claims)

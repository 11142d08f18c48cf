import os
import sys
import time

import given
import requests
from joserfc import jwk, jwt
from joserfc.errors import JoseError

metadata = requests.get(given.ISSUER + "/.well-known/oauth-authorization-server", timeout=10).json()
keys = jwk.KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
essential = {
    "iss": {"essential": True, "value": given.ISSUER},
    "aud": {"essential": True, "value": os.environ["AUDIENCE"]},
    "exp": {"essential": True},
}
try:
    token = jwt.decode(given.secret(), keys, ["ES256"])
    jwt.JWTClaimsRegistry(now=int(time.time()), **essential).validate(token.claims)
except (JoseError, ValueError) as refused:
    sys.exit(f"refused: {type(refused).__name__}")
given.say("joserfc", token.claims)

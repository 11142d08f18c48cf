import json
import os
import sys
import urllib.request

import given
import jwt

with urllib.request.urlopen(given.ISSUER + "/.well-known/oauth-authorization-server") as document:
    jwks_uri = json.load(document)["jwks_uri"]
token = given.secret()
try:
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["ES256"], audience=os.environ["AUDIENCE"], issuer=given.ISSUER)
except jwt.PyJWTError as refused:
    sys.exit(f"refused: {type(refused).__name__}")
given.say("pyjwt", claims)

import json
import time

import given
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwk

key = jwk.import_key(json.loads(given.secret()))
# SMART wants an assertion of at most five minutes; the library's own has an hour.
claims = {"exp": int(time.time()) + 300} if given.PROFILE == "smart" else None
signed = PrivateKeyJWT(given.TOKEN_ENDPOINT, claims=claims, headers={"kid": key.kid}, alg=given.ALGORITHM)
session = OAuth2Session(given.CLIENT_ID, key, scope=given.SCOPE, token_endpoint_auth_method=signed)
try:
    answer = session.fetch_token(given.TOKEN_ENDPOINT, grant_type="client_credentials")
    answer["called"] = {"owner": session.get(given.CALL).status_code}
except OAuthError as refused:
    answer = {"error": refused.error}
given.say("authlib", answer)

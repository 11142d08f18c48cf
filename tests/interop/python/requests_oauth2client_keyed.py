import json

import given
import requests
from requests_oauth2client import (
    BearerToken,
    ClientSecretBasic,
    DPoPKey,
    DPoPToken,
    MissingDPoPNonce,
    OAuth2Client,
    PrivateKeyJwt,
)
from requests_oauth2client.exceptions import EndpointError

if given.METHOD == "private_key_jwt":
    # The library's audience is the token endpoint, as SMART wants it; FAPI 2.0 wants the issuer.
    audience = given.ISSUER if given.PROFILE == "fapi2" else None
    method = PrivateKeyJwt(given.CLIENT_ID, json.loads(given.secret()), alg=given.ALGORITHM, aud=audience)
else:
    method = ClientSecretBasic(given.CLIENT_ID, given.secret())
client = OAuth2Client.from_discovery_endpoint(issuer=given.ISSUER, auth=method)


def call(token: BearerToken) -> int:
    try:
        return requests.get(given.CALL, auth=token, timeout=10).status_code
    except MissingDPoPNonce as refused:  # so the library takes any challenge for a proof
        return refused.response.status_code


try:
    key = DPoPKey.generate() if given.BOUND else None
    token = client.client_credentials(scope=given.SCOPE, dpop=given.BOUND, dpop_key=key)
    called = {"owner": call(token)}
    if given.BOUND:
        client.client_credentials(scope=given.SCOPE, dpop=True, dpop_key=key)
        called["stranger"] = call(DPoPToken(token.access_token, _dpop_key=DPoPKey.generate()))
        called["bearer"] = call(BearerToken(token.access_token))
    said = {"access_token": token.access_token, "expires_in": token.expires_in, "scope": token.scope}
    answer = {**said, "token_type": token.token_type, "called": called}
except EndpointError as refused:
    answer = {"error": refused.error}
given.say("requests_oauth2client", answer)

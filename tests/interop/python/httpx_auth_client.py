"""This library has no call for a token alone: it fetches one for the first request that needs it."""

import given
import httpx
from httpx_auth import InvalidGrantRequest, OAuth2ClientCredentials

more = {name: value for name, value in (("scope", given.SCOPE), ("resource", given.RESOURCE)) if value}
try:
    auth = OAuth2ClientCredentials(given.TOKEN_ENDPOINT, given.CLIENT_ID, given.secret(), **more)
    sent = httpx.get(given.ISSUER + "/healthz", auth=auth).request
    answer = {"access_token": sent.headers["authorization"].removeprefix("Bearer ")}
except InvalidGrantRequest as refused:
    answer = {"error": str(refused).partition(":")[0]}
given.say("httpx-auth", answer)

import given
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

session = OAuth2Session(client=BackendApplicationClient(given.CLIENT_ID, scope=given.SCOPE))
secret = given.secret()
if given.METHOD == "basic":
    method = {"auth": HTTPBasicAuth(given.CLIENT_ID, secret)}
else:
    method = {"client_secret": secret, "include_client_id": True}
more = {"resource": given.RESOURCE} if given.RESOURCE else {}
try:
    token = session.fetch_token(given.TOKEN_ENDPOINT, **method, **more)
    answer = {**token, "scope": " ".join(token["scope"])}  # the library gives a list
except OAuth2Error as refused:
    answer = {"error": refused.error}
given.say("requests-oauthlib", answer)

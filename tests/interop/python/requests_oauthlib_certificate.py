import given
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2Session

session = OAuth2Session(client=BackendApplicationClient(given.CLIENT_ID, scope=given.SCOPE))
try:
    token = session.fetch_token(given.TOKEN_ENDPOINT, include_client_id=True, cert=given.CERTIFICATE)
    answer = {**token, "scope": " ".join(token["scope"])}  # the library gives a list
except OAuth2Error as refused:
    answer = {"error": refused.error}
given.say("requests-oauthlib", answer)

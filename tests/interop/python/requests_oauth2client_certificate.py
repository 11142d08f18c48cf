import given
import requests
from requests_oauth2client import OAuth2Client, PublicApp
from requests_oauth2client.exceptions import EndpointError

session = requests.Session()
session.cert = given.CERTIFICATE
# RFC 8705 §2: the client_id is in the body, and the proof in the handshake.
client = OAuth2Client(given.TOKEN_ENDPOINT, auth=PublicApp(given.CLIENT_ID), session=session)
try:
    answer = client.client_credentials(scope=given.SCOPE).as_dict()
except EndpointError as refused:
    answer = {"error": refused.error}
given.say("requests_oauth2client", answer)

import given
from requests_oauth2client import ClientSecretBasic, ClientSecretPost, OAuth2Client
from requests_oauth2client.exceptions import EndpointError

method = {"basic": ClientSecretBasic, "post": ClientSecretPost}[given.METHOD]
client = OAuth2Client.from_discovery_endpoint(issuer=given.ISSUER, auth=method(given.CLIENT_ID, given.secret()))
more = {"resource": given.RESOURCE} if given.RESOURCE else {}
try:
    answer = client.client_credentials(scope=given.SCOPE, **more).as_dict()
except EndpointError as refused:
    answer = {"error": refused.error}
given.say("requests_oauth2client", answer)

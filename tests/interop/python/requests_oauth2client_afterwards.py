import given
from requests_oauth2client import ClientSecretPost, OAuth2Client

client = OAuth2Client.from_discovery_endpoint(
    issuer=given.ISSUER, auth=ClientSecretPost(given.CLIENT_ID, given.secret())
)
token = client.client_credentials()
before = client.introspect_token(token)["active"]
client.revoke_access_token(token)
given.say("requests_oauth2client", {"before": before, "after": client.introspect_token(token)["active"]})

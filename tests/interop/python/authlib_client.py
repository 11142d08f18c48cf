import given
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

method = {"basic": "client_secret_basic", "post": "client_secret_post"}[given.METHOD]
session = OAuth2Session(given.CLIENT_ID, given.secret(), scope=given.SCOPE, token_endpoint_auth_method=method)
more = {"resource": given.RESOURCE} if given.RESOURCE else {}
try:
    answer = session.fetch_token(given.TOKEN_ENDPOINT, grant_type="client_credentials", **more)
except OAuthError as refused:
    answer = {"error": refused.error}
given.say("authlib", answer)

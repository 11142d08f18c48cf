import given
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session(given.CLIENT_ID, scope=given.SCOPE, token_endpoint_auth_method="none")
try:
    answer = session.fetch_token(given.TOKEN_ENDPOINT, grant_type="client_credentials", cert=given.CERTIFICATE)
except OAuthError as refused:
    answer = {"error": refused.error}
given.say("authlib", answer)

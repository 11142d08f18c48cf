import given
from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session(given.CLIENT_ID, given.secret(), token_endpoint_auth_method="client_secret_basic")
token = session.fetch_token(given.TOKEN_ENDPOINT, grant_type="client_credentials")["access_token"]


def is_active() -> bool:
    answer = session.introspect_token(given.ISSUER + "/oauth2/introspect", token=token, token_type_hint="access_token")
    return answer.json()["active"]


before = is_active()
session.revoke_token(given.ISSUER + "/oauth2/revoke", token=token, token_type_hint="access_token").raise_for_status()
given.say("authlib", {"before": before, "after": is_active()})

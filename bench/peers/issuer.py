"""Authlib in Flask as its documentation sets it up for client credentials and JWT access tokens, in memory.

Arguments: port, algorithm, client id, client secret, resource, scope. One synchronous worker of gunicorn, which closes
no connection. Says `ready` and its version.
"""

import os
import sys
from importlib.metadata import version

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.models import ClientMixin
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from gunicorn.app.base import BaseApplication
from joserfc.jwk import ECKey, KeySet, RSAKey

PORT, ALGORITHM, CLIENT_ID, CLIENT_SECRET, RESOURCE, SCOPE = sys.argv[1:]
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP, as all that it is compared with


class Client(ClientMixin):
    client_id = CLIENT_ID

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope if scope == SCOPE else ""

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


KEY = (ECKey.generate_key("P-256") if ALGORITHM == "ES256" else RSAKey.generate_key(3072)).as_dict(private=True)
KEY |= {"kid": "1", "alg": ALGORITHM, "use": "sig"}


class Tokens(JWTBearerTokenGenerator):
    def get_jwks(self) -> object:
        return KeySet.import_key_set({"keys": [KEY]})

    def get_audiences(self, client: object, user: object, scope: object) -> str:
        return RESOURCE


app = Flask(__name__)
server = AuthorizationServer(
    app, query_client=lambda name: Client() if name == CLIENT_ID else None, save_token=lambda *_: None
)
server.register_token_generator("default", Tokens(issuer=f"http://127.0.0.1:{PORT}", alg=ALGORITHM))
server.register_grant(grants.ClientCredentialsGrant)


@app.post("/oauth2/token")
def token() -> object:
    return server.create_token_response()


class OneWorker(BaseApplication):
    def load_config(self) -> None:
        chosen = {
            "bind": f"127.0.0.1:{PORT}",
            "worker_class": "gthread",
            "threads": 16,
            "keepalive": 60,
            "loglevel": "error",
            "control_socket_disable": True,
            "when_ready": lambda _: print(f"ready {version('authlib')}", flush=True),
        }
        for name, value in chosen.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> object:
        return app


OneWorker().run()

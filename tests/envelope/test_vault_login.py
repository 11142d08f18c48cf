"""How a process proves itself to a real OpenBao: by a token, by AppRole, and as a pod of Kubernetes does."""

import base64
import http.server
import json
import os
import ssl
import threading

import pytest

from keyfob.envelope import vault_login
from keyfob.envelope.format import Context
from keyfob.envelope.transit import TransitWrapper
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

CONTEXT = Context("installation-1", "pepper", "pepper-1", 1)
DATA_KEY = Secret(bytes(range(32)))


@pytest.fixture(scope="module")
def methods(bao_server, tls_files, tmp_path_factory):
    """Both ways in, with a role each that may use keys and no more; of Kubernetes only what answers for its tokens."""

    class Reviews(http.server.BaseHTTPRequestHandler):
        """https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/"""

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            is_good = asked["spec"]["token"] == service_account_token("partner")
            user = {"username": "system:serviceaccount:labs:partner", "uid": "u-1", "groups": []}
            found = {"authenticated": is_good, "user": user, "audiences": asked["spec"].get("audiences", [])}
            document = asked | {"status": found}
            content = json.dumps(document).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_): ...

    cluster = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reviews)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    cluster.socket = context.wrap_socket(cluster.socket, server_side=True)
    threading.Thread(target=cluster.serve_forever, daemon=True).start()

    admin = bao_server.admin
    admin.sys.enable_auth_method("approle")
    admin.auth.approle.create_or_update_approle("partner", token_policies=["partner"], token_ttl="1h")
    admin.sys.enable_auth_method("kubernetes", path="cluster-1")
    admin.auth.kubernetes.configure(
        f"https://localhost:{cluster.server_address[1]}",
        kubernetes_ca_cert=tls_files.ca.read_text(),
        mount_point="cluster-1",
    )
    bound = {"bound_service_account_names": ["partner"], "bound_service_account_namespaces": ["labs"]}
    admin.auth.kubernetes.create_role("partner", **bound, policies=["partner"], mount_point="cluster-1")
    yield admin
    cluster.shutdown()
    cluster.server_close()


def service_account_token(name: str) -> str:
    claims = {
        "sub": f"system:serviceaccount:labs:{name}",
        "aud": ["https://kubernetes.default.svc"],
        "iss": "https://kubernetes.default.svc",
        "iat": 1_600_000_000,
        "nbf": 1_600_000_000,
        "exp": 4_000_000_000,
        "kubernetes.io": {"namespace": "labs", "serviceaccount": {"name": name, "uid": "u-1"}},
    }
    parts = (json.dumps(one).encode() for one in ({"alg": "RS256", "typ": "JWT"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts), "c2lnbmF0dXJl"])


@pytest.fixture
def environ(bao, methods, tmp_path):
    """Of a machine that has no token."""
    return {name: value for name, value in bao.environ.items() if name != "VAULT_TOKEN"} | {"HOME": str(tmp_path)}


def private(path, text):
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return str(path)


def alive(admin) -> int:
    return len(admin.list("auth/token/accessors")["data"]["keys"])


def check_opens(name, environ, admin):
    """A token of a login is ended with the call that it was for."""
    before = alive(admin)
    wrapper = TransitWrapper.choose(name, environ)
    assert wrapper.unwrap(wrapper.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY
    assert alive(admin) == before


def refused(name, environ, *secrets) -> str:
    with pytest.raises(Problem) as caught:
        TransitWrapper.choose(name, environ)
    told = f"{caught.value!r} {caught.value.hint}"
    assert caught.value.hint and not [secret for secret in secrets if secret in told]
    return caught.value.code


def test_by_a_role_whose_secret_id_lies_in_a_private_file(bao, methods, environ, tmp_path):
    role_id = methods.auth.approle.read_role_id("partner")["data"]["role_id"]
    secret_id = methods.auth.approle.generate_secret_id("partner")["data"]["secret_id"]
    key, file = bao.new_key(), tmp_path / "secret-id"
    by_role = environ | {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID_FILE": private(file, secret_id)}
    check_opens(key, by_role, methods)
    check_opens(key, environ | {"BAO_ROLE_ID": role_id, "BAO_SECRET_ID": secret_id}, methods)
    file.write_text("another")
    assert refused(key, by_role, secret_id) == "vault-login"
    file.chmod(0o644)
    assert refused(key, by_role) == "file-too-open"
    file.unlink()
    assert refused(key, by_role) == "vault-login-file"
    assert refused(key, environ | {"VAULT_ROLE_ID": role_id}) == "no-secret-id"
    assert refused(key, by_role | {"VAULT_SECRET_ID_FILE": "", "VAULT_SECRET_ID": "another"}) == "vault-login"


def test_a_secret_id_that_was_used_up_is_told(bao, methods, environ):
    methods.auth.approle.create_or_update_approle("once", token_policies=["partner"], secret_id_num_uses=1)
    role_id = methods.auth.approle.read_role_id("once")["data"]["role_id"]
    once = methods.auth.approle.generate_secret_id("once")["data"]["secret_id"]
    by_role = environ | {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": once}
    key = bao.new_key()
    TransitWrapper.choose(key, by_role)
    assert refused(key, by_role, once) == "vault-login"


def test_by_the_token_of_a_pods_service_account_which_is_read_anew_at_each_use(bao, methods, environ, tmp_path):
    file = tmp_path / "token"
    file.write_text(service_account_token("partner"))
    pod = environ | {"VAULT_KUBERNETES_ROLE": "partner", "VAULT_AUTH_MOUNT": "cluster-1"}
    pod |= {"VAULT_KUBERNETES_TOKEN_FILE": str(file)}
    key = bao.new_key()
    check_opens(key, pod, methods)
    file.write_text(service_account_token("stranger"))
    assert refused(key, pod, service_account_token("stranger")) == "vault-login"
    file.write_text(service_account_token("partner"))
    check_opens(key, pod, methods)
    assert refused(key, pod | {"VAULT_AUTH_MOUNT": "cluster-2"}) == "vault-login"
    assert refused(key, {**pod, "VAULT_KUBERNETES_TOKEN_FILE": str(tmp_path / "none")}) == "vault-login-file"


def test_a_token_that_is_named_goes_first_and_is_not_ended(bao, methods, environ):
    token = bao.environ["VAULT_TOKEN"]
    check_opens(bao.new_key(), environ | {"VAULT_TOKEN": token, "VAULT_ROLE_ID": "nobody"}, methods)
    check_opens(bao.new_key(), environ | {"VAULT_TOKEN": token}, methods)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"VAULT_ROLE_ID": "a", "VAULT_KUBERNETES_ROLE": "b"}, "two-vault-logins"),
        ({"VAULT_ROLE_ID": "a", "VAULT_AUTH_MOUNT": "../sys"}, "bad-auth-mount"),
        ({"HOME": "/nonexistent"}, "no-vault-token"),
    ],
)
def test_what_names_no_way_in_is_misuse(said, code):
    with pytest.raises(Misuse) as caught:
        vault_login.choose(said)
    assert caught.value.code == code


def test_a_login_that_vault_cannot_answer_is_an_outage(bao, environ):
    away = environ | {"VAULT_ROLE_ID": "a", "VAULT_SECRET_ID": "b", "VAULT_ADDR": "https://127.0.0.1:1"}
    assert refused("vault:transit/any", away) == "transit-away"
    assert "VAULT_TOKEN" in os.environ, "what this process has is not looked at"

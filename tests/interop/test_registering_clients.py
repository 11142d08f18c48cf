"""Clients of others that register themselves (RFC 7591), and then ask for a token with the key that they registered."""

import json
import os
import shutil
import subprocess

import pytest

from interop.matrix import BUILT, HERE

RUN = HERE / "node" / "openid_client_register.mjs"


@pytest.fixture
def register(scene):
    if shutil.which("node") is None or not (BUILT / "node").exists():
        pytest.skip("node is not here")

    def run(token: str) -> dict[str, object]:
        given = {
            "PATH": os.environ["PATH"],
            "NODE_EXTRA_CA_CERTS": str(scene.ca),
            "ISSUER": scene.operator.issuer,
            "SCOPE": "studies:read",
        }
        done = subprocess.run(["node", RUN], input=token, env=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["answer"]

    return run


def test_openid_client_registers_with_its_key_and_gets_a_token(scene, register):
    """RFC 7591 §3.1, §3.2.1: found by discovery, and once for one initial access token."""
    token = scene.operator.allow("--study", "S.1")["initial_access_token"]
    answer = register(token)
    assert answer["has_token"] is True
    assert answer["registered"]["client_name"] == "openid-client"
    assert answer["registered"]["token_endpoint_auth_method"] == "private_key_jwt"
    assert answer["scope"] == "studies:read"
    shown = scene.operator.run("client", "show", answer["registered"]["client_id"])
    assert shown["registration"]["allowance"] == token.split("_")[1]
    assert register(token) == {"error": "invalid_token"}

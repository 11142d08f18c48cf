"""The admin API does what its OpenAPI document says, whatever is sent: tried by a program that knows nothing else."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from keyfob.ambient import system_clock
from keyfob.jose import keys
from keyfob.jose.assertions import sign_assertion
from keyfob.oauth import client_authentication
from keyfob.secret import Secret
from keyfob.server.admin.table import OPERATIONS
from keyfob.server.lifecycle.operators import SCOPES

PROGRAM = Path(sys.executable).with_name("st")
EXAMPLES = os.environ.get("KEYFOB_EXAMPLES", "3")
"""For each operation; what stands at a bound of the document comes on top."""
SEED = os.environ.get("KEYFOB_SEED", "1")
LEFT_OUT = "key.replace_all"
"""It ends the very token by which all others are asked."""
CONFIG = """headers = { Authorization = "Bearer ${ADMIN_TOKEN}" }

[phases.coverage]
unexpected-methods = ["DELETE"]

# What is in its form may still be refused for what there is (RFC 9110: 404, 409, 410, 412, 422). A 400 may not, and a
# 401 would mean that nothing is tried any more.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "410", "412", "422"]
"""


def test_nothing_is_found_in_the_admin_api(new_operator, tmp_path):
    operator = new_operator()
    operator.client("sync")
    operator.serve()
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    described = f"{operator.issuer}/admin/v1/openapi.json"
    # One thread: CPython 3.11 parses its own source in one at a time only (python/cpython#106905).
    bounds = ("--max-examples", EXAMPLES, "--seed", SEED, "--phases", "coverage,fuzzing", "--workers", "1")
    shown = ("--no-color", "--no-shrink", "--continue-on-failure", "--warnings", "off")
    trusted = ("--tls-verify", str(operator.home / "tls" / "ca.pem"))
    done = subprocess.run(
        [PROGRAM, "run", described, "--exclude-operation-id", LEFT_OUT, *bounds, *trusted, *shown],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"ADMIN_TOKEN": token(operator)},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f" {len(OPERATIONS) - 1} passed") == 2, f"not each was tried in both ways: {done.stdout}"
    assert "Traceback" not in operator.log
    assert operator.run("audit", "verify")["whole"] is True


def token(operator):
    """Of the first operator, for all of its scopes."""
    signer = keys.load(Secret((operator.home / "operator-key.pem").read_bytes()))
    jti = secrets.token_hex(16)
    assertion = sign_assertion(f"op_{signer.kid}", signer, audience=operator.issuer, now=system_clock(), jti=jti)
    form = {"grant_type": "client_credentials", "scope": " ".join(SCOPES), "resource": f"{operator.issuer}/admin"}
    body = urlencode(form | client_authentication.write_assertion(assertion)).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return operator.request("POST", "/oauth2/token", body, headers).document["access_token"]

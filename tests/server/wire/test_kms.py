"""The server with its keys in AWS KMS: an outage of it is said, passes, and is never got around by another key."""

import concurrent.futures
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa
from joserfc import jwk, jwt

from keyfob import databases
from keyfob.server import settings
from keyfob.server.storage.schema import TABLES
from kms import id_of, reached

ENTRY = "from keyfob.server.cli import main; main()"


@pytest.fixture(scope="module")
def cloud(kms_port, kms_admin):
    with reached(kms_port, kms_admin) as made:
        yield made


@pytest.fixture(scope="module")
def operator(new_operator, cloud):
    """Its key-encryption key is in KMS, its signing key still at home."""
    made = new_operator()
    made.run("key", "rewrap", "--kek", cloud.new_key())
    made.serve()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def info(operator):
    return operator.client("steady")


@pytest.fixture(autouse=True)
def well(cloud):
    yield
    cloud.proxy.set("pass")


def sign_now(operator, kid):
    """What a quarter of an hour would have done."""
    where = settings.load(operator.home, {}).database
    opened = databases.find(where, TABLES, environ={})
    with opened.write() as connection:
        values = {"at": int(time.time()), "kid": kid}
        connection.execute(sa.text("UPDATE signing_key SET not_before = :at WHERE kid = :kid"), values)
        connection.execute(sa.text("UPDATE installation SET revision = revision + 1"))
    opened.close()


@pytest.fixture(scope="module")
def place(operator, cloud):
    """The key in KMS that signs now: the running server took it up."""
    made = cloud.new_key("ECC_NIST_P256")
    kid = operator.run("key", "rotate", "--in", made)["kid"]
    assert kid in published(operator)
    sign_now(operator, kid)
    return made


def published(operator):
    return {key["kid"] for key in operator.request("GET", "/oauth2/jwks").document["keys"]}


def status(operator, path):
    return operator.request("GET", path).status


def read(operator, token):
    """As a library that is not ours reads it."""
    keys = jwk.KeySet.import_key_set(operator.request("GET", "/oauth2/jwks").document)
    return jwt.decode(token, keys, ["ES256"])


def test_an_outage_after_the_start_does_not_reach_a_key_that_was_opened_then(operator, info, cloud):
    """KMS is asked when a program starts, and no more."""
    cloud.proxy.set("away")
    cloud.proxy.calls.clear()
    token = operator.token(info, scope="studies:read")
    assert token.status == 200
    assert operator.introspect(token.document["access_token"], client=info)["active"] is True
    assert operator.feed()["revocations"] == []
    assert status(operator, "/readyz") == 200
    assert cloud.proxy.calls == []


def test_a_server_whose_key_encryption_key_is_away_does_not_start_and_says_why(operator, cloud):
    cloud.proxy.set("away")
    command = [sys.executable, "-c", ENTRY, "serve", "--home", str(operator.home), "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS KMS cannot be reached" in done.stderr and "hint" in done.stderr
    assert "Traceback" not in done.stderr


def test_tokens_and_signed_answers_are_signed_in_kms(operator, info, cloud, place):
    (kid,) = [key["kid"] for key in operator.run("key", "list")["keys"] if key["in"] == place]
    cloud.proxy.calls.clear()
    token = operator.token(info, scope="studies:read").document["access_token"]
    found = read(operator, token)
    assert (found.header["kid"], found.claims["client_id"]) == (kid, info.client_id)
    assert cloud.proxy.calls == ["sign"]
    accept = {"accept": "application/token-introspection+jwt"}
    answer = operator.post("/oauth2/introspect", {"token": token}, client=info, extra=accept)
    assert read(operator, answer.body.decode()).claims["token_introspection"]["active"] is True


def test_many_tokens_at_once_are_each_signed_and_recorded(operator, info, place):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: operator.token(info, scope="studies:read"), range(36)))
    assert {answer.status for answer in answers} == {200}
    ids = {read(operator, answer.document["access_token"]).claims["jti"] for answer in answers}
    assert len(ids) == 36
    recorded = {record["jti"] for record in operator.audit() if record["kind"] == "token_issued"}
    assert ids <= recorded


@pytest.mark.parametrize("trouble", ["away", "ThrottlingException", "AccessDeniedException", "KMSInternalException"])
def test_while_kms_does_not_sign_no_token_is_issued_and_that_is_said_everywhere(
    operator, info, cloud, place, until, trouble
):
    issued = sum(record["kind"] == "token_issued" for record in operator.audit())
    keys = published(operator)
    cloud.proxy.set(trouble, only="sign")
    refused = operator.token(info, scope="studies:read")
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["cache-control"] == "no-store"
    assert refused.document["error"] == "temporarily_unavailable"
    assert status(operator, "/readyz") == 503
    assert status(operator, "/healthz") == 200
    assert published(operator) == keys
    assert "alarm kind=signing_failed" in operator.log
    assert "kms-" in operator.log and "user/somebody" not in operator.log
    accept = {"accept": "application/token-introspection+jwt"}
    assert operator.post("/oauth2/introspect", {"token": "x"}, client=info, extra=accept).status == 503
    assert operator.introspect("x", client=info) == {"active": False}
    cloud.proxy.set("pass")
    until(lambda: status(operator, "/readyz") == 200)
    cloud.proxy.calls.clear()
    assert {status(operator, "/readyz") for _ in range(5)} == {200}
    assert cloud.proxy.calls == []  # what signed a moment ago is not asked
    assert operator.token(info, scope="studies:read").status == 200
    assert sum(record["kind"] == "token_issued" for record in operator.audit()) == issued + 1


def test_a_disabled_key_stops_tokens_until_it_is_enabled(operator, info, cloud, place):
    cloud.admin.disable_key(KeyId=id_of(place))
    assert operator.token(info, scope="studies:read").status == 503
    assert "code=kms-key-disabled" in operator.log
    cloud.admin.enable_key(KeyId=id_of(place))
    assert operator.token(info, scope="studies:read").status == 200


def test_a_kms_that_never_answers_holds_up_nobody_else(operator, info, cloud, place):
    """More requests than there are threads to sign: each ends in time, and the event loop answers others meanwhile."""
    cloud.proxy.set("hang", only="sign")
    answers = []

    def ask():
        answers.append(operator.token(info, scope="studies:read").status)

    asking = [threading.Thread(target=ask) for _ in range(24)]
    for one in asking:
        one.start()
    while cloud.proxy.calls[-1:] != ["sign"]:
        time.sleep(0.01)
    assert status(operator, "/healthz") == 200
    assert published(operator)
    assert answers == []  # all of them still wait
    for one in asking:
        one.join()
    assert answers == [503] * 24


def test_a_server_starts_without_its_signing_key_and_issues_once_it_is_there(operator, info, cloud, place, until):
    operator.stop()
    cloud.proxy.set("away", only="sign")
    operator.serve()
    assert status(operator, "/readyz") == 503
    assert published(operator)
    assert operator.feed()["revocations"] == []
    cloud.proxy.set("pass")
    until(lambda: status(operator, "/readyz") == 200)
    assert operator.token(info, scope="studies:read").status == 200


def test_an_emergency_leaves_kms_only_when_that_is_said(operator, info, cloud, place):
    before = operator.token(info, scope="studies:read").document["access_token"]
    assert operator.run("key", "rotate", "--emergency", "--yes", status=2)["error"] == "key-place"
    other = cloud.new_key("ECC_NIST_P256")
    made = operator.run("key", "rotate", "--emergency", "--yes", "--in", other)["kid"]
    assert operator.introspect(before, client=info) == {"active": False}
    assert read(operator, operator.token(info, scope="studies:read").document["access_token"]).header["kid"] == made
    at_home = operator.run("key", "rotate", "--emergency", "--yes", "--in", "file")["kid"]
    cloud.proxy.set("away")
    assert read(operator, operator.token(info, scope="studies:read").document["access_token"]).header["kid"] == at_home

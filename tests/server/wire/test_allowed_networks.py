"""Allow-lists on real sockets: the right secret from the wrong place is a wrong secret, in the same bytes."""

import base64
import dataclasses
import http.client

import pytest

from keyfob import client_secret

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = b"grant_type=client_credentials&scope=studies:read"
ELSEWHERE = ("--allow-network", "192.0.2.0/24", "--allow-network", "2001:db8::/32")


def said(answer):
    """All of an answer that does not change from one to the next."""
    own = answer.headers["keyfob-request-id"].encode()
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "keyfob-request-id")}
    return answer.status, tuple(sorted(headers.items())), answer.body.replace(own, b"ID")


def test_the_right_secret_from_elsewhere_is_refused_as_a_wrong_one(operator):
    info = operator.client("elsewhere", *ELSEWHERE)
    wrong = dataclasses.replace(info, client_secret=client_secret.make(info.credential_id, bytes(32)))
    refused = operator.token(info, scope="studies:read")
    assert (refused.status, refused.document["error"]) == (401, "invalid_client")
    assert said(refused) == said(operator.token(wrong, scope="studies:read"))
    told = operator.run("explain", refused.document["error_id"])
    assert (told["reason"], told["address"]) == ("address_not_allowed", "127.0.0.1")
    assert f"client allow {info.client_id}" in told["next_step"]
    assert operator.run("explain", operator.token(wrong).document["error_id"])["reason"] == "wrong_secret"
    # Nor does it read anything else.
    pair = base64.b64encode(f"{info.client_id}:{info.client_secret.reveal()}".encode()).decode()
    path = f"/partner/v1/refusals/{refused.document['error_id']}"
    assert operator.request("GET", path, headers={"authorization": f"Basic {pair}"}).status == 401


def test_a_changed_list_holds_from_the_next_request_on_and_is_audited(operator):
    info = operator.client("moving")
    assert operator.token(info, scope="studies:read").status == 200
    operator.run("client", "allow", info.client_id, "--network", "192.0.2.0/24")
    assert operator.token(info, scope="studies:read").status == 401
    operator.run("client", "allow", info.client_id, "--network", "127.0.0.1", "--network", "::1")
    assert operator.token(info, scope="studies:read").status == 200
    assert operator.run("client", "show", info.client_id)["networks"] == ["127.0.0.1/32", "::1/128"]
    operator.run("client", "allow", info.client_id, "--anywhere")
    assert operator.token(info, scope="studies:read").status == 200
    changes = [record for record in operator.audit() if record["kind"] == "client_networks_changed"]
    assert [(record["before"], record["networks"]) for record in changes[-3:]] == [
        ([], ["192.0.2.0/24"]),
        (["192.0.2.0/24"], ["127.0.0.1/32", "::1/128"]),
        (["127.0.0.1/32", "::1/128"], []),
    ]
    assert changes[-1]["actor"].startswith("operator:")


@pytest.fixture(scope="module")
def proxied(new_operator):
    """Plain HTTP behind a trusted proxy, as which the test speaks."""
    operator = new_operator()
    info = operator.client("behind", *ELSEWHERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYFOB_HTTP_TRUSTED_PROXY", "127.0.0.1")
        operator.serve()
    return operator, info


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("192.0.2.7", 200),
        ("2001:db8::7", 200),
        ("203.0.113.9, 192.0.2.7", 200),
        ("192.0.2.7, 203.0.113.9", 401),
        ("203.0.113.9", 401),
        ("192.0.2.7:4711", 401),
        ("", 401),
    ],
)
def test_behind_a_trusted_proxy_the_address_that_the_proxy_wrote_counts(proxied, forwarded, status):
    """The last element alone: what stands before it is the client's own word."""
    operator, info = proxied
    pair = base64.b64encode(f"{info.client_id}:{info.client_secret.reveal()}".encode()).decode()
    connection = http.client.HTTPConnection("localhost", operator.port, timeout=30)
    headers = {**FORM, "authorization": f"Basic {pair}", "x-forwarded-for": forwarded}
    connection.request("POST", "/oauth2/token", GRANT, headers)
    assert connection.getresponse().status == status
    connection.close()

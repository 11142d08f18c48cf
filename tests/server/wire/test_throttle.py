"""Guessing, on real sockets: slowed down for known and unknown ids alike, while the right client is served."""

import dataclasses
import time

import pytest

from keyfob.oauth.client_information import ClientInformation
from keyfob.secret import Secret
from keyfob.server.throttle import HELD


@pytest.fixture(scope="module")
def attacked(new_operator):
    operator = new_operator()
    info = operator.client("good")
    # So few that the minute's refill plays no part, however slow the machine is.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYFOB_LIMITS_FAILURES_PER_NETWORK_PER_MINUTE", "2")
        operator.serve()
    return operator, info


def guess(info: ClientInformation, number: int) -> ClientInformation:
    assert info.client_secret is not None
    wrong = info.client_secret.reveal()[:-1] + "x" * (1 + number)
    return dataclasses.replace(info, client_secret=Secret(wrong))


def test_guesses_are_answered_429_and_the_good_secret_200(attacked):
    operator, info = attacked
    for number in range(2):
        assert operator.token(guess(info, number), scope="studies:read").status == 401
        assert operator.token(info, scope="studies:read").status == 200
    # Now the network's share is used up. An unknown id, and whoever claims another address, hear the same.
    unknown = dataclasses.replace(guess(info, 99), client_id="cl_never_issued")
    slowed = [operator.token(guess(info, 98)), operator.token(unknown)]
    for answer in slowed:
        assert answer.status == 429
        assert answer.document["error"] == "too_many_requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-store", "application/json")
        assert set(answer.document) == {"error", "error_description", "error_id"}
    assert len(slowed[0].body) == len(slowed[1].body)
    assert slowed[0].headers.keys() == slowed[1].headers.keys()
    forged = {"content-type": "application/x-www-form-urlencoded", "x-forwarded-for": "203.0.113.5"}
    body = f"grant_type=client_credentials&client_id={info.client_id}&client_secret=kfs_guess".encode()
    assert operator.request("POST", "/oauth2/token", body, forged).status == 429
    assert operator.log.count("proxy_headers_ignored") == 1
    assert operator.token(info, scope="studies:read").status == 200


def test_the_reason_of_a_slowed_down_attempt_is_in_the_audit(attacked, until):
    operator, _ = attacked
    until(
        lambda: any(
            record.get("error") == "too_many_requests" and record["reason"] != "" for record in operator.audit(1000)
        )
    )


def test_a_client_that_keeps_no_token_has_its_share_of_a_minute_and_no_more(new_operator, monkeypatch):
    monkeypatch.setenv("KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE", "3")
    operator = new_operator()
    hasty, calm = operator.client("hasty"), operator.client("calm")
    operator.serve()
    answers = [operator.token(hasty, scope="studies:read") for _ in range(3)]
    began = time.monotonic()
    answers.append(operator.token(hasty, scope="studies:read"))
    assert time.monotonic() - began >= HELD  # so that it takes no time from the others
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert operator.token(calm, scope="studies:read").status == 200

"""`keyfob explain`: the reason of a refusal, asked of a real issuer with the vault's credential."""

import base64
import contextlib
import json

import pytest

from keyfob.oauth.wire import Response
from keyfob.partner import explaining, opening
from keyfob.partner.errors import Unreachable
from keyfob.problem import Misuse, Problem

ERROR_ID = "5f0c2b9e4d7a41c38f6e0d1b2a3c4d5e"
TOLD = {
    "error_id": ERROR_ID,
    "reason": "credential_retired",
    "explanation": "The secret is right,\x1b[31m but old.",
    "facts": {"live_credentials": ["a", "b"], "overlap_ended_at": 7},
    "next_step": "use the newest credential",
}


@pytest.fixture
def received(handoff, service, monkeypatch):
    """A vault with a credential; `service` answers what `service.told` says."""
    handoff.receive(handoff.message())
    service.told = (200, {}, json.dumps(TOLD).encode())
    service.headers = []

    def answer(method, headers, _body):
        service.headers.append((method, headers["authorization"]))
        return service.told

    service.handle[f"/partner/v1/refusals/{ERROR_ID}"] = answer
    monkeypatch.setenv("KEYFOB_CA_FILE", str(service.ca))
    return handoff


def explain(handoff, error_id=ERROR_ID):
    return opening.explain(error_id, vault=handoff.vault, private_key=handoff.private_key)


def test_the_reason_is_asked_for_with_the_credential_of_the_vault(received, service):
    told = explain(received, f" {ERROR_ID.upper()} ")
    assert (told.reason, told.next_step) == ("credential_retired", "use the newest credential")
    assert told.facts == (("live_credentials", "a, b"), ("overlap_ended_at", "7"))
    assert "\x1b" not in told.explanation
    ((method, authorization),) = service.headers
    pair = f"{received.info.client_id}:{received.info.client_secret.reveal()}".encode()
    assert (method, authorization) == ("GET", "Basic " + base64.b64encode(pair).decode())


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "unknown-error-id"), (401, "credential-refused"), (302, "malformed-response"), (500, "malformed-response")],
)
def test_each_other_answer_says_whose_move_is_next(received, service, status, code):
    service.told = (status, {"location": f"{service.url}/elsewhere"}, b"{}")
    with pytest.raises(Problem) as refused:
        explain(received)
    assert refused.value.code == code
    assert refused.value.hint
    assert len(service.headers) == 1


def test_an_id_that_is_none_is_asked_of_nobody(received, service):
    for text in ("", "rubbish", ERROR_ID[:-1], f"{ERROR_ID}/..", "../" + ERROR_ID):
        with pytest.raises(Misuse):
            explain(received, text)
    assert service.headers == []


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"facts": 1}'])
def test_no_answer_is_beyond_reading(body):
    with contextlib.suppress(Unreachable):
        assert explaining.read_response(ERROR_ID, Response(200, (), body)).facts == ()

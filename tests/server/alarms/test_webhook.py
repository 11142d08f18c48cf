"""Webhooks to a real HTTPS receiver: signed, verified, never redirected."""

import base64
import hashlib
import hmac

import pytest

from keyfob import tls
from keyfob.secret import Secret
from keyfob.server.alarms import webhook
from keyfob.server.alarms.alarm import Alarm, AlarmKind
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.alarms.webhook import Webhook, new_secret, read_key, sign

ALARM = Alarm("alarm_1", AlarmKind.SECRET_EXPOSED, 1_800_000_000, "https://id.example", "client cl_1", "cl_1", "::1")
SECRET = new_secret(b"k" * 32)


def hook(receiver, ca):
    return Webhook(receiver.url, read_key(SECRET), lambda: tls.client_context(ca, environ={}), clock=lambda: 77)


def test_an_alarm_arrives_as_json_with_a_signature_that_the_receiver_can_check(receiver, tls_files):
    hook(receiver, tls_files.ca).deliver(ALARM)
    headers, body = receiver.got.get(timeout=10)
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("alarm_1", "77")
    assert headers["content-type"] == "application/json"
    # As a receiver does it, from what it was given: the text behind whsec_.
    key = base64.b64decode(SECRET.reveal().removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, b"alarm_1.77." + body, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert b'"kind":"secret_exposed"' in body and b'"client_id":"cl_1"' in body
    assert b"whsec_" not in body


def test_the_published_example_of_standard_webhooks_is_signed_alike():
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    key = read_key(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    body = b'{"test": 2432232314}'
    signed = sign(key, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver, tls_files, status):
    receiver.status = status
    with pytest.raises(NotDelivered) as refused:
        hook(receiver, tls_files.ca).deliver(ALARM)
    assert not refused.value.again
    assert receiver.got.qsize() == 1


@pytest.mark.parametrize(("status", "again"), [(500, True), (503, True), (429, True), (400, False), (404, False)])
def test_what_may_pass_is_tried_again_and_what_will_not_is_not(receiver, tls_files, status, again):
    receiver.status = status
    with pytest.raises(NotDelivered, match=str(status)) as refused:
        hook(receiver, tls_files.ca).deliver(ALARM)
    assert refused.value.again is again


def test_a_receiver_that_cannot_prove_its_name_gets_nothing(receiver, make_tls, tmp_path):
    strangers = make_tls(tmp_path / "strangers")
    with pytest.raises(NotDelivered, match="not trusted"):
        hook(receiver, strangers.ca).deliver(ALARM)
    assert receiver.got.empty()


def test_a_receiver_that_is_away_is_tried_again_and_its_url_is_not_told(receiver, tls_files, port):
    receiver.url = f"https://localhost:{port}/T0P-SECRET-PATH"
    with pytest.raises(NotDelivered) as refused:
        hook(receiver, tls_files.ca).deliver(ALARM)
    assert refused.value.again
    assert "T0P" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "c" * 44, "whsec_not base64 at all, but long enough"])
def test_a_weak_or_malformed_secret_is_refused_unquoted(text):
    with pytest.raises(ValueError, match="whsec_ and at least") as refused:
        read_key(Secret(text))
    assert text in ("", "whsec_") or text not in str(refused.value)


def test_a_made_secret_has_256_bits():
    assert len(read_key(new_secret(bytes(webhook.KEY_BYTES))).reveal_bytes()) == 32

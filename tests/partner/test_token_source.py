"""How long a refusing issuer is left alone, driven without a socket: the clock and the answers are the test's."""

import gc
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.wire import Response
from keyfob.partner.errors import CredentialRefused, TokenDenied
from keyfob.partner.steps import Request
from keyfob.partner.token_source import EXPIRES_SOON, ExpiringCredential, HeldToken, TokenSource
from keyfob.secret import Secret

JSON = (b"content-type", b"application/json")
ISSUED = Response(200, (JSON,), b'{"access_token":"t","token_type":"Bearer","expires_in":300,"scope":"a"}')
INVALID_CLIENT = Response(401, (JSON,), b'{"error":"invalid_client","error_id":"e1"}')
SLOW_DOWN = Response(429, (JSON, (b"retry-after", b"20")), b'{"error":"slow_down"}')


@dataclass
class Issuer:
    """Answers every request for a token alike, and counts them."""

    answer: Response
    asked: int = 0

    def send(self, _request: Request) -> Response:
        self.asked += 1
        return self.answer

    async def send_async(self, request: Request) -> Response:
        return self.send(request)


@dataclass
class Partner:
    """One client's tokens, at a moment that a test chooses."""

    issuer: Issuer
    credential_id: str = "credential1"
    now: float = 1000.0
    source: TokenSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = TokenSource(
            issuer="https://issuer.example",
            client_id="cl_1",
            open_credential=self.open,
            transport=self.issuer,
            clock=lambda: self.now,
        )

    def open(self) -> ClientInformation:
        return ClientInformation(
            client_id="cl_1",
            client_secret=Secret("s"),
            client_id_issued_at=1,
            client_secret_expires_at=0,
            issuer="https://issuer.example",
            token_endpoint="https://issuer.example/oauth2/token",
            scope=frozenset({"a"}),
            resource=("https://api.example",),
            credential_id=self.credential_id,
            message_id="m1",
            issued_at=1,
            recipient_fingerprint="A" * 40,
        )

    def token(self) -> HeldToken:
        return self.source.token(frozenset({"a"}), resource="https://api.example")

    def refused(self) -> TokenDenied:
        with pytest.raises(TokenDenied) as refused:
            self.token()
        return refused.value


@pytest.fixture
def partner() -> Callable[[Response], Partner]:
    return lambda answer: Partner(Issuer(answer))


def test_a_refused_credential_is_asked_for_again_after_a_minute_and_then_ever_later_up_to_an_hour(partner):
    partner = partner(INVALID_CLIENT)
    for asked, seconds in enumerate((60, 120, 240, 480, 960, 1920, 3600, 3600), start=1):
        assert isinstance(partner.refused(), CredentialRefused)
        partner.now += seconds - 1
        assert "asked again in 1 s" in str(partner.refused())
        assert partner.issuer.asked == asked, "inside the stop nothing is sent"
        partner.now += 1


def test_a_client_that_is_resumed_gets_tokens_again_without_a_restart(partner):
    partner = partner(INVALID_CLIENT)
    partner.refused()
    partner.issuer.answer = ISSUED
    partner.now += 60
    assert partner.token().credential_id == "credential1"
    partner.now, partner.issuer.answer = partner.now + 300, INVALID_CLIENT
    partner.refused()
    assert "asked again in 60 s" in str(partner.refused()), "a success is a new beginning"


def test_a_newer_credential_is_asked_with_at_once(partner):
    partner = partner(INVALID_CLIENT)
    partner.refused()
    partner.credential_id, partner.issuer.answer = "credential2", ISSUED
    assert partner.token().credential_id == "credential2"


def test_a_busy_issuer_is_asked_again_when_it_said(partner):
    partner = partner(SLOW_DOWN)
    partner.refused()
    partner.issuer.answer = ISSUED
    assert "asked again in 20 s" in str(partner.refused())
    partner.now += 20
    assert partner.token()


@pytest.mark.parametrize("answer", [INVALID_CLIENT, SLOW_DOWN])
def test_a_refusal_that_is_repeated_keeps_nothing_of_its_callers_alive(partner, answer):
    class Payload:
        """What a caller had at hand, such as clinical data."""

    partner = partner(answer)

    def call() -> int:
        payload = Payload()
        frames = len(traceback.extract_tb(partner.refused().__traceback__))
        del payload
        return frames

    def call_holding() -> None:
        payload = Payload()
        with pytest.raises(TokenDenied):
            partner.token()
        assert payload

    depths = [call() for _ in range(5)]
    assert len(set(depths[1:])) == 1, "each call raises anew"
    call_holding()
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Payload)]


def saying(seconds: str) -> Response:
    return Response(200, (JSON, (b"keyfob-credential-expires-in", seconds.encode())), ISSUED.body)


def test_a_credential_that_ends_soon_is_told_once_and_its_successor_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    partner = Partner(Issuer(saying(str(5 * 24 * 3600))))
    for _ in range(3):
        partner.token()
        partner.now += 600
    assert caplog.messages == ["credential_expires client_id=cl_1 credential_id=credential1 seconds=432000"]
    partner.credential_id = "credential2"
    partner.token()
    assert len(caplog.messages) == 2 and "credential2" in caplog.messages[1]


@pytest.mark.parametrize("said", ["31536000", str(EXPIRES_SOON + 1), "", "-5", "soon", "99999999999"])
def test_an_end_that_is_far_or_malformed_is_not_told(caplog: pytest.LogCaptureFixture, said: str) -> None:
    Partner(Issuer(saying(said))).token()
    Partner(Issuer(ISSUED)).token()
    assert caplog.messages == []


def test_what_is_told_is_one_line_for_a_person() -> None:
    assert str(ExpiringCredential("cl_1", "c1", 432_000)) == (
        "the credential c1 of cl_1 stops working in 5 days: get its successor"
    )
    assert "in 1 h:" in str(ExpiringCredential("cl_1", "c1", 5))

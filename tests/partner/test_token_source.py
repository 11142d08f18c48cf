"""How long a refusing issuer is left alone, driven without a socket: the clock and the answers are the test's."""

import gc
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.issuer_clock import IssuerClock
from keyfob.oauth import http_date
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.wire import Response
from keyfob.partner import renewal
from keyfob.partner.errors import CredentialRefused, TokenDenied, Unreachable
from keyfob.partner.held import HeldToken
from keyfob.partner.issuer import Issuer as Asker
from keyfob.partner.proving import Proving
from keyfob.partner.steps import Request, Sleep, Wait
from keyfob.partner.telling import EXPIRES_SOON, ExpiringCredential, SkewedClock
from keyfob.partner.token_source import TokenSource
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
    wall: float = 1_700_000_000.0
    chance: float = 0.0
    source: TokenSource = field(init=False)

    def __post_init__(self) -> None:
        issuer_clock = IssuerClock(lambda: self.wall)
        asker = Asker(
            issuer="https://issuer.example",
            client_id="cl_1",
            open_credential=self.open,
            proving=Proving(now=issuer_clock.now, entropy=lambda count: bytes(count)),
            issuer_clock=issuer_clock,
            clock=lambda: self.now,
            chance=lambda: self.chance,
        )
        self.source = TokenSource(asker, transport=self.issuer, clock=lambda: self.now)

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


def test_whoever_is_first_renews_early_the_others_go_on_and_all_wait_late(partner):
    """RFC 6749 §5.1: never after its end; the two windows are shares of the lifetime."""
    partner = partner(ISSUED)
    first = partner.token()
    assert (first.times.renew_at, first.times.wait_at, first.expires_at) == (1225, 1285, 1300)
    partner.chance = 1.0
    assert renewal.times(1000, 10, chance=1.0).renew_at == 1006.5, "earlier by chance, and in proportion"
    partner.now = 1226
    renewing = partner.source.steps(frozenset({"a"}), resource="https://api.example")
    while not isinstance(step := next(renewing), Request):
        step.work()  # the vault is opened
    assert partner.token() is first, "somebody renews it already"
    partner.now = 1290
    waiting = partner.source.steps(frozenset({"a"}), resource="https://api.example")
    assert isinstance(next(waiting), Wait), "it is too late to go on with the old one"
    with pytest.raises(StopIteration) as done:
        renewing.send(ISSUED)
    assert done.value.value is not first
    with pytest.raises(StopIteration) as told:
        waiting.send(done.value.value)
    assert told.value.value is done.value.value


@pytest.mark.parametrize("answer", [SLOW_DOWN, Response(502, ((b"content-type", b"text/html"),), b"<html>")])
def test_an_ill_issuer_takes_nothing_away_as_long_as_the_token_is_good(partner, answer):
    partner = partner(ISSUED)
    first = partner.token()
    partner.issuer.answer, partner.now = answer, 1299
    assert partner.token() is first
    partner.now = 1300
    assert partner.refused().is_passing


def test_each_failure_in_a_row_is_followed_by_a_longer_pause_up_to_a_minute():
    assert [renewal.pause(None, failures, chance=1.0) for failures in (1, 2, 3, 7, 100)] == [1, 2, 4, 60, 60]
    assert renewal.pause(None, 3, chance=0.0) == 2
    assert [renewal.pause(20, 1, chance=chance) for chance in (0.0, 1.0)] == [20, 22], "never before it was said"
    assert renewal.pause(10**6, 1, chance=0.0) == 300


def test_a_short_pause_is_waited_for_by_who_has_no_token(partner):
    partner = partner(ISSUED)
    steps = partner.source.steps(frozenset({"a"}), resource="https://api.example")
    busy = Response(503, (JSON, (b"retry-after", b"2")), b'{"error":"temporarily_unavailable"}')
    slept, answers = [], [busy, busy, ISSUED]

    def drive() -> None:
        step = next(steps)
        while True:
            if isinstance(step, Request):
                step = steps.send(answers.pop(0))
            elif isinstance(step, Sleep):
                slept.append(step.seconds)
                partner.now += step.seconds
                step = steps.send(None)
            else:
                step = steps.send(step.work())

    with pytest.raises(StopIteration) as done:
        drive()
    assert isinstance(done.value.value, HeldToken)
    assert slept == [2, 2]


def test_retry_after_may_be_a_date_which_counts_from_the_answers_own():
    """RFC 9110 §10.2.3."""
    answered = (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")
    for said in (b"Sun, 06 Nov 1994 08:50:07 GMT", b"Sunday, 06-Nov-94 08:50:07 GMT", b"Sun Nov  6 08:50:07 1994"):
        assert http_date.read_retry_after([answered, (b"retry-after", said)]) == 30
    assert http_date.read_retry_after([answered, (b"retry-after", answered[1])]) == 0
    for nothing in (b"soon", b"-5", b"1.5", b"99999999", b""):
        assert http_date.read_retry_after([answered, (b"retry-after", nothing)]) is None
    assert http_date.read_retry_after([(b"retry-after", answered[1])]) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_date_or_none(value: bytes):
    assert http_date.read(value) is None or isinstance(http_date.read(value), int)


def test_a_clock_that_is_wrong_is_told_once_and_set_right_for_what_is_signed(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 9110 §6.6.1."""
    dated = Response(200, (JSON, (b"date", b"Tue, 14 Nov 2023 22:13:20 GMT")), ISSUED.body)  # 1700000000
    partner = Partner(Issuer(dated), wall=1_700_000_000.0 + 5)
    partner.token()
    assert caplog.messages == []
    partner = Partner(Issuer(dated), wall=1_700_000_000.0 + 90)
    for _ in range(3):
        partner.token()
        partner.now += 600
    assert caplog.messages == ["clock_skewed issuer=https://issuer.example seconds=90"]
    clock = IssuerClock(lambda: 1_700_000_090.0)
    assert clock.compare(dated.headers, took=6) is False, "an answer that took long tells nothing"
    assert clock.compare(dated.headers, took=1) is True
    assert clock.now() == 1_700_000_000
    assert str(SkewedClock("https://i.example", -90)).startswith("this machine's clock is 90 s behind that of")


def test_a_token_endpoint_that_redirects_is_refused(partner):
    """RFC 9700 §4.12."""
    partner = partner(Response(307, ((b"location", b"https://elsewhere.example/"),), b""))
    with pytest.raises(Unreachable) as refused:
        partner.token()
    assert refused.value.code == "redirect"
    assert partner.issuer.asked == 1


def test_a_token_is_held_for_exactly_what_it_was_asked_for(partner):
    partner = partner(ISSUED)
    wishes = [
        {"scope": frozenset({"a"}), "resource": "https://api.example"},
        {"scope": frozenset({"a"}), "resource": "https://other.example"},
        {"scope": frozenset({"a"}), "resource": "https://api.example", "details": (CdmsStudy("S.1"),)},
    ]
    held = [partner.source.token(**wish) for wish in wishes]
    assert [partner.source.token(**wish) for wish in wishes] == held
    assert partner.issuer.asked == len({id(one) for one in held}) == 3
    partner.credential_id, partner.now = "credential2", 1250
    renewed = partner.source.token(**wishes[0])
    assert renewed.identity.credential_id == "credential2"
    assert partner.source.token(**wishes[1]).credential_id == "credential2", "none of a replaced credential is used"


def test_a_refused_token_is_replaced_only_while_it_is_the_one_in_memory(partner):
    partner = partner(ISSUED)
    first = partner.token()
    second = partner.source.token(frozenset({"a"}), resource="https://api.example", refused=first)
    assert second is not first
    assert partner.source.token(frozenset({"a"}), resource="https://api.example", refused=first) is second
    assert partner.issuer.asked == 2
    partner.issuer.answer = SLOW_DOWN
    with pytest.raises(TokenDenied):
        partner.source.token(frozenset({"a"}), resource="https://api.example", refused=second)

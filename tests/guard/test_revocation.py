"""The guard and the revocation feed: seen in time, done without for a while, and never believed from a stranger."""

import asyncio

import pytest

from keyfob.guard import Guard, IssuerUnavailable
from keyfob.jose import keys
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.revocation_feed import Subject
from keyfob.problem import Problem
from keyfob.secret import Secret

AUDIENCE = "https://api.example"
NOW = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(issuer, clock) -> Guard:
    issuer.offer_feed(clock)
    return discover(issuer, clock)


def discover(issuer, clock, **options) -> Guard:
    chosen = {"resource_key": issuer.resource_key, "ca_file": issuer.ca, **options}
    return Guard.discover(issuer.url, audience=AUDIENCE, clock=clock, **chosen)


@pytest.fixture(autouse=True, scope="module")
def runner():
    """One event loop, as an API has: what was begun in the background may end there."""
    with asyncio.Runner() as running:
        verify.runner = running
        yield running


def verify(guard, token):
    return verify.runner.run(guard.verify(token))


def is_refused(guard, token) -> bool:
    try:
        verify(guard, token)
    except InvalidToken as refused:
        return "revoked" in refused.detail
    return False


@pytest.mark.parametrize(
    ("subject", "named"),
    [(Subject.CLIENT, "cl_1"), (Subject.CREDENTIAL, "cr_1"), (Subject.TOKEN, "j1"), (Subject.KEY, None)],
)
def test_what_is_withdrawn_is_refused_although_its_token_was_remembered(guard, issuer, clock, subject, named):
    token = issuer.token(jti="j1", credential_id="cr_1")
    other = issuer.token(jti="j2", credential_id="cr_2", client_id="cl_2", sub="cl_2")
    assert verify(guard, token) and verify(guard, other)
    issuer.withdraw(subject, named or issuer.key.kid)
    clock.now += 3
    assert is_refused(guard, token)
    assert is_refused(guard, other) is (subject is Subject.KEY)
    with pytest.raises(InvalidToken):
        guard.check(token, clock.now)


def test_a_feed_older_than_three_seconds_decides_nothing_while_a_newer_can_be_had(guard, issuer, clock):
    """So that with the second of two clocks a revocation is seen within five."""
    token = issuer.token()
    verify(guard, token)
    for _ in range(3):
        asked = issuer.asked.count("/revocations")
        clock.now += 3
        verify(guard, token)
        assert issuer.asked.count("/revocations") == asked + 1
    verify(guard, token)
    assert issuer.asked.count("/revocations") == asked + 1


def test_a_cutoff_spares_what_was_issued_after_it(guard, issuer, clock):
    issuer.withdraw(Subject.CLIENT, "cl_1", cutoff=NOW)
    assert is_refused(guard, issuer.token(iat=NOW))
    clock.now += 1
    assert verify(guard, issuer.token(iat=NOW + 1))


def test_a_newer_entry_of_a_subject_stands_in_place_of_the_older(guard, issuer, clock):
    """As after resume."""
    issuer.withdraw(Subject.CLIENT, "cl_1", cutoff=NOW + 30)
    assert is_refused(guard, issuer.token())
    issuer.withdraw(Subject.CLIENT, "cl_1", cutoff=NOW - 1)
    clock.now += 3
    assert verify(guard, issuer.token())


def test_only_what_is_new_is_fetched_and_nothing_that_was_seen_is_forgotten(guard, issuer, clock):
    issuer.withdraw(Subject.CLIENT, "cl_1")
    assert is_refused(guard, issuer.token())
    issuer.withdrawn.clear()
    issuer.offer_feed(clock, sequence=9)
    clock.now += 3
    assert is_refused(guard, issuer.token()), "a shrunken feed brings nothing back"


def test_without_the_issuer_it_goes_on_for_a_minute_and_then_admits_nobody(guard, issuer, clock, caplog):
    token = issuer.token(exp=NOW + 900)
    verify(guard, token)
    kept = dict(issuer.answers)
    issuer.answers.clear()
    for age in (10, 59):
        clock.now = NOW + age
        assert verify(guard, token)
    assert "not_reached what=revocation feed" in caplog.text
    clock.now = NOW + 60
    with pytest.raises(IssuerUnavailable) as refused:
        verify(guard, token)
    assert refused.value.status == 503
    with pytest.raises(IssuerUnavailable):
        guard.check(token, clock.now)
    issuer.answers.update(kept)
    clock.now += 1
    assert verify(guard, token)
    assert "reached_again" in caplog.text


def test_an_issuer_that_is_back_is_believed_by_the_very_next_request(guard, issuer, clock):
    """What was withdrawn while it was away is not admitted once more."""
    token = issuer.token(exp=NOW + 900)
    verify(guard, token)
    kept = dict(issuer.answers)
    issuer.answers.clear()
    clock.now += 10
    assert verify(guard, token)
    issuer.answers.update(kept)
    issuer.withdraw(Subject.CLIENT, "cl_1")
    clock.now += 10
    assert is_refused(guard, token)


def test_without_a_first_feed_nobody_is_admitted(guard, issuer):
    del issuer.answers["/revocations"]
    with pytest.raises(IssuerUnavailable):
        verify(guard, issuer.token())


def test_a_resource_that_the_issuer_does_not_know_is_told_what_to_do(issuer, clock, caplog):
    issuer.offer_feed(clock)
    with pytest.raises(IssuerUnavailable):
        verify(discover(issuer, clock, resource_key=keys.generate("ES256")), issuer.token())
    assert "register its resource.json" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [{"sequence": 0}, {"since": 7}, {"issued_at": NOW - 200}, {"issued_at": NOW + 200}],
    ids=["backwards", "another question", "old", "from the future"],
)
def test_a_feed_that_cannot_be_the_newest_is_not_believed(guard, issuer, clock, changes):
    issuer.withdraw(Subject.CLIENT, "cl_2")
    verify(guard, issuer.token())
    issuer.offer_feed(clock, **changes)
    issuer.withdraw(Subject.CLIENT, "cl_1")
    clock.now += 3
    assert verify(guard, issuer.token()), "it goes on with what it knew"
    clock.now = NOW + 60
    with pytest.raises(IssuerUnavailable):
        verify(guard, issuer.token())


def test_a_feed_by_a_token_key_is_not_believed_and_a_new_feed_key_is_found(guard, issuer, clock):
    verify(guard, issuer.token())
    issuer.feed_key, kept = issuer.key, issuer.feed_key
    issuer.withdraw(Subject.CLIENT, "cl_1")
    clock.now += 3
    assert verify(guard, issuer.token())
    issuer.feed_key = keys.generate("ES256")
    issuer.offer_feed(clock)
    assert kept.kid != issuer.feed_key.kid
    clock.now += 3
    assert is_refused(guard, issuer.token())


def test_an_issuer_without_a_feed_is_said_to_have_none(issuer, clock, caplog):
    one = discover(issuer, clock)
    for _ in range(2):
        clock.now += 3
        assert verify(one, issuer.token())
    assert caplog.text.count("issuer_without_revocation_feed") == 1


def test_the_key_of_a_resource_is_given_as_a_key_or_in_pem(issuer, clock):
    issuer.offer_feed(clock)
    issuer.withdraw(Subject.CLIENT, "cl_1")
    for given in (issuer.resource_key, issuer.resource_key.to_secret()):
        assert is_refused(discover(issuer, clock, resource_key=given), issuer.token())
    for wrong in (b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(Problem, match="resource key"):
            discover(issuer, clock, resource_key=Secret(wrong))

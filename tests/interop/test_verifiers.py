"""Verifiers that we did not write, against the published keys: good tokens pass, and no others."""

import time
from collections.abc import Callable

import pytest
from joserfc import jwk, jwt

from interop import matrix
from interop.matrix import VERIFIERS
from server.wire.conftest import until

each_verifier = pytest.mark.parametrize("verifier", VERIFIERS, ids=lambda verifier: verifier.name)


@pytest.fixture(scope="module")
def token(scene) -> Callable[..., str]:
    def get(**parameters: str) -> str:
        return str(scene.operator.token(scene.client, scope=matrix.SCOPE, **parameters).document["access_token"])

    return get


@each_verifier
def test_a_good_token_passes_with_its_claims(scene, token, verifier):
    found = scene.verify(verifier, token())
    assert found.status == 0, found.complaint
    assert found.answer["scope"] == matrix.SCOPE
    assert found.answer["client_id"] == found.answer["sub"] == scene.client.client_id


@each_verifier
def test_a_token_for_another_resource_is_refused(scene, token, verifier):
    assert refused(scene.verify(verifier, token(resource=matrix.OTHER)))


@each_verifier
def test_a_token_with_one_character_changed_is_refused(scene, token, verifier):
    good = token()
    changed = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
    assert refused(scene.verify(verifier, changed))


@each_verifier
def test_a_token_by_another_key_of_the_same_name_is_refused(scene, token, verifier):
    """The same header, the same claims, and a good signature, by a forger."""
    keys = jwk.KeySet.import_key_set(scene.operator.request("GET", "/oauth2/jwks").document)
    good = jwt.decode(token(), keys, ["ES256"])
    forged = jwt.encode(good.header, good.claims, jwk.ECKey.generate_key("P-256"), ["ES256"])
    assert refused(scene.verify(verifier, forged))


@pytest.fixture(scope="module")
def expired(scene) -> str:
    """A token of one second, when that second is over."""
    operator = scene.operator
    info = operator.client("short", "--token-lifetime", "1")
    answer = operator.token(info, scope="studies:read")
    # One second more, for who takes `exp` itself for still good.
    over = time.time() + 2
    until(lambda: time.time() > over)
    return str(answer.document["access_token"])


@each_verifier
def test_an_expired_token_is_refused(scene, expired, verifier):
    assert refused(scene.verify(verifier, expired))


def refused(run) -> bool:
    """Refused by the verifier, and not for want of something."""
    assert run.status == 1, run.complaint
    assert "refused: " in run.complaint, run.complaint
    return True

"""Envelopes under a key in the keyring of the operating system: a real Secret Service, and what is none."""

import sys
import threading

import pytest

from keyfob.ambient import system_entropy
from keyfob.envelope import format as envelopes
from keyfob.envelope import os_keyring as keyrings
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.envelope.os_keyring import KeyringProblem, KeyringWrapper
from keyfob.problem import Misuse
from keyfob.secret import Secret

CONTEXT = Context("installation-1", "pepper", "pepper-1", 1)
OTHER = Context("installation-1", "pepper", "pepper-2", 1)
PLAINTEXT = Secret("a secret")


def sealed(wrapper: KeyringWrapper) -> bytes:
    return envelopes.seal(PLAINTEXT, wrapper=wrapper, context=CONTEXT, entropy=system_entropy)


def test_a_secret_opens_with_the_key_of_the_keyring_in_its_place_alone(os_keyring):
    made = KeyringWrapper.create(entropy=system_entropy)
    again = KeyringWrapper.load(made.name)
    assert envelopes.open(sealed(made), wrapper=again, context=CONTEXT) == PLAINTEXT
    with pytest.raises(EnvelopeError):
        envelopes.open(sealed(made), wrapper=again, context=OTHER)
    other = KeyringWrapper.create(entropy=system_entropy)
    with pytest.raises(EnvelopeError) as refused:
        envelopes.open(sealed(made), wrapper=other, context=CONTEXT)
    assert refused.value.code == "envelope-other-key"


def test_a_key_that_is_gone_or_was_replaced_is_named(os_keyring):
    import keyring

    made = KeyringWrapper.create(entropy=system_entropy)
    keyring.set_password("keyfob", made.name, "a password of somebody")
    with pytest.raises(KeyringProblem) as refused:
        KeyringWrapper.load(made.name)
    assert refused.value.code == "keyring-key-damaged"
    made.delete()
    with pytest.raises(KeyringProblem) as refused:
        KeyringWrapper.load(made.name)
    assert refused.value.code == "keyring-key-missing" and made.name in refused.value.message


@pytest.mark.parametrize("name", ["", "keyring:", "keyring:../x", "keyring:0123456789abcdeF", "file:0123456789abcdef"])
def test_another_name_is_misuse(name):
    with pytest.raises(Misuse):
        KeyringWrapper.load(name)


class Anything:
    """As a package of somebody may put in the keyring's place."""

    kept: dict[str, str] = {}  # noqa: RUF012

    def set_password(self, _service, name, password):
        self.kept[name] = password


def test_a_keyring_that_is_not_the_operating_systems_is_given_nothing(monkeypatch):
    import keyring
    from keyring.backends import chainer, fail, null

    chain = type("Chain", (chainer.ChainerBackend,), {"backends": (Anything(),)})()
    for one in (Anything(), fail.Keyring(), null.Keyring(), chain):
        monkeypatch.setattr(keyring, "get_keyring", lambda one=one: one)
        with pytest.raises(Misuse) as refused:
            KeyringWrapper.create(entropy=system_entropy)
        assert refused.value.code == "no-keyring"
    assert Anything.kept == {}


def test_a_keyring_that_waits_for_a_person_is_waited_for_only_so_long(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(keyrings, "_backend", lambda: None)
    monkeypatch.setattr(keyrings, "PATIENCE", 0.05)
    with pytest.raises(KeyringProblem) as refused:
        keyrings._ask(lambda _: never.wait())
    assert refused.value.code == "keyring-locked"
    never.set()


def test_what_a_keyring_says_of_a_failure_is_not_repeated(monkeypatch):
    def fails(_):
        raise RuntimeError("cannot keep keyfob-key-1:AAAA")

    monkeypatch.setattr(keyrings, "_backend", lambda: None)
    with pytest.raises(KeyringProblem) as refused:
        keyrings._ask(fails)
    assert "AAAA" not in str(refused.value) and refused.value.__context__ is None


def test_where_the_package_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(Misuse) as refused:
        KeyringWrapper.load("keyring:0123456789abcdef")
    assert "[keyring]" in refused.value.hint

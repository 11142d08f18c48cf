"""Envelopes under a key in the transit engine of a real OpenBao, over verified TLS."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.ambient import system_entropy
from keyfob.envelope import format as envelopes
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.envelope.transit import TransitProblem, TransitWrapper
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

CONTEXT = Context("installation-1", "pepper", "pepper-1", 1)
PLACES = [
    Context("installation-2", "pepper", "pepper-1", 1),
    Context("installation-1", "signing-key", "pepper-1", 1),
    Context("installation-1", "pepper", "pepper-2", 1),
    Context("installation-1", "pepper", "pepper-1", 2),
]
DATA_KEY = Secret(bytes(range(32)))
PLAINTEXT = Secret("a secret")


@pytest.fixture
def wrapper(bao) -> TransitWrapper:
    return TransitWrapper.choose(bao.new_key(), os.environ)


def code(work) -> str:
    with pytest.raises(Problem) as refused:
        work()
    assert "root-for-tests" not in str(refused.value)
    return refused.value.code


def test_a_secret_opens_with_its_key_and_in_its_place_alone(bao, wrapper):
    sealed = envelopes.seal(PLAINTEXT, wrapper=wrapper, context=CONTEXT, entropy=system_entropy)
    assert envelopes.open(sealed, wrapper=wrapper, context=CONTEXT) == PLAINTEXT
    other = TransitWrapper.choose(bao.new_key(), os.environ)
    with pytest.raises(EnvelopeError) as refused:
        envelopes.open(sealed, wrapper=other, context=CONTEXT)
    assert refused.value.code == "envelope-other-key" and wrapper.name in refused.value.hint


def test_the_engine_itself_refuses_a_data_key_in_another_place(wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    assert wrapper.unwrap(wrapped, CONTEXT) == DATA_KEY
    for place in PLACES:
        with pytest.raises(EnvelopeError):
            wrapper.unwrap(wrapped, place)


def test_a_key_that_was_rotated_there_opens_what_was_wrapped_before(bao, wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    bao.admin.secrets.transit.rotate_key(name=wrapper.key.partition("/")[2])
    assert wrapper.unwrap(wrapped, CONTEXT) == DATA_KEY
    assert b"vault:v2:" in wrapper.wrap(DATA_KEY, CONTEXT)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"\x00\x0dtransit/key-1vault:v1:" + rest))
def test_any_other_form_of_a_wrapped_key_is_refused_before_it_is_sent(wrapped: bytes):
    with pytest.raises((EnvelopeError, Misuse)):  # Misuse: it would be sent, and there is no address here
        TransitWrapper.of("vault:transit/key-1", {}).unwrap(wrapped, CONTEXT)


def test_a_key_that_binds_no_place_is_refused_when_it_is_chosen(bao):
    for options in ({"key_type": "ed25519"}, {"derived": True}, {"key_type": "rsa-4096"}):
        assert code(lambda options=options: TransitWrapper.choose(bao.new_key(**options), os.environ)) == (
            "transit-key-use"
        )
    assert code(lambda: TransitWrapper.choose("vault:transit/absent", os.environ)) == "transit-key-missing"


@pytest.mark.parametrize("name", ["vault:", "vault:a/b/c", "vault:../sys", "vault:a b", "transit/key", "vault:a?b"])
def test_another_name_is_misuse(name):
    assert code(lambda: TransitWrapper.of(name, {})) == "bad-transit-key"


def test_each_failure_says_what_it_is_and_loses_nothing(bao, wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    environ = dict(bao.environ)
    for changed, said in (
        ({"VAULT_TOKEN": "another"}, "transit-denied"),
        ({"VAULT_ADDR": "https://127.0.0.1:1"}, "transit-away"),
        ({"VAULT_CACERT": "", "SSL_CERT_FILE": ""}, "transit-away"),  # nobody vouches for its certificate
        ({"VAULT_ADDR": "http://vault.example"}, "vault-address"),
        ({"VAULT_ADDR": ""}, "no-vault-address"),
        ({"VAULT_TOKEN": "", "HOME": "/nonexistent"}, "no-vault-token"),
    ):
        elsewhere = TransitWrapper.of(wrapper.name, environ | changed)
        assert code(lambda one=elsewhere: one.unwrap(wrapped, CONTEXT)) == said
    with pytest.raises(TransitProblem) as refused:
        TransitWrapper.of(wrapper.name, environ | {"VAULT_SKIP_VERIFY": "true", "VAULT_CACERT": ""}).wrap(
            DATA_KEY, CONTEXT
        )
    assert refused.value.code == "transit-away"
    assert wrapper.unwrap(wrapped, CONTEXT) == DATA_KEY


def test_an_agents_file_and_openbaos_own_variables_are_taken(bao, wrapper, tmp_path):
    (tmp_path / ".vault-token").write_text(bao.environ["VAULT_TOKEN"] + "\n")
    environ = {"BAO_ADDR": bao.url, "BAO_CACERT": str(bao.ca), "HOME": str(tmp_path)}
    assert TransitWrapper.of(wrapper.name, environ).unwrap(wrapper.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


def test_a_wrapper_shows_its_key_and_no_more(bao, wrapper):
    assert bao.environ["VAULT_TOKEN"] not in repr(wrapper)


def test_where_the_package_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hvac", None)
    with pytest.raises(Misuse) as refused:
        TransitWrapper.of("vault:key", {}).wrap(DATA_KEY, CONTEXT)
    assert "[vault]" in refused.value.hint

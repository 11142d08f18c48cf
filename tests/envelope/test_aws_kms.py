"""Envelopes under a key in AWS KMS, with a real server of it."""

import pytest

from keyfob.ambient import system_entropy
from keyfob.envelope import format as envelopes
from keyfob.envelope.aws_kms import AwsKmsWrapper
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from kms import id_of

CONTEXT = Context("installation-1", "pepper", "pepper-1", 1)
PLACES = [
    Context("installation-2", "pepper", "pepper-1", 1),
    Context("installation-1", "signing-key", "pepper-1", 1),
    Context("installation-1", "pepper", "pepper-2", 1),
    Context("installation-1", "pepper", "pepper-1", 2),
]
DATA_KEY = Secret(bytes(range(32)))
PLAINTEXT = Secret(b"a secret, and longer than KMS would take " * 200)


@pytest.fixture
def wrapper(cloud) -> AwsKmsWrapper:
    return AwsKmsWrapper.choose(cloud.new_key())


def test_a_secret_of_any_length_opens_with_its_key_and_in_its_place_alone(cloud, wrapper):
    """Only the data key goes to KMS."""
    sealed = envelopes.seal(PLAINTEXT, wrapper=wrapper, context=CONTEXT, entropy=system_entropy)
    assert envelopes.open(sealed, wrapper=wrapper, context=CONTEXT) == PLAINTEXT
    other = AwsKmsWrapper.choose(cloud.new_key())
    with pytest.raises(EnvelopeError) as refused:
        envelopes.open(sealed, wrapper=other, context=CONTEXT)
    assert refused.value.code == "envelope-other-key" and str(wrapper.key) in refused.value.hint


@pytest.mark.parametrize("place", PLACES)
def test_kms_itself_refuses_a_data_key_in_another_place(wrapper, place):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    assert wrapper.unwrap(wrapped, CONTEXT) == DATA_KEY
    with pytest.raises(EnvelopeError):
        wrapper.unwrap(wrapped, place)


def test_what_is_wrapped_says_which_key_opens_it(cloud, wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    assert AwsKmsWrapper.of(wrapped).key == wrapper.key
    assert AwsKmsWrapper.of(wrapped).unwrap(wrapped, CONTEXT) == DATA_KEY


def test_every_other_form_of_a_wrapped_key_is_refused(cloud, wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    cloud.proxy.calls.clear()
    named = 2 + wrapped[0] * 256 + wrapped[1]
    alias = wrapped[2:named].replace(b":key/", b":alias/")
    broken = [
        b"",
        wrapped[:2],
        wrapped[:30],
        wrapped[:named],
        b"\xff" + wrapped[1:],
        wrapped[:1] + b"\x01" + wrapped[2:],
    ]
    broken += [len(alias).to_bytes(2, "big") + alias + b"x", wrapped + bytes(4096), b"\x00\x03\xff\xff\xffx"]
    for one in broken:
        with pytest.raises(EnvelopeError):
            wrapper.unwrap(one, CONTEXT)
    assert cloud.proxy.calls == []
    with pytest.raises(EnvelopeError):
        wrapper.unwrap(wrapped[:-1] + bytes((wrapped[-1] ^ 1,)), CONTEXT)


def test_a_data_key_of_another_length_is_none(wrapper):
    with pytest.raises(EnvelopeError):
        wrapper.unwrap(wrapper.wrap(Secret(b"short"), CONTEXT), CONTEXT)


def test_a_disabled_key_is_an_outage_and_no_damage(cloud, wrapper):
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    cloud.admin.disable_key(KeyId=id_of(str(wrapper.key)))
    with pytest.raises(Problem) as refused:
        wrapper.unwrap(wrapped, CONTEXT)
    assert refused.value.code == "kms-key-disabled" and not isinstance(refused.value, EnvelopeError)


def test_a_key_that_does_not_encrypt_is_refused_when_it_is_chosen(cloud):
    with pytest.raises(Misuse):
        AwsKmsWrapper.choose(cloud.new_key("ECC_NIST_P256"))


def test_a_wrapper_shows_its_key_and_no_more(wrapper):
    assert "only-for-moto" not in repr(wrapper)

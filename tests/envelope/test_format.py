"""An envelope opens whole, with its own key, in its own place, or not at all."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyfob.ambient import system_entropy
from keyfob.envelope import format as envelopes
from keyfob.envelope.format import MAX_BYTES, Context, EnvelopeError
from keyfob.envelope.wrappers import KeyFileWrapper, PassphraseWrapper, Wrapper
from keyfob.secret import Secret

CONTEXT = Context(installation_id="installation-1", purpose="signing-key", record_id="kid-1", key_version=1)
texts = st.text(max_size=30)
contexts = st.builds(Context, texts, texts, texts, st.integers(0, 2**64 - 1))


@pytest.fixture(scope="module")
def wrapper(tmp_path_factory: pytest.TempPathFactory) -> Wrapper:
    return KeyFileWrapper.create(tmp_path_factory.mktemp("keys") / "kek")


def sealed(wrapper: Wrapper, plaintext: bytes = b"a secret of some length", context: Context = CONTEXT) -> bytes:
    return envelopes.seal(Secret(plaintext), wrapper=wrapper, context=context, entropy=system_entropy)


@given(plaintext=st.binary(max_size=500), context=contexts)
def test_any_secret_comes_back_whole_in_its_context(wrapper: Wrapper, plaintext: bytes, context: Context) -> None:
    envelope = sealed(wrapper, plaintext, context)
    assert envelopes.open(envelope, wrapper=wrapper, context=context).reveal_bytes() == plaintext


def test_every_changed_bit_is_refused(wrapper: Wrapper) -> None:
    """All of them, not a sample: an envelope has no byte that does not count."""
    envelope = sealed(wrapper)
    for bit in range(len(envelope) * 8):
        changed = bytearray(envelope)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnvelopeError):
            envelopes.open(bytes(changed), wrapper=wrapper, context=CONTEXT)


def test_every_changed_bit_is_refused_under_a_passphrase() -> None:
    wrapper = PassphraseWrapper(Secret("correct horse"), entropy=system_entropy, log2_n=14)
    envelope = sealed(wrapper)
    salt_begins = 5 + len("passphrase") + 2 + 3
    # The parameters, each bit; of the rest a sample, because each costs a derivation.
    for bit in [*range(salt_begins * 8), *range(salt_begins * 8, len(envelope) * 8, 41)]:
        changed = bytearray(envelope)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnvelopeError):
            envelopes.open(bytes(changed), wrapper=wrapper, context=CONTEXT)


def test_every_cut_envelope_and_every_addition_is_refused(wrapper: Wrapper) -> None:
    envelope = sealed(wrapper)
    for end in range(len(envelope)):
        with pytest.raises(EnvelopeError):
            envelopes.open(envelope[:end], wrapper=wrapper, context=CONTEXT)
    with pytest.raises(EnvelopeError):
        envelopes.open(envelope + b"\0", wrapper=wrapper, context=CONTEXT)


@pytest.mark.parametrize(
    "other",
    [
        Context("installation-2", "signing-key", "kid-1", 1),
        Context("installation-1", "pepper", "kid-1", 1),
        Context("installation-1", "signing-key", "kid-2", 1),
        Context("installation-1", "signing-key", "kid-1", 2),
        Context("installation-1s", "igning-key", "kid-1", 1),
    ],
)
def test_an_envelope_does_not_open_in_another_place(wrapper: Wrapper, other: Context) -> None:
    with pytest.raises(EnvelopeError):
        envelopes.open(sealed(wrapper), wrapper=wrapper, context=other)


@given(one=contexts, other=contexts)
def test_two_contexts_never_have_the_same_bytes(one: Context, other: Context) -> None:
    assert (one.associated_data() == other.associated_data()) == (one == other)


def test_a_wrapped_key_does_not_fit_another_envelope_of_the_same_key(wrapper: Wrapper) -> None:
    one, other = sealed(wrapper, b"one"), sealed(wrapper, b"two")
    header = len(one) - 12 - 3 - 16
    for mixed in (one[:header] + other[header:], other[:header] + one[header:]):
        with pytest.raises(EnvelopeError):
            envelopes.open(mixed, wrapper=wrapper, context=CONTEXT)


def test_another_key_is_told_from_damage(wrapper: Wrapper, tmp_path: Path) -> None:
    other = KeyFileWrapper.create(tmp_path / "other")
    with pytest.raises(EnvelopeError) as caught:
        envelopes.open(sealed(wrapper), wrapper=other, context=CONTEXT)
    assert caught.value.code == "envelope-other-key"
    assert str(tmp_path / "other") in caught.value.message


def test_another_kind_of_key_is_told_from_damage(wrapper: Wrapper) -> None:
    passphrase = PassphraseWrapper(Secret("correct horse"), entropy=system_entropy, log2_n=14)
    with pytest.raises(EnvelopeError) as caught:
        envelopes.open(sealed(wrapper), wrapper=passphrase, context=CONTEXT)
    assert caught.value.code == "envelope-other-kind"


def test_a_later_format_asks_for_an_upgrade(wrapper: Wrapper) -> None:
    envelope = sealed(wrapper)
    with pytest.raises(EnvelopeError) as caught:
        envelopes.open(envelope[:3] + b"\x02" + envelope[4:], wrapper=wrapper, context=CONTEXT)
    assert caught.value.code == "envelope-other-version" and "upgrade" in caught.value.hint


def test_the_same_secret_never_looks_the_same_twice(wrapper: Wrapper) -> None:
    one, other = sealed(wrapper), sealed(wrapper)
    assert one[-60:] != other[-60:]
    assert b"secret" not in one


def test_the_key_and_the_nonce_come_from_the_given_entropy(wrapper: Wrapper) -> None:
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    one = envelopes.seal(Secret("x"), wrapper=wrapper, context=CONTEXT, entropy=entropy)
    assert asked == [32, 12]
    assert one == envelopes.seal(Secret("x"), wrapper=wrapper, context=CONTEXT, entropy=entropy)


def test_what_is_too_large_is_refused_on_both_sides(wrapper: Wrapper) -> None:
    envelope = sealed(wrapper, b"x" * MAX_BYTES)
    assert len(envelopes.open(envelope, wrapper=wrapper, context=CONTEXT).reveal_bytes()) == MAX_BYTES
    with pytest.raises(ValueError):
        sealed(wrapper, b"x" * (MAX_BYTES + 1))
    with pytest.raises(EnvelopeError):
        envelopes.open(b"KFE\x01" * MAX_BYTES, wrapper=wrapper, context=CONTEXT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_bytes_raise_only_the_envelope_error(wrapper: Wrapper, content: bytes) -> None:
    for prefix in (b"", b"KFE\x01", b"KFE\x01\x04file\x00\x38"):
        with pytest.raises(EnvelopeError):
            envelopes.open(prefix + content, wrapper=wrapper, context=CONTEXT)

"""Key-encryption keys: RFC 5297 (SIV), RFC 7914 (scrypt), and a file that its owner alone may read."""

import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.ambient import system_entropy
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.envelope.wrappers import KeyFileWrapper, PassphraseWrapper, Wrapper
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

CONTEXT = Context("installation-1", "pepper", "pepper-1", 1)
OTHER = Context("installation-1", "pepper", "pepper-2", 1)
DATA_KEY = Secret(bytes(range(32)))


def passphrase(text: str = "correct horse") -> PassphraseWrapper:
    return PassphraseWrapper(Secret(text), entropy=system_entropy, log2_n=14)


@pytest.fixture(params=["file", "passphrase"])
def wrapper(request: pytest.FixtureRequest, tmp_path: Path) -> Wrapper:
    """Each kind passes the same tests."""
    return KeyFileWrapper.create(tmp_path / "kek") if request.param == "file" else passphrase()


def test_a_data_key_comes_back_in_its_context_only(wrapper: Wrapper) -> None:
    wrapped = wrapper.wrap(DATA_KEY, CONTEXT)
    assert DATA_KEY.reveal_bytes() not in wrapped
    assert wrapper.unwrap(wrapped, CONTEXT) == DATA_KEY
    with pytest.raises(EnvelopeError):
        wrapper.unwrap(wrapped, OTHER)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 30, 500])
def test_a_wrapped_key_of_another_length_is_refused(wrapper: Wrapper, length: int) -> None:
    with pytest.raises(EnvelopeError):
        wrapper.unwrap((wrapper.wrap(DATA_KEY, CONTEXT) * 10)[:length], CONTEXT)


def test_a_wrapper_shows_no_key(wrapper: Wrapper) -> None:
    assert "horse" not in repr(wrapper) and "Secret" not in repr(wrapper)


def test_a_key_file_is_its_owners_alone_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    created = KeyFileWrapper.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["kek"]
    assert KeyFileWrapper.load(path).unwrap(created.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.write_bytes(b"something")
    with pytest.raises(Misuse):
        KeyFileWrapper.create(path)
    assert path.read_bytes() == b"something"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kek"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead of modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    KeyFileWrapper.create(path)
    path.chmod(mode)
    with pytest.raises(Problem) as caught:
        KeyFileWrapper.load(path)
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead of owners")
def test_a_key_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it can read it, and put another in its place, whatever its mode."""
    path = tmp_path / "key"
    KeyFileWrapper.create(path)
    if os.getuid() == 0:
        os.chown(path, 4242, 4242)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(Problem) as refused:
        KeyFileWrapper.load(path)
    assert refused.value.code == "file-of-another" and refused.value.hint


def test_a_key_file_that_is_missing_or_in_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not there") as caught:
        KeyFileWrapper.load(tmp_path / "kek")
    assert caught.value.code == "key-file-missing"
    with pytest.raises(Problem, match="cannot be made"):
        KeyFileWrapper.create(tmp_path / "absent" / "kek")


@given(content=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(b"keyfob-key-1:".__add__)))
def test_a_key_file_with_other_content_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("key") / "kek"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Problem) as caught:
        KeyFileWrapper.load(path)
    assert caught.value.code == "key-file-damaged"


def test_two_key_files_do_not_hold_the_same_key(tmp_path: Path) -> None:
    KeyFileWrapper.create(tmp_path / "one")
    KeyFileWrapper.create(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


def test_a_wrong_passphrase_is_refused_as_such() -> None:
    wrapped = passphrase().wrap(DATA_KEY, CONTEXT)
    with pytest.raises(EnvelopeError, match="passphrase is wrong") as caught:
        passphrase("wrong horse").unwrap(wrapped, CONTEXT)
    assert caught.value.code == "envelope-other-key"


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(Misuse):
        passphrase("")


def test_each_data_key_has_a_salt_of_its_own() -> None:
    wrapper = passphrase()
    assert wrapper.wrap(DATA_KEY, CONTEXT)[3:19] != wrapper.wrap(DATA_KEY, CONTEXT)[3:19]


@pytest.mark.parametrize(
    "parameters", [(40, 8, 1), (19, 8, 1), (13, 8, 1), (1, 8, 1), (14, 255, 1), (14, 8, 255), (0, 0, 0)]
)
def test_a_cost_out_of_bounds_is_refused_before_it_is_paid(parameters: tuple[int, int, int]) -> None:
    """RFC 7914 §2: N = 2^40 would take 1 PiB."""
    wrapped = bytes(parameters) + passphrase().wrap(DATA_KEY, CONTEXT)[3:]
    started = time.process_time()
    with pytest.raises(EnvelopeError):
        passphrase().unwrap(wrapped, CONTEXT)
    assert time.process_time() - started < 1


def test_the_cost_is_read_from_the_envelope_so_that_it_may_rise() -> None:
    old, new = passphrase(), PassphraseWrapper(Secret("correct horse"), entropy=system_entropy, log2_n=15)
    assert new.unwrap(old.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY

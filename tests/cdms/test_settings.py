"""The API's keyfob.toml: read whole or refused with the mistake's name."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import settings as homes
from keyfob.cdms import settings
from keyfob.problem import Misuse
from keyfob.serving import Limits

WHOLE = b'[server]\nissuer = "https://localhost"\nresource = "https://localhost:9443"\n'


def test_the_limits_of_connections_are_those_of_the_other_server(tmp_path):
    (tmp_path / "keyfob.toml").write_bytes(WHOLE + b"[limits]\nmax_connections = 7\n")
    assert settings.load(tmp_path, {}).limits == Limits(max_connections=7)
    with pytest.raises(Misuse, match="max_connections_per_network"):
        settings.load(tmp_path, {"KEYFOB_LIMITS_MAX_CONNECTIONS_PER_NETWORK": "0"})


@given(st.binary(max_size=80), st.integers(0, len(WHOLE)))
def test_any_file_is_read_or_misuse(damage, place):
    for content in (damage, WHOLE[:place] + damage + WHOLE[place:]):
        with contextlib.suppress(Misuse):
            homes.read(settings.SETTINGS, content, where="x")

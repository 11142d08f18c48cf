"""keyfob.oauth.resource_indicator: RFC 8707."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import resource_indicator
from keyfob.oauth.errors import InvalidTarget


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example",
        "https://api.example:8443/v1",
        "http://localhost:80",
        "http://127.0.0.1:1",
        "http://[::1]:9",
    ],
)
def test_a_url_that_names_a_resource(url: str):
    assert resource_indicator.check(url) == url
    assert resource_indicator.check(url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "/v1",
        "http://api.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://api.example",
        "https://",
        "https://user@api.example",
        "https://user:pass@api.example",
        "https://api.example/#x",
        "https://api.example#",
        "https://api.example?",
        "https://api.example/?a=b",
        "https://api.example:port",
        "https://api.example:0",
        "https://api.example:99999",
        "https://api.example/a/../b",
        "https://api.example/a%2Fb",
        "https://api.example/a\\b",
        "https://api.example//a",
        "https://api.example/ä",
        "https://api .example",
        "https://[::1",
        "https://api.example/" + "a" * 600,
    ],
)
def test_a_url_that_could_be_taken_for_another_is_refused(url: str):
    """RFC 8707 §2, RFC 8414 §2, RFC 9728 §2: absolute, https, no fragment; ours besides: no user, a plain path."""
    with pytest.raises(InvalidTarget):
        resource_indicator.check(url)


@given(st.text(max_size=60) | st.text("htps:/.@#?%[]1a\\", max_size=20).map(lambda t: "https://" + t))
def test_any_text_is_a_resource_or_refused(text: str):
    with contextlib.suppress(InvalidTarget):
        checked = resource_indicator.check(text)
        assert resource_indicator.check(checked) == checked
        assert resource_indicator.covers(checked, checked)


@pytest.mark.parametrize(
    ("resource", "url", "covered"),
    [
        ("https://api.example", "https://api.example/v1/x?y=z", True),
        ("https://api.example", "https://API.example:443/v1", True),
        ("https://api.example/v1", "https://api.example/v1", True),
        ("https://api.example/v1", "https://api.example/v1/x", True),
        ("https://api.example/v1", "https://api.example/v10", False),
        ("https://api.example/v1", "https://api.example/", False),
        ("https://api.example", "http://api.example/v1", False),
        ("https://api.example", "https://api.example.evil.example/v1", False),
        ("https://api.example", "https://api.example@evil.example/v1", False),
        ("https://api.example", "https://api.example:8443/v1", False),
        ("https://api.example", "not a url", False),
    ],
)
def test_a_resource_covers_its_own_origin_and_path_alone(resource: str, url: str, covered: bool):
    assert resource_indicator.covers(resource, url) is covered

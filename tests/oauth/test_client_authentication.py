"""keyfob.oauth.client_authentication: RFC 6749 §2.3, RFC 7617."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import client_authentication as authentication
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import InvalidClient, InvalidRequest
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.secret import Secret


def basic(text: bytes, scheme: bytes = b"Basic") -> list[tuple[bytes, bytes]]:
    return [(b"authorization", scheme + b" " + base64.b64encode(text))]


@given(
    st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
)
def test_basic_credentials_come_back_as_they_were_written(client_id: str, secret: str):
    """RFC 6749 §2.3.1: both halves are form-encoded first."""
    header = authentication.write_basic(client_id, Secret(secret))
    presented = authentication.read([(b"authorization", header.reveal_bytes())], {})
    assert (presented.client_id, presented.method) == (client_id, Method.CLIENT_SECRET_BASIC)
    assert presented.secret == Secret(secret)


@pytest.mark.parametrize("text", [b"cl_1:kfs_a-b", b"cl%5F1:kfs%5Fa%2Db", b"%63l_1:kfs_a-b"])
def test_raw_and_fully_encoded_halves_are_the_same(text: bytes):
    """Some libraries encode even `-` and `_`, many encode nothing: RFC 6749 appendix B reads both."""
    presented = authentication.read(basic(text, b"bASIC"), {"client_id": "cl_1"})
    assert presented.client_id == "cl_1"
    assert presented.secret == Secret("kfs_a-b")


def test_a_secret_in_the_body():
    """RFC 6749 §2.3.1: allowed beside Basic, and only in the body."""
    presented = authentication.read([], {"client_id": "cl_1", "client_secret": "s"})
    assert (presented.client_id, presented.method) == ("cl_1", Method.CLIENT_SECRET_POST)
    assert presented.secret == Secret("s")
    assert "s" not in repr(presented).replace("secret", "").replace("Presented", "").split("Secret(")[1]


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (basic(b"a:b") * 2, {}),
        (basic(b"a:b"), {"client_secret": "b"}),
        (basic(b"a:b"), {"client_id": "c"}),
    ],
)
def test_two_methods_or_two_ids_are_an_invalid_request(headers, form):
    """RFC 6749 §2.3, §2.3.1, RFC 9110 §5.3: a client uses one method, is one client, and sends one header."""
    with pytest.raises(InvalidRequest):
        authentication.read(headers, form)


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ([], {}),
        ([], {"client_id": "a"}),
        ([], {"client_secret": "b"}),
        ([], {"client_id": "a b", "client_secret": "b"}),
        ([], {"client_id": "a", "client_secret": "b" * 1025}),
        ([], {"client_id": "a", "client_assertion": "x", "client_assertion_type": "y"}),
        ([(b"authorization", b"Bearer abc")], {}),
        ([(b"authorization", b"Basic")], {}),
        ([(b"authorization", b"Basic !!!!")], {}),
        ([(b"authorization", b"Basic YTpi=")], {}),
        ([(b"authorization", b"Basic YTpj Yg==")], {}),
        ([(b"authorization", b"Basic YTpiYx==")], {}),
        (basic(b"no colon"), {}),
        (basic(b":b"), {}),
        (basic(b"a:"), {}),
        (basic(b"a:%zz"), {}),
        (basic(b"a:\xff"), {}),
        (basic(b"a:\0"), {}),
        (basic(b"a:" + b"b" * 3000), {}),
    ],
)
def test_absent_or_unreadable_credentials_are_an_invalid_client_that_says_nothing(headers, form):
    """RFC 6749 §3.2.1, §5.2: 401, and one public text whatever the reason."""
    with pytest.raises(InvalidClient) as refused:
        authentication.read(headers, form)
    assert refused.value.status == 401
    assert refused.value.description == InvalidClient().description


@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda b: b"Basic " + base64.b64encode(b)))
def test_any_header_is_read_or_refused(header: bytes):
    with contextlib.suppress(InvalidClient, InvalidRequest):
        authentication.read([(b"authorization", header)], {})


NAMES = st.sampled_from(["client_id", "client_secret", "client_assertion", "client_assertion_type"])


@given(st.dictionaries(NAMES, st.text(max_size=40)))
def test_any_form_is_read_or_refused(form: dict[str, str]):
    with contextlib.suppress(InvalidClient, InvalidRequest):
        authentication.read([], form)


def assertion(claims: bytes = b'{"sub":"https://api.example"}') -> dict[str, str]:
    text = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.AAAA"
    return authentication.write_assertion(Secret(text))


def test_an_assertion_names_its_client_by_its_subject():
    """RFC 6749 §2.3.2, RFC 7521 §4.2, RFC 7523 §2.2."""
    presented = authentication.read([], assertion())
    assert (presented.client_id, presented.method) == ("https://api.example", Method.PRIVATE_KEY_JWT)
    assert authentication.read([], assertion() | {"client_id": "https://api.example"}) == presented
    with pytest.raises(InvalidRequest):
        authentication.read([], assertion() | {"client_id": "https://other.example"})


def test_an_assertion_of_an_unknown_type_is_none():
    """RFC 7521 §4.2."""
    for kind in ("urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "", "jwt"):
        with pytest.raises(InvalidClient):
            authentication.read([], assertion() | {"client_assertion_type": kind})


def test_with_a_certificate_the_client_id_alone_says_who_it_is():
    """RFC 8705 §2: and without one it says nothing."""
    certificate = PresentedCertificate(b"der")
    presented = authentication.read([], {"client_id": "cl_1"}, certificate)
    assert (presented.client_id, presented.method) == ("cl_1", Method.TLS_CLIENT_AUTH)
    with pytest.raises(InvalidClient):
        authentication.read([], {"client_id": "cl_1"})
    in_body = authentication.read([], {"client_id": "cl_1", "client_secret": "s"}, certificate)
    assert in_body.method is Method.CLIENT_SECRET_POST

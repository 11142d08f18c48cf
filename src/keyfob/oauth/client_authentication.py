"""RFC 6749 §2.3: how a client says who it is. What is read here is only presented, not proven."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from keyfob.oauth import client_assertion, strict_json
from keyfob.oauth import form as forms
from keyfob.oauth.errors import InvalidClient, InvalidRequest
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.wire import Headers, values
from keyfob.secret import Secret


class Method(StrEnum):
    """RFC 7591 §2 and RFC 8705 §2: the names of `token_endpoint_auth_method`."""

    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105  # the name of a method
    CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105
    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS_CLIENT_AUTH = "tls_client_auth"
    SELF_SIGNED_TLS_CLIENT_AUTH = "self_signed_tls_client_auth"


@dataclass(frozen=True, slots=True)
class PresentedCredential:
    """Who a request says it is, by exactly one method, and its unproven secret (for PRIVATE_KEY_JWT, its assertion).

    Of TLS_CLIENT_AUTH, which here stands for both ways of RFC 8705 §2 (the registration tells which), there is the
    certificate, and for a secret its thumbprint.
    """

    client_id: str
    method: Method
    secret: Secret
    certificate: PresentedCertificate | None = None


METHODS_BY_CERTIFICATE = frozenset({Method.TLS_CLIENT_AUTH, Method.SELF_SIGNED_TLS_CLIENT_AUTH})


_MAX_BYTES = 1024
_MAX_ASSERTION = 8192
_ASSERTION = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


def read(
    headers: Headers, form: Mapping[str, str], certificate: PresentedCertificate | None = None
) -> PresentedCredential:
    """The one credential of a request.

    `certificate`: the one of its TLS connection. It is the credential of who sends no other; beside another, a client
    has it for its tokens' sake (RFC 8705 §3).

    RFC 6749 §2.3: a client uses at most one method. Raises InvalidRequest for two of them or for ids that differ, and
    InvalidClient for none or for one that cannot be read.
    """
    found = values(headers, b"authorization")
    # RFC 9110 §5.3: a header that is no list, such as Authorization, stands once.
    if len(found) > 1:
        raise InvalidRequest("more than one Authorization header")
    has_assertion = "client_assertion" in form or "client_assertion_type" in form
    # RFC 6749 §2.3: a client authenticates by one method a request.
    if len([way for way in (found, has_assertion, "client_secret" in form) if way]) > 1:
        raise InvalidRequest("credentials by more than one method: use one")
    if has_assertion:
        return _read_assertion(form)
    # RFC 8705 §2: with a certificate, the client_id alone says who it is.
    if certificate is not None and not found and "client_secret" not in form and "client_id" in form:
        thumbprint = certificate.thumbprint
        return _presented(form["client_id"], Method.TLS_CLIENT_AUTH, thumbprint, certificate)
    if not found:
        return _read_body(form)
    presented = _read_basic(found[0])
    # RFC 6749 §2.3.1: a client_id beside Basic is the same client's.
    if form.get("client_id", presented.client_id) != presented.client_id:
        raise InvalidRequest("client_id differs from the one in the Authorization header")
    return presented


def _read_body(form: Mapping[str, str]) -> PresentedCredential:
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if client_id is None or secret is None:
        raise InvalidClient(detail="no credentials came: was the Authorization header stripped on the way?")
    return _presented(client_id, Method.CLIENT_SECRET_POST, secret)


def _read_assertion(form: Mapping[str, str]) -> PresentedCredential:
    """RFC 7521 §4.2; the client is the assertion's `sub`, which `client_id` may only repeat."""
    # RFC 7521 §4.2: an assertion comes with its type.
    if form.get("client_assertion_type") != client_assertion.TYPE:
        raise InvalidClient(detail="client_assertion_type is missing or none that is served")
    assertion = form.get("client_assertion", "")
    parts = _ASSERTION.fullmatch(assertion) if len(assertion) <= _MAX_ASSERTION else None
    if parts is None:
        raise InvalidClient(detail="client_assertion is no compact JWS")
    try:
        claims = strict_json.parse(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError as broken:
        raise InvalidClient(detail="client_assertion cannot be decoded") from broken
    # Unverified: it only says whose keys to try.
    client_id = client_assertion.subject(claims if isinstance(claims, dict) else {})
    # RFC 7521 §4.2: client_id is needless, and may only repeat the assertion's sub.
    if form.get("client_id", client_id) != client_id:
        raise InvalidRequest("client_id differs from the assertion's sub")
    return PresentedCredential(client_id, Method.PRIVATE_KEY_JWT, Secret(assertion))


def _read_basic(header: bytes) -> PresentedCredential:
    """RFC 7617 §2 with the form-encoding of RFC 6749 §2.3.1; what holds no `%` and no `+` reads the same raw."""
    scheme, _, encoded = header.partition(b" ")
    encoded = encoded.strip(b" ")
    if scheme.lower() != b"basic" or len(encoded) > _MAX_BYTES * 2 or not _BASE64.fullmatch(encoded):
        raise InvalidClient(detail="the Authorization header is not Basic")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise InvalidClient(detail="the Authorization header is not base64") from None
    if base64.b64encode(decoded) != encoded:
        raise InvalidClient(detail="the Authorization header is not canonical base64")
    client_id, colon, secret = decoded.partition(b":")
    if not colon:
        raise InvalidClient(detail="the Basic credentials have no colon")
    try:
        return _presented(forms.decode(client_id), Method.CLIENT_SECRET_BASIC, forms.decode(secret))
    except InvalidRequest as malformed:
        raise InvalidClient(detail="the Basic credentials are encoded wrongly") from malformed


def _presented(
    client_id: str, method: Method, secret: str, certificate: PresentedCertificate | None = None
) -> PresentedCredential:
    # Bounded before anything is compared or looked up; ids of ours have no other characters.
    if not _ID.fullmatch(client_id) or not 0 < len(secret.encode(errors="surrogatepass")) <= _MAX_BYTES:
        raise InvalidClient(detail="the credentials are of a form that was never issued")
    return PresentedCredential(client_id, method, Secret(secret), certificate)


def write_assertion(assertion: Secret) -> dict[str, str]:
    """The form's parameters for an assertion (RFC 7523 §2.2)."""
    return {"client_assertion_type": client_assertion.TYPE, "client_assertion": assertion.reveal()}


def write_basic(client_id: str, secret: Secret) -> Secret:
    """The value of the Authorization header for Basic (RFC 6749 §2.3.1)."""
    # RFC 6749 §2.3.1, appendix B: each half is form-encoded before the colon joins them.
    halves = [quote(half, safe="") for half in (client_id, secret.reveal())]
    return Secret(b"Basic " + base64.b64encode(":".join(halves).encode()))

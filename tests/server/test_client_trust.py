"""keyfob.server.client_trust: whether a certificate proves that a client sent it, and if not, why."""

import dataclasses
import datetime

import pytest

from client_certs import Pair, make
from keyfob.client_certificates import Authorities
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.mutual_tls import CertificateSubject, PresentedCertificate, SubjectField
from keyfob.server.client_trust import find_fault, find_refusal
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage.records import Client, Profile, ResourceGrant, State

NOW = int(datetime.datetime.now(datetime.UTC).timestamp())
AUTHORITY = make("Authority", is_authority=True)
ISSUED, OTHER = (make(name, by=AUTHORITY, dns=name) for name in ("edc.example", "lab.example"))
OWN, STRANGE = make("own.example"), make("edc.example", dns="edc.example")
CLIENT = Client(
    id="cl_" + "a" * 22,
    partner_id="ptr_1",
    name="sync",
    state=State.ACTIVE,
    auth_method=Method.TLS_CLIENT_AUTH,
    token_lifetime=300,
    profile=Profile.DEFAULT,
    grants=(ResourceGrant("https://api.example", frozenset({"a:read"}), None),),
    authorization_details=(),
    created_at=NOW,
    tls_subject=CertificateSubject(SubjectField.SAN_DNS, "edc.example"),
)
OF_ITS_OWN = dataclasses.replace(CLIENT, auth_method=Method.SELF_SIGNED_TLS_CLIENT_AUTH, tls_subject=None)


def why(client: Client | None, pair: Pair, *, now: int = NOW) -> Cause | None:
    registered = frozenset({PresentedCertificate(OWN.der).thumbprint})
    presented = PresentedCertificate(pair.der)
    return find_refusal(client, presented, registered, Authorities((AUTHORITY.certificate,)), now=now)


def test_an_authority_vouches_for_the_name_that_is_registered():
    """RFC 8705 §2.1."""
    assert why(CLIENT, ISSUED) is None
    assert why(CLIENT, OTHER) is Cause.CERTIFICATE_OF_ANOTHER
    assert why(CLIENT, STRANGE) is Cause.CERTIFICATE_UNTRUSTED
    assert why(dataclasses.replace(CLIENT, tls_subject=None), ISSUED) is Cause.CERTIFICATE_OF_ANOTHER


def test_a_registered_certificate_is_the_one_whoever_issued_it():
    """RFC 8705 §2.2."""
    assert why(OF_ITS_OWN, OWN) is None
    assert why(OF_ITS_OWN, ISSUED) is Cause.CERTIFICATE_NOT_REGISTERED
    assert why(CLIENT, OWN) is Cause.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize("method", [Method.CLIENT_SECRET_BASIC, Method.PRIVATE_KEY_JWT])
def test_a_client_of_another_method_proves_nothing_by_a_certificate(method):
    """RFC 8705 §2, RFC 7591 §2."""
    for pair in (ISSUED, OWN):
        assert why(dataclasses.replace(CLIENT, auth_method=method), pair) is Cause.NOT_BY_CERTIFICATE


def test_nobody_learns_of_a_client_that_is_not_there():
    later = NOW + 10 * 24 * 3600
    assert why(None, ISSUED) is why(None, OWN) is why(None, ISSUED, now=later) is Cause.UNKNOWN_CLIENT
    assert why(CLIENT, ISSUED, now=later) is Cause.CERTIFICATE_EXPIRED


def test_a_certificate_that_is_good_for_nobody_is_told_before_anybody_is_asked_for():
    assert find_fault(PresentedCertificate(ISSUED.der), now=NOW) is None
    assert find_fault(PresentedCertificate(b"no DER"), now=NOW) is Cause.CERTIFICATE_MALFORMED
    assert find_fault(PresentedCertificate(ISSUED.der), now=1) is Cause.CERTIFICATE_NOT_YET_VALID

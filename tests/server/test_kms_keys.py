"""Signing keys in AWS KMS, with a real server of it: what they sign is what libraries of others verify."""

import pytest
from joserfc import jwk, jwt

from keyfob import aws_kms
from keyfob.jose.tokens import sign_access_token
from keyfob.problem import Problem
from keyfob.server import kms_keys
from kms import id_of


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("ECC_NIST_P256", "ES256"),
        ("ECC_NIST_P384", "ES384"),
        ("RSA_3072", "PS256"),
        ("RSA_3072", "RS256"),
        ("RSA_4096", "RS384"),
    ],
)
def test_each_kind_of_key_signs_tokens_and_is_found_again(cloud, spec, name):
    """RFC 7518 §3.1."""
    place = cloud.new_key(spec)
    key, pinned = kms_keys.take_up(aws_kms.parse(place), name)
    assert str(pinned) == place
    import json

    found = kms_keys.find(str(pinned), json.dumps(key.public_jwk()), name)
    token = sign_access_token({"sub": "cl_1"}, found).reveal()
    assert jwt.decode(token, jwk.import_key(key.public_jwk()), [name]).header["kid"] == key.kid


def test_an_alias_is_taken_up_as_the_key_that_it_names(cloud):
    place = cloud.new_key("ECC_NIST_P256")
    alias = cloud.new_alias("signing", place)
    assert str(kms_keys.take_up(aws_kms.parse(alias), "ES256")[1]) == place


def test_a_key_that_may_not_sign_now_is_not_taken_up(cloud):
    place = cloud.new_key("ECC_NIST_P256")
    cloud.admin.disable_key(KeyId=id_of(place))
    with pytest.raises(Problem) as refused:
        kms_keys.take_up(aws_kms.parse(place), "ES256")
    assert refused.value.code == "kms-key-disabled"

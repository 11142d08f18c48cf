"""keyfob.aws_kms against a real server of KMS: what is asked, how long it is waited for, and what each failure says."""

import logging
import time

import pytest

from keyfob import aws, aws_kms
from keyfob.aws import Patience
from keyfob.aws_kms import Kms, KmsProblem
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from kms import ACCOUNT, REGION, id_of

QUICK = Patience(connect=0.5, answer=0.3, attempts=2)
DATA_KEY = Secret(bytes(range(32)))
CONTEXT = {"keyfob-record": "r"}


@pytest.fixture(scope="module")
def name(kms_admin) -> str:
    made = kms_admin.create_key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    return f"aws-kms:{made['Arn']}"


def code(ask) -> str:
    with pytest.raises(Problem) as refused:
        ask()
    said = f"{refused.value.message} {refused.value.hint}"
    assert refused.value.hint
    assert "user/somebody" not in said and "only-for-moto" not in said
    return refused.value.code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aws-kms:",
        "aws-kms:alias/ours",
        "aws-kms:1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:111122223333:key/k",
        "aws-kms:arn:aws:kms:eu-central-1:111122223333:key/k\n",
        "aws-kms:arn:aws:kms::111122223333:key/k",
        "aws-kms:arn:aws:kms:eu-central-1:1:key/k",
        "aws-kms:arn:aws:s3:eu-central-1:111122223333:key/k",
        "aws-kms:arn:aws:kms:evil.example/x-1:111122223333:key/k",
    ],
)
def test_a_key_is_named_by_a_whole_arn_or_refused(text):
    with pytest.raises(Misuse):
        aws_kms.parse(text)


def test_a_key_of_any_partition_and_an_alias_are_understood():
    assert aws_kms.parse("aws-kms:arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1a").region == "us-gov-west-1"
    assert aws_kms.parse(f"aws-kms:arn:aws:kms:{REGION}:{ACCOUNT}:alias/team/keyfob").is_alias


def test_a_data_key_comes_back_in_its_context_only(cloud, name):
    kms = Kms(aws_kms.parse(name))
    made = kms.encrypt(DATA_KEY, CONTEXT)
    assert DATA_KEY.reveal_bytes() not in made
    assert kms.decrypt(made, CONTEXT) == DATA_KEY
    assert code(lambda: kms.decrypt(made, {"keyfob-record": "s"})) == "kms-ciphertext"
    other = Kms(aws_kms.parse(cloud.new_key()))
    assert code(lambda: other.decrypt(made, CONTEXT)) == "kms-ciphertext"


@pytest.mark.parametrize("length", [0, 4097])
def test_more_than_a_data_key_is_not_sent(cloud, name, length):
    with pytest.raises(ValueError, match="4096"):
        Kms(aws_kms.parse(name)).encrypt(Secret(bytes(length)), CONTEXT)
    assert cloud.proxy.calls == []


def test_a_key_whose_material_was_rotated_opens_what_it_made_before(cloud):
    key = cloud.new_key()
    kms = Kms(aws_kms.parse(key))
    before = kms.encrypt(DATA_KEY, CONTEXT)
    cloud.admin.rotate_key_on_demand(KeyId=id_of(key))
    assert kms.decrypt(before, CONTEXT) == DATA_KEY


def test_an_alias_is_the_key_that_it_names_at_that_moment(cloud, name):
    second = cloud.new_key()
    alias = cloud.new_alias("moving", name)
    pinned = Kms(aws_kms.parse(alias)).pinned()
    assert str(pinned.key) == name
    cloud.admin.update_alias(AliasName="alias/moving", TargetKeyId=id_of(second))
    assert pinned.decrypt(pinned.encrypt(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY
    assert str(Kms(aws_kms.parse(alias)).pinned().key) == second


@pytest.mark.parametrize(
    ("mode", "expected", "attempts"),
    [
        ("away", "kms-unreachable", 2),
        ("hang", "kms-unreachable", 2),
        ("ThrottlingException", "kms-throttled", 2),
        ("KMSInternalException", "kms-unavailable", 2),
        ("DependencyTimeoutException", "kms-unavailable", 1),
        ("AccessDeniedException", "kms-denied", 1),
        ("KMSInvalidStateException", "kms-key-state", 1),
        ("IncorrectKeyException", "kms-ciphertext", 1),
        ("InvalidKeyUsageException", "kms-key-use", 1),
        ("ExpiredTokenException", "kms-credentials", 1),
        ("UnrecognizedClientException", "kms-credentials", 1),
        ("SomethingNewException", "kms-failed", 1),
    ],
)
def test_each_failure_is_said_in_words_after_a_bounded_number_of_attempts(cloud, name, mode, expected, attempts):
    """What may pass is asked for again, once here; what will not is not."""
    kms = Kms(aws_kms.parse(name), patience=QUICK)
    made = kms.encrypt(DATA_KEY, CONTEXT)
    cloud.proxy.calls.clear()
    cloud.proxy.set(mode)
    assert code(lambda: kms.decrypt(made, CONTEXT)) == expected
    if mode != "away":  # where nothing is read of what was asked
        assert cloud.proxy.calls == ["decrypt"] * attempts
    cloud.proxy.set("pass")
    assert kms.decrypt(made, CONTEXT) == DATA_KEY


def test_a_disabled_and_a_doomed_key_are_told_apart_and_work_again_when_enabled(cloud):
    key = cloud.new_key()
    kms = Kms(aws_kms.parse(key))
    made = kms.encrypt(DATA_KEY, CONTEXT)
    cloud.admin.disable_key(KeyId=id_of(key))
    assert code(lambda: kms.decrypt(made, CONTEXT)) == "kms-key-disabled"
    cloud.admin.enable_key(KeyId=id_of(key))
    assert kms.decrypt(made, CONTEXT) == DATA_KEY
    cloud.admin.schedule_key_deletion(KeyId=id_of(key), PendingWindowInDays=7)
    assert code(lambda: kms.decrypt(made, CONTEXT)) == "kms-key-deleted"
    cloud.admin.cancel_key_deletion(KeyId=id_of(key))
    cloud.admin.enable_key(KeyId=id_of(key))
    assert kms.decrypt(made, CONTEXT) == DATA_KEY


def test_a_key_of_another_region_account_or_use_is_refused_in_words(cloud, name):
    for wrong in (name.replace(REGION, "eu-west-1"), name.rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"):
        assert code(lambda name=wrong: Kms(aws_kms.parse(name)).encrypt(DATA_KEY, CONTEXT)) == "kms-key-missing"
    signing = cloud.new_key("ECC_NIST_P256")
    assert code(lambda: Kms(aws_kms.parse(signing)).pinned()) == "kms-key-use"
    with pytest.raises(Problem):
        Kms(aws_kms.parse(name)).public_key()


def test_without_credentials_that_is_said(cloud, name, monkeypatch, tmp_path):
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    for variable in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    assert code(lambda: Kms(aws_kms.parse(name)).encrypt(DATA_KEY, CONTEXT)) == "kms-credentials"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert code(lambda: Kms(aws_kms.parse(name)).encrypt(DATA_KEY, CONTEXT)) == "kms-credentials"


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"])
def test_an_endpoint_without_tls_is_refused_before_anything_is_sent_there(cloud, name, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://kms.internal.example")
    started = time.monotonic()
    assert code(lambda: Kms(aws_kms.parse(name)).encrypt(DATA_KEY, CONTEXT)) == "kms-endpoint"
    assert time.monotonic() - started < 30  # no name was looked up, no connection tried


@pytest.mark.parametrize("url", ["https://kms.example", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"])
def test_an_endpoint_with_tls_or_on_this_machine_is_taken(url):
    aws.check_endpoint(aws_kms.SERVICE, url)


@pytest.mark.parametrize("url", ["http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost", "http://"])
def test_another_endpoint_is_not(url):
    with pytest.raises(Misuse):
        aws.check_endpoint(aws_kms.SERVICE, url)


def test_no_data_key_is_logged_however_loud_the_logs_are(cloud, name, caplog):
    """boto3 logs whole bodies at level DEBUG, to whoever listens to the root logger."""
    import base64

    with caplog.at_level(logging.DEBUG):
        kms = Kms(aws_kms.parse(name))
        kms.decrypt(kms.encrypt(DATA_KEY, CONTEXT), CONTEXT)
        logging.getLogger("botocore.parsers").debug("something of somebody else")
    plain = base64.b64encode(DATA_KEY.reveal_bytes()).decode()
    assert plain not in caplog.text and repr(DATA_KEY.reveal_bytes()) not in caplog.text
    assert "only-for-moto" not in caplog.text
    assert "something of somebody else" in caplog.text


def test_where_boto3_is_not_installed_the_extra_is_named(cloud, name, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Misuse) as refused:
        Kms(aws_kms.parse(name)).encrypt(DATA_KEY, CONTEXT)
    assert refused.value.code == "not-installed" and ".[aws]" in refused.value.hint


def test_a_problem_is_a_problem_of_kms():
    assert issubclass(KmsProblem, Problem)

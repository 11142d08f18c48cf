"""keyfob.toml and KEYFOB_ variables: each mistake is named, and what is written is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth.trusted_proxies import TrustedProxies
from keyfob.problem import Misuse
from keyfob.server import settings
from keyfob.serving import Limits

ISSUER = b'[server]\nissuer = "https://localhost:8443"\n'


def load(tmp_path, content=ISSUER, environ=None):
    (tmp_path / "keyfob.toml").write_bytes(content)
    return settings.load(tmp_path, environ or {})


def test_the_defaults_are_applied_and_paths_start_at_the_home(tmp_path):
    loaded = load(tmp_path)
    assert loaded.issuer == "https://localhost:8443"
    assert loaded.token_endpoint == "https://localhost:8443/oauth2/token"
    assert loaded.database == tmp_path / "keyfob.db"
    assert loaded.tls_certificate == tmp_path / "tls/server.pem"
    assert loaded.tls_private_key == tmp_path / "tls/server.key"
    assert not loaded.trusted_proxies
    assert loaded.max_body_bytes == 65536
    assert loaded.limits == Limits(10_000, 1_000, 300, 16 * 1024 * 1024)
    assert loaded.failures_per_network_per_minute == 50
    assert loaded.tokens_per_client_per_minute == 600
    assert loaded.is_loopback


def test_the_environment_goes_before_the_file(tmp_path):
    environ = {"KEYFOB_SERVER_ISSUER": "https://id.example", "KEYFOB_LIMITS_MAX_BODY_BYTES": "1000"}
    loaded = load(tmp_path, ISSUER + b"[limits]\nmax_body_bytes = 5\n", environ)
    assert loaded.issuer == "https://id.example"
    assert loaded.max_body_bytes == 1000
    assert not loaded.is_loopback


def test_each_limit_of_connections_is_a_setting_of_its_own(tmp_path):
    environ = {"KEYFOB_LIMITS_MAX_CONNECTIONS_PER_NETWORK": "2", "KEYFOB_LIMITS_BYTES_PER_NETWORK_PER_SECOND": "4"}
    content = ISSUER + b"[limits]\nmax_connections = 1\nnew_connections_per_network_per_second = 3\n"
    assert load(tmp_path, content, environ).limits == Limits(1, 2, 3, 4)


@pytest.mark.parametrize(
    "written",
    [
        '"192.0.2.1,10.42.0.0/16"',
        '["192.0.2.1", "10.42.0.0/16"]',
        '[\n  "192.0.2.1/32", # first\n  "10.42.0.0/16",\n]',
    ],
)
def test_trusted_proxies_are_one_text_or_a_list_and_one_address_is_enough(tmp_path, written):
    content = ISSUER + f"[http]\ntrusted_proxy = {written}\n".encode()
    loaded = load(tmp_path, content)
    assert loaded.trusted_proxies == TrustedProxies(frozenset({"192.0.2.1"}), ("10.42.0.0/16",))
    assert loaded.is_plain
    assert load(tmp_path, content, {"KEYFOB_HTTP_TRUSTED_PROXY": "192.0.2.9"}).trusted_proxies == TrustedProxies(
        frozenset({"192.0.2.9"})
    )
    nobody = load(tmp_path, ISSUER + b"[http]\ntrusted_proxy = []\n")
    assert not nobody.trusted_proxies and not nobody.is_plain
    # What another command changes in such a file stays beside it.
    changed = settings.replaced(content, "limits.max_body_bytes", 7, where="x")
    assert settings.read(changed, where="x")["http.trusted_proxy"] == "192.0.2.1, 10.42.0.0/16"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"0.0.0.0/0"', "is every address"),
        ('["192.0.2.1", "::/0"]', "has as number 2 what is every address"),
        ('"10.0.0.0/8"', "is wider than /16"),
        ('["10.42.0.1/16"]', "write 10.42.0.0/16"),
        ('"lb.example"', "no name"),
        ('["192.0.2.1", 7]', "is no list of texts"),
        ('["192.0.2.1,192.0.2.2"]', "each without a comma"),
        ("7", "is not a text"),
        ("{}", "is neither a text nor a number"),
    ],
)
def test_what_would_trust_too_many_is_refused_at_the_start(tmp_path, written, said):
    """RFC 9700 §4.13: whoever is trusted may say that he is anybody."""
    with pytest.raises(Misuse, match=said) as refused:
        load(tmp_path, ISSUER + f"[http]\ntrusted_proxy = {written}\n".encode())
    assert f"{tmp_path / 'keyfob.toml'}:4: http.trusted_proxy" in refused.value.message


def test_no_other_setting_is_a_list(tmp_path):
    with pytest.raises(Misuse, match="neither a text nor a number"):
        load(tmp_path, ISSUER + b'[tls]\ncertificate = ["a.pem"]\n')


def test_an_absolute_database_path_is_kept(tmp_path):
    assert str(load(tmp_path, ISSUER + b'[database]\nurl = "sqlite:////data/k.db"\n').database) == "/data/k.db"


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (b"", "setting-missing", "server.issuer"),
        (ISSUER + b"nonsense = 1\n", "unknown-setting", "server.nonsense"),
        (ISSUER + b"[servers]\nx = 1\n", "unknown-setting", "servers"),
        (b"issuer = 'https://localhost'\n", "unknown-setting", "issuer"),
        (b"[server\n", "bad-settings", "TOML"),
        (b"\xff", "bad-settings", "TOML"),
        (b"[server]\nissuer = 'http://localhost'\n", "bad-setting", "server.issuer"),
        (b"[server]\nissuer = 7\n", "bad-setting", "server.issuer"),
        (ISSUER + b"[limits]\nmax_body_bytes = 0\n", "bad-setting", "limits.max_body_bytes"),
        (ISSUER + b"[limits]\ntokens_per_client_per_minute = -1\n", "bad-setting", "tokens_per_client_per_minute"),
        (ISSUER + b"[limits]\nmax_connections = 0\n", "bad-setting", "limits.max_connections"),
        (ISSUER + b"[limits]\nfailures_per_network_per_minute = 0\n", "bad-setting", "failures_per_network"),
        (ISSUER + b"[limits]\nmax_body_bytes = true\n", "bad-setting", "limits.max_body_bytes"),
        (ISSUER + b"[limits]\nmax_body_bytes = 1.5\n", "bad-setting", "limits.max_body_bytes"),
        (ISSUER + b"[limits]\nmax_body_bytes = 'many'\n", "bad-setting", "limits.max_body_bytes"),
        (ISSUER + b"[database]\nurl = 'mysql://h/d'\n", "bad-setting", "database.url"),
        (ISSUER + b"[database]\nurl = 'sqlite:///'\n", "bad-setting", "database.url"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, content, code, named):
    with pytest.raises(Misuse) as refused:
        load(tmp_path, content)
    assert refused.value.code == code
    assert named in refused.value.message
    assert str(tmp_path) in refused.value.message
    assert refused.value.hint


def test_a_mistake_in_the_environment_names_the_variable(tmp_path):
    with pytest.raises(Misuse, match="KEYFOB_SERVER_ISSUER"):
        load(tmp_path, environ={"KEYFOB_SERVER_ISSUER": "nonsense"})


def test_unknown_variables_of_our_tables_are_found_and_those_of_other_programs_are_not():
    environ = {"KEYFOB_SERVER_ISUER": "x", "KEYFOB_HOME": "x", "KEYFOB_CA_FILE": "x", "KEYFOB_SERVER_ISSUER": "x"}
    assert settings.unknown_variables(environ) == ("KEYFOB_SERVER_ISUER",)


@pytest.mark.parametrize("issuer", ["https://localhost:8443", "https://id.example", "https://id.example/tenant/a"])
def test_an_issuer_is_taken_as_it_is(issuer):
    assert settings.check_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "id.example",
        "http://localhost:8443",
        "HTTPS://localhost",
        "https://ID.example",
        "https://",
        "https://id.example/",
        "https://id.example?x=1",
        "https://id.example?",
        "https://id.example#f",
        "https://id.example#",
        "https://user@id.example",
        "https://user:secret@id.example",
        "https://id.example:0",
        "https://id.example:99999",
        "https://id.example/a b",
        "https://id.example/\n",
        "https://idé.example",
        "https://[::1",
        "https://id.example/a/../b",
    ],
)
def test_any_other_issuer_is_refused(issuer):
    """RFC 8414 §2: https, no query, no fragment; and only one way to write it, since issuers are compared as text."""
    with pytest.raises(Misuse) as refused:
        settings.check_issuer(issuer)
    assert "secret" not in refused.value.message


@given(st.text(max_size=60) | st.text(max_size=40).map("https://".__add__))
def test_an_issuer_is_checked_without_another_error(text):
    try:
        assert settings.check_issuer(text) == text
    except Misuse:
        return
    assert text.startswith("https://")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


proxies = st.sampled_from(["", "192.0.2.1", "192.0.2.1, 10.42.0.0/16", "2001:db8::1, 2001:db8:1::/48"])


@given(certificate=texts, proxy=proxies, body=st.integers(1, 10**11))
def test_what_is_written_is_read_back(certificate, proxy, body):
    values = {
        "server.issuer": "https://localhost",
        "tls.certificate": certificate,
        "http.trusted_proxy": proxy,
        "limits.max_body_bytes": body,
    }
    assert settings.read(settings.write(values), where="x") == values


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode(errors="ignore")))
def test_reading_raises_nothing_but_misuse(content):
    try:
        settings.read(content, where="x")
    except Misuse:
        return


def test_a_file_that_is_nested_too_deep_is_misuse():
    with pytest.raises(Misuse):
        settings.read(b"a = " + b"[" * 50_000, where="x")

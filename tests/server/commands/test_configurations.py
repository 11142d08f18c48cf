"""`check-config`: every mistake with its place, every value with its origin, no secret."""

import pytest

SECRET = "correct-horse-7f3a"


@pytest.fixture
def configured(program, home):
    """Run check-config on what the file says beyond the issuer."""

    def run(more="", environ=None, code=0):
        file = home / "keyfob.toml"
        file.write_text(file.read_text().split("\n# beyond")[0] + f"\n# beyond\n{more}")
        program.environ = environ or {}
        return program.run("check-config", "--home", home, "--json", code=code).json

    run.file = home / "keyfob.toml"
    return run


def test_a_home_as_init_makes_it_has_no_mistake(configured):
    document = configured()
    assert document["problems"] == []
    found = {one["name"]: one for one in document["settings"]}
    assert found["server.issuer"]["source"] == "file"
    assert found["server.issuer"]["where"] == f"{configured.file}:3"
    assert found["limits.max_body_bytes"]["source"] == "default"


def test_every_mistake_is_said_at_once_and_where_it_stands(configured, program, home):
    more = '[limits]\nmax_body_bytes = "many"\nnonsense = 1\n[http]\ntrusted_proxy = "192.0.2.1"\n[servers]\n'
    environ = {"KEYFOB_KEYS_ALGORITHM": "none", "KEYFOB_HTTP_TRUSTED_PROXYY": "1"}
    document = configured(more, environ, code=2)
    lines = configured.file.read_text().split("\n")
    assert {(one["where"], one["code"]) for one in document["problems"]} == {
        (f"{configured.file}:{lines.index('nonsense = 1') + 1}", "unknown-setting"),
        (f"{configured.file}:{lines.index('nonsense = 1')}", "bad-setting"),
        (f"{configured.file}:{lines.index('[servers]') + 1}", "unknown-setting"),
        ("KEYFOB_KEYS_ALGORITHM", "bad-setting"),
    }
    assert document["unknown_variables"] == ["KEYFOB_HTTP_TRUSTED_PROXYY"]
    # The same at the start of any other command, and with the same places.
    refused = program.run("status", "--home", home, "--json", code=2).json
    assert refused["problems"] == document["problems"]


def test_the_environment_goes_before_the_file_and_says_so(configured):
    more = "[limits]\nmax_body_bytes = 5\n"
    found = {one["name"]: one for one in configured(more, {"KEYFOB_LIMITS_MAX_BODY_BYTES": "6"})["settings"]}
    one = found["limits.max_body_bytes"]
    assert (one["value"], one["source"], one["where"]) == (6, "environment", "KEYFOB_LIMITS_MAX_BODY_BYTES")


def test_a_secret_is_never_shown(configured, program, home):
    environ = {
        "KEYFOB_DATABASE_URL": f"postgresql://keyfob:{SECRET}@localhost/keyfob",
        "KEYFOB_ALARMS_WEBHOOK": f"https://hooks.example/services/{SECRET}",
        "KEYFOB_ALARMS_WEBHOOK_SECRET": SECRET,
        "KEYFOB_MAIL_PASSWORD": SECRET,
    }
    document = configured("", environ)
    assert SECRET not in str(document)
    assert document["secrets"] == {"KEYFOB_ALARMS_WEBHOOK_SECRET": True, "KEYFOB_MAIL_PASSWORD": True}
    assert SECRET not in program.run("check-config", "--home", home).out


def test_a_password_in_the_file_is_named_and_not_repeated(configured, program, home):
    file = configured.file
    file.write_text(f'[server]\nissuer = "https://localhost:8443"\n[database]\nurl = "postgresql://a:{SECRET}@db/k"\n')
    shown = program.run("check-config", "--home", home, "--json", code=2)
    assert [(one["where"], one["code"]) for one in shown.json["problems"]] == [(f"{file}:4", "password-in-file")]
    assert SECRET not in shown.out + shown.err


def test_a_file_that_is_named_and_not_there_is_a_mistake_unless_nothing_reads_it(configured, home):
    (home / "tls" / "server.key").unlink()
    more = '[alarms]\nsyslog_ca = "none.pem"\n'
    assert {one["message"].split(":")[0] for one in configured(more, code=2)["problems"]} == {
        "tls.private_key",
        "alarms.syslog_ca",
    }
    assert configured('[http]\ntrusted_proxy = "127.0.0.1"\n')["problems"] == []


@pytest.mark.parametrize(
    "content", [b"\xff\xfe[\x00", b"[server\n", b"a = " + b"[" * 5000], ids=["utf16", "cut", "deep"]
)
def test_what_is_no_toml_is_one_mistake(configured, program, home, content):
    configured.file.write_bytes(content)
    assert [one["code"] for one in configured_problems(program, home)] == ["bad-settings"]


def configured_problems(program, home):
    return program.run("check-config", "--home", home, "--json", code=2).json["problems"]

"""`alarm secret|test`: the secret is kept in an envelope and written once; a test tells the truth."""

import os
import stat

import pytest

from keyfob.secret import Secret
from keyfob.server.alarms.webhook import PREFIX, new_secret, read_key


def configure(home, *lines):
    settings = home / "keyfob.toml"
    settings.write_text(settings.read_text() + "\n[alarms]\n" + "\n".join(lines) + "\n")


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_a_secret_is_written_once_for_its_owner_alone_and_shown_nowhere(program, home, tmp_path, audit_kinds):
    shown = program.run("alarm", "secret", "--home", home, "--out", tmp_path / "s").out
    written = (tmp_path / "s").read_text().strip()
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert len(read_key(Secret(written)).reveal_bytes()) == 32
    assert written not in shown
    assert audit_kinds()[-1] == "webhook_secret_made"
    for path in home.rglob("*"):
        if path.is_file():
            assert written.removeprefix(PREFIX).encode() not in path.read_bytes(), path
    assert program.run("alarm", "secret", "--home", home, "--out", tmp_path / "s", "--json", code=2).json["error"] == (
        "file-exists"
    )


def test_a_test_alarm_is_delivered_and_a_new_secret_replaces_the_old(program, home, receiver, tls_files):
    configure(home, f'webhook = "{receiver.url}"', f'webhook_ca = "{tls_files.ca}"')
    signatures = set()
    for name in ("first", "second"):
        program.run("alarm", "secret", "--home", home, "--out", name)
        told = program.run("alarm", "test", "--home", home, "--json").json
        assert told["delivered"] == ["webhook"]
        headers, document = receiver.next()
        assert (document["kind"], document["id"]) == ("test", told["id"])
        signatures.add(headers["webhook-signature"])
    assert len(signatures) == 2


def test_a_secret_from_the_environment_goes_before_the_kept_one_and_is_no_unknown_variable(
    program, home, receiver, tls_files
):
    configure(home, f'webhook = "{receiver.url}"', f'webhook_ca = "{tls_files.ca}"')
    program.environ = {"KEYFOB_ALARMS_WEBHOOK_SECRET": new_secret(b"k" * 32).reveal()}
    shown = program.run("alarm", "test", "--home", home)
    assert "webhook" in shown.out
    assert shown.err == ""
    program.environ = {"KEYFOB_ALARMS_WEBHOOK_SECRET": "hunter2"}
    shown = program.run("alarm", "test", "--home", home, code=2)
    assert "hunter2" not in shown.err + shown.out


def test_a_test_that_is_not_taken_fails_and_says_where(program, home, receiver, tls_files):
    receiver.status = 404
    configure(home, f'webhook = "{receiver.url}"', f'webhook_ca = "{tls_files.ca}"', 'syslog = "unix:/nonexistent/log"')
    program.run("alarm", "secret", "--home", home, "--out", "s")
    refused = program.run("alarm", "test", "--home", home, "--json", code=1).json
    assert refused["error"] == "alarm-not-delivered"
    assert "webhook: the receiver answered 404" in refused["message"]
    assert "syslog: the daemon cannot be reached" in refused["message"]


def test_without_a_place_there_is_nothing_to_test(program, home):
    assert program.run("alarm", "test", "--home", home, "--json", code=1).json["error"] == "no-alarms"


@pytest.mark.parametrize(
    "line",
    [
        'webhook = "http://localhost/x"',
        'webhook = "https://user:secret@localhost/x"',
        'webhook = "https://localhost/x?token=secret"',
        'syslog = "/dev/log"',
        "network_failures = 0",
        "repeat_after = -1",
        'webhook_secret = "whsec_x"',
    ],
)
def test_a_mistyped_setting_is_named(program, home, line):
    configure(home, line)
    refused = program.run("alarm", "test", "--home", home, "--json", code=2).json
    assert "alarms." + line.partition(" ")[0] in refused["message"]
    assert "secret@" not in refused["message"] and "token=" not in refused["message"]


def test_a_ca_file_that_is_missing_is_named_before_anything_is_sent(program, home):
    configure(home, 'webhook = "https://localhost/x"', 'webhook_ca = "missing.pem"')
    refused = program.run("alarm", "test", "--home", home, "--json", code=2).json
    assert "missing.pem" in refused["message"]

"""`notice`: where they go, what came of them, and settings that do not go together."""

import pytest

from keyfob.server.notices.settings import SETTINGS
from mail_server import taking_mail


def configure(home, *lines):
    settings = home / "keyfob.toml"
    settings.write_text(settings.read_text() + "\n[mail]\n" + "\n".join(lines) + "\n")


def test_a_test_notice_arrives_by_mail(program, home, tls_files, tmp_path):
    password = tmp_path / "password"
    password.write_text("a long random one\n")
    password.chmod(0o600)
    with taking_mail(tls_files, password=b"a long random one") as mailbox:
        configure(
            home,
            'host = "localhost"',
            f"port = {mailbox.port}",
            f'ca = "{tls_files.ca}"',
            'from = "id@operator.example"',
            'operator = "ops@operator.example"',
            'user = "keyfob"',
            f'password_file = "{password}"',
        )
        told = program.run("notice", "test", "--home", home, "--json")
        assert told.json["delivered"] == ["mail"]
        got = mailbox.next()
        assert (got["x-rcpt"], got["x-tls"], mailbox.users) == ("ops@operator.example", "yes", [b"keyfob"])
        assert told.json["id"] in got["message-id"]
        program.environ = {"KEYFOB_MAIL_PASSWORD": "another"}
        refused = program.run("notice", "test", "--home", home, "--json", code=1)
        assert refused.json["message"] == "mail: the mail server refused user or password (535)"
        assert "another" not in refused.out + refused.err and "no setting" not in refused.err
        assert mailbox.got.empty()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (['host = "mail.example"', 'security = "none"'], "mail-in-the-clear"),
        (['host = "mail.example"'], "mail-address-missing"),
        (['host = "mail.example"', 'from = "a@b.example"'], "mail-address-missing"),
        (['host = "mail.example:25"'], "bad-setting"),
        (['security = "ssl"'], "bad-setting"),
        (['from = "nobody"'], "bad-setting"),
        (['operator = "a@b.example\\nBcc: c@d.example"'], "bad-setting"),
        (['password = "hunter2"'], "unknown-setting"),
    ],
)
def test_settings_that_do_not_go_together_are_named(program, home, lines, error):
    configure(home, *lines)
    refused = program.run("notice", "list", "--home", home, "--json", code=2)
    assert refused.json["error"] == error
    assert "hunter2" not in refused.out + refused.err


def test_a_schedule_that_makes_each_secret_old_at_once_is_refused(program, home):
    settings = home / "keyfob.toml"
    settings.write_text(settings.read_text() + "\n[credentials]\nlifetime = 86400\nrotate_days_before = 1\n")
    assert program.run("notice", "list", "--home", home, "--json", code=2).json["error"] == "rotation-too-early"


def test_the_lifetime_of_a_secret_is_a_setting(program, acme):
    program.environ = {"KEYFOB_CREDENTIALS_LIFETIME": "1000"}
    made = acme.create()
    shown = program.run("client", "show", made["client_id"], "--home", acme.home, "--json").json
    assert shown["credentials"][0]["expires_at"] == program.now + 1000


def test_without_a_way_there_is_nothing_to_test_and_nothing_to_retry(program, home):
    assert program.run("notice", "test", "--home", home, "--json", code=1).json["error"] == "no-notices"
    assert program.run("notice", "retry", "--home", home, "--json", code=2).json["error"] == "notices-missing"
    assert program.run("notice", "retry", "x", "--home", home, "--json", code=2).json["error"] == "unknown-notice"
    assert program.run("notice", "retry", "--all", "--home", home, "--json").json == {"tried_again": 0}
    assert "nothing was changed" in program.run("notice", "retry", "--all", "--home", home, "--dry-run").out
    assert "(none)" in program.run("notice", "list", "--home", home).out


def test_every_setting_of_mail_stands_on_its_page():
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "how-to" / "operate" / "notices.md").read_text()
    assert all(f"`{setting.name}`" in page for setting in SETTINGS)
    assert "`credentials.lifetime`" in page and "`credentials.rotate_days_before`" in page

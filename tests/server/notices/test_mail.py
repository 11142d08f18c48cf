"""One notice as one e-mail, by a real SMTP server: over verified TLS, whole, and no secret in an error."""

import functools
from email.headerregistry import Address

import pytest

from keyfob import tls
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.notices.mail import Letter, Mail, read_password
from keyfob.server.notices.settings import MailSettings, Security
from mail_server import taking_mail

NOW = 1_800_000_000
LETTER = Letter("ntc_1", "data@acme.example", "Dátum", "The text.\n.\nlasts", ("cl_1.asc", "-----BEGIN\nx\n"))


def mail(mailbox, ca, *, security="starttls", host="localhost", user=None, password=None):
    chosen = MailSettings(host, mailbox.port, Security(security), ca, "id@op.example", "ops@op.example", user, None)
    context = functools.partial(tls.client_context, ca, environ={})
    return Mail(chosen, issuer="https://id.example", context=context, password=lambda: password, clock=lambda: NOW)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_arrives_whole_over_tls(tls_files, security):
    """RFC 5322 §3.6.4, RFC 3834 §5: with a name of its own, and as what no machine need answer."""
    with taking_mail(tls_files, security=security) as mailbox:
        mail(mailbox, tls_files.ca, security=security).deliver(LETTER)
        got = mailbox.next()
    assert got["to"].addresses == (Address(addr_spec="data@acme.example"),)
    assert (got["subject"], got["message-id"], got["x-tls"]) == ("Dátum", "<ntc_1@id.example>", "yes")
    assert got["auto-submitted"] == "auto-generated"
    text, attached = got.iter_parts()
    assert text.get_content().split() == ["The", "text.", ".", "lasts"]
    assert (attached.get_filename(), attached.get_content().split()) == ("cl_1.asc", ["-----BEGIN", "x"])


def refused(post, letter=LETTER):
    with pytest.raises(NotDelivered) as caught:
        post.deliver(letter)
    assert "kfs_" not in str(caught.value)
    return caught.value


def test_a_certificate_of_somebody_else_gets_nothing(tls_files, make_tls, tmp_path):
    """RFC 3207 §4."""
    other = make_tls(tmp_path / "other")
    for security in ("starttls", "tls"):
        with taking_mail(tls_files, security=security, password=b"p") as mailbox:
            failed = refused(mail(mailbox, other.ca, security=security, user="u", password=Secret("p")))
            assert failed.again and "mail.ca" in str(failed)
            assert mailbox.got.empty() and mailbox.users == []


def test_a_server_that_offers_no_starttls_gets_nothing(tls_files):
    """RFC 3207 §4."""
    with taking_mail(security="none") as mailbox:
        failed = refused(mail(mailbox, tls_files.ca))
        assert failed.again and "STARTTLS" in str(failed)
        assert mailbox.got.empty()


def test_a_user_logs_in_behind_tls_and_a_wrong_password_is_tried_again(tls_files):
    with taking_mail(tls_files, password=b"right") as mailbox:
        mail(mailbox, tls_files.ca, user="keyfob", password=Secret("right")).deliver(LETTER)
        assert mailbox.next()["subject"] == "Dátum"
        failed = refused(mail(mailbox, tls_files.ca, user="keyfob", password=Secret("wrong")))
        assert failed.again and "(535)" in str(failed) and "wrong" not in str(failed)


@pytest.mark.parametrize(("answer", "again"), [("451 later", True), ("554 never: kfs_echo", False)])
def test_what_the_server_says_decides_whether_it_is_tried_again(tls_files, answer, again):
    with taking_mail(tls_files) as mailbox:
        mailbox.answers = [answer]
        assert refused(mail(mailbox, tls_files.ca)).again is again


def test_an_address_that_the_server_does_not_know_is_given_up(tls_files):
    with taking_mail(tls_files) as mailbox:
        mailbox.refused = {LETTER.to}
        failed = refused(mail(mailbox, tls_files.ca))
        assert not failed.again and "(550)" in str(failed)


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("data@acme.example", "two\nBcc: eve@evil.example"),
        ("data@acme.example", "two\r\n\r\nbody"),
        ("data@acme.example\nBcc: eve@evil.example", "one"),
        ("data@acme.example, eve@evil.example", "one"),
        ("", "one"),
    ],
)
def test_a_header_cannot_be_slipped_in(tls_files, to, subject):
    with taking_mail(tls_files) as mailbox:
        failed = refused(mail(mailbox, tls_files.ca), Letter("ntc_1", to, subject, "x"))
        assert not failed.again
        assert mailbox.got.empty()


def test_a_server_that_is_away_is_tried_again(tls_files):
    with taking_mail(tls_files) as mailbox:
        pass
    assert refused(mail(mailbox, tls_files.ca)).again


def test_a_password_comes_from_the_environment_or_from_a_file_of_the_owner_alone(tmp_path):
    file = tmp_path / "password"
    settings = MailSettings("h", 1, Security.TLS, None, "a@b.example", "a@b.example", "u", file)
    with pytest.raises(Misuse, match="cannot be read"):
        read_password(settings, {})
    file.write_text("from the file\n")
    file.chmod(0o600)
    assert read_password(settings, {}) == Secret("from the file")
    assert read_password(settings, {"KEYFOB_MAIL_PASSWORD": "given"}) == Secret("given")
    file.chmod(0o644)
    with pytest.raises(Misuse, match="read by others"):
        read_password(settings, {})

"""keyfob.server.endpoints.security_txt: from a setting to the document, and the day after which there is none."""

import asyncio
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from keyfob.problem import Misuse
from keyfob.server import leak_settings
from keyfob.server.endpoints import security_txt
from keyfob.server.endpoints.request import Request
from keyfob.server.leak_settings import SecurityContact

CONTACT = SecurityContact(("mailto:a@b.example",), date(2030, 6, 30))


def values(contact="", expires=""):
    return {"security.contact": contact, "security.expires": expires}


def checked(name, value):
    (setting,) = [one for one in leak_settings.SETTINGS if one.name == name]
    return setting.check(value)


def test_a_contact_is_some_uris_and_the_day_until_which_it_holds():
    """RFC 9116 §2.5.3, §2.5.5."""
    assert leak_settings.read_contact(values()) is None
    assert leak_settings.read_contact(values("mailto:a@b.example", "2030-06-30")) == CONTACT
    with pytest.raises(Misuse, match=r"security\.expires"):
        leak_settings.read_contact(values("mailto:a@b.example"))
    assert checked("security.contact", " tel:+1-201-555-0123  https://b.example/x ") == (
        "tel:+1-201-555-0123 https://b.example/x"
    )


@pytest.mark.parametrize(
    "wrong", ["a@b.example", "http://b.example", "mailto:", "https://", "mailto:a@b\u00e9.example"]
)
def test_what_is_no_contact_is_refused(wrong):
    """RFC 9116 §2.5.3."""
    with pytest.raises(ValueError, match="holds something"):
        checked("security.contact", wrong)


@pytest.mark.parametrize("wrong", ["tomorrow", "2030-13-01", "30.6.2030"])
def test_what_is_no_day_is_refused(wrong):
    with pytest.raises(ValueError, match="is no date"):
        checked("security.expires", wrong)


def test_it_holds_to_the_end_of_its_last_day():
    assert security_txt.ends_at(CONTACT) == datetime(2030, 6, 30, 23, 59, 59, tzinfo=UTC)
    written = security_txt.write(CONTACT, issuer="https://id.example").decode()
    assert "\nExpires: 2030-06-30T23:59:59Z\n" in written
    assert written.endswith("\n") and written.count("Expires:") == 1


def test_without_a_contact_and_after_its_last_day_there_is_none():
    """RFC 9116 §2.5.5: what has expired is not to be used."""

    def status(contact, now):
        settings = SimpleNamespace(security_contact=contact, issuer="https://id.example")
        answer = security_txt.security_txt(SimpleNamespace(settings=settings, clock=lambda: now))
        return asyncio.run(answer(Request("GET", (), b"", b"", address="192.0.2.1", id="1"))).status

    end = int(security_txt.ends_at(CONTACT).timestamp())
    assert [status(CONTACT, end - 1), status(CONTACT, end), status(None, 0)] == [200, 404, 404]

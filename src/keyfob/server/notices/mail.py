"""RFC 5321, RFC 5322, RFC 3207: one notice as one e-mail, handed to the operator's own SMTP server.

TLS is verified, and nothing is said in the clear before it but EHLO and STARTTLS; only on this machine may it be left
out. A header is made by the library of a value without line breaks, or not at all.
"""

import contextlib
import os
import smtplib
import ssl
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from keyfob.ambient import Clock
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.notices.settings import PASSWORD_VARIABLE, MailSettings, Security

_TIMEOUT = 10
_MAX_PASSWORD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` is the same for each attempt. `attachment`: (file name, ASCII text)."""

    id: str
    to: str
    subject: str
    text: str
    attachment: tuple[str, str] | None = None


def compose(letter: Letter, *, sender: str, domain: str, now: int) -> EmailMessage:
    """The message. Raises ValueError or MessageError for an address or a subject that is none."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Keyfob", addr_spec=sender)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    # RFC 5322 §3.6.4: the same for each attempt, so that a mailbox can drop repeats.
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    # RFC 3834 §5: no holiday answer comes back.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.attachment is not None:
        name, content = letter.attachment
        message.add_attachment(content, subtype="plain", filename=name)
    return message


class Mail:
    """A connection for each letter: they are rare, and the server may have been restarted since the last."""

    def __init__(
        self,
        settings: MailSettings,
        *,
        issuer: str,
        context: Callable[[], ssl.SSLContext],
        password: Callable[[], Secret | None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._domain = urlsplit(issuer).hostname or "localhost"
        self._context = context
        self._password = password
        self._clock = clock

    def deliver(self, letter: Letter) -> None:
        """One attempt. Raises NotDelivered, whose text holds no address, no answer of the server and no secret."""
        try:
            message = compose(letter, sender=self._settings.sender, domain=self._domain, now=self._clock())
        except (ValueError, MessageError, IndexError):
            raise NotDelivered("the address or the subject cannot stand in an e-mail", again=False) from None
        with _said(), self._connected() as server:
            if self._settings.user is not None and (password := self._password()) is not None:
                server.login(self._settings.user, password.reveal())
            server.send_message(message)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        chosen, at = self._settings, (self._settings.host, self._settings.port)
        if chosen.security is Security.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(*at, self._domain, timeout=_TIMEOUT, context=self._context())
        else:
            server = smtplib.SMTP(*at, self._domain, timeout=_TIMEOUT)
        try:
            if chosen.security is Security.STARTTLS:
                # RFC 3207 §4: without it, or with a certificate that is not the host's, nothing more is said.
                server.starttls(context=self._context())
            yield server
        finally:
            # What was taken stays taken, however the farewell goes.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Failures in our own words: a server's may repeat what it was sent."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise NotDelivered("the mail server's certificate is not trusted (mail.ca)", again=True) from None
    except smtplib.SMTPNotSupportedError:
        raise NotDelivered("the mail server lacks STARTTLS, log-in or what the address needs", again=True) from None
    except smtplib.SMTPAuthenticationError as refused:
        raise NotDelivered(f"the mail server refused user or password ({refused.smtp_code})", again=True) from None
    except smtplib.SMTPRecipientsRefused as refused:
        code = max(code for code, _ in refused.recipients.values())
        raise NotDelivered(f"the mail server refused the address ({code})", again=code < 500) from None
    except smtplib.SMTPResponseException as refused:
        code = refused.smtp_code
        raise NotDelivered(f"the mail server answered {code}", again=not 500 <= code < 600) from None
    except UnicodeError:
        raise NotDelivered("the address cannot be said to the mail server", again=False) from None
    except (smtplib.SMTPException, OSError) as failed:
        raise NotDelivered(f"the mail server cannot be reached ({type(failed).__name__})", again=True) from None


def read_password(settings: MailSettings, environ: Mapping[str, str]) -> Secret | None:
    """From the environment, else from its file, anew for each letter; None when there is none. Raises Misuse."""
    if given := environ.get(PASSWORD_VARIABLE):
        return Secret(given)
    if settings.password_file is None:
        return None
    return _read_password_file(settings.password_file)


def _read_password_file(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_PASSWORD_BYTES)
    except OSError as failed:
        raise Misuse(
            "mail-password-missing", f"{path} cannot be read: {failed.strerror}", hint="mend mail.password_file"
        ) from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise Misuse("mail-password-open", f"{path} can be read by others", hint=f"chmod 600 {path}")
    return Secret(content.rstrip(b"\r\n"))

"""A real SMTP server that keeps what it takes: by STARTTLS, by TLS, or in the clear; with a log-in where it has one."""

import contextlib
import email
import email.policy
import queue
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

HOST = "127.0.0.1"


@dataclass
class Mailbox:
    """`answers` are given to messages in order, then 250; `refused` are addresses that it does not know."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    got: "queue.Queue[EmailMessage]" = field(default_factory=queue.Queue)
    users: list[bytes] = field(default_factory=list)

    def next(self, seconds: float = 30) -> EmailMessage:
        return self.got.get(timeout=seconds)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  # as the library calls it
        if address in self.refused:
            return "550 nobody of that name: kfs_echo"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.answers and not (answer := self.answers.pop(0)).startswith("250"):
            return answer
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        message["X-Rcpt"] = ",".join(envelope.rcpt_tos)
        message["X-Tls"] = "yes" if server.transport.get_extra_info("ssl_object") is not None else "no"
        self.got.put(message)
        return "250 taken"


class _Free(Controller):
    """On a port that the system chooses."""

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, host=self.hostname, port=0, ssl=self.ssl_context)

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextlib.contextmanager
def taking_mail(tls_files=None, *, security: str = "starttls", password: bytes | None = None) -> Iterator[Mailbox]:
    context = None
    if security != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    mailbox = Mailbox()

    def check(server, session, envelope, mechanism, given) -> AuthResult:
        mailbox.users.append(given.login)
        return AuthResult(success=given.password == password, handled=False)

    options = {"require_starttls": True, "tls_context": context} if security == "starttls" else {}
    if password is not None:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": True}
    controller = _Free(mailbox, hostname=HOST, ssl_context=context if security == "tls" else None, **options)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop(no_assert=True)

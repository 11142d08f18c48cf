"""By which ways notices leave: the partner's by e-mail, the operator's by e-mail and by all that alarms take."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyfob import tls
from keyfob.ambient import Clock
from keyfob.server.alarms.courier import NotDelivered, Sink
from keyfob.server.installation import Installation
from keyfob.server.notices import mail, words
from keyfob.server.notices.mail import Letter, Mail
from keyfob.server.notices.notice import Notice, Posted, Role

MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Channels:
    """`operator`: the operator's address, where there is e-mail."""

    issuer: str
    sinks: Sequence[Sink]
    mail: Mail | None
    operator: str

    def names(self) -> Mapping[Role, tuple[str, ...]]:
        by_mail = (MAIL,) if self.mail is not None else ()
        return {Role.PARTNER: by_mail, Role.OPERATOR: (*by_mail, *(sink.name for sink in self.sinks))}

    def deliver(self, notice: Notice, channel: str, *, email: str | None) -> None:
        """One attempt on one way; `email` is the partner's. Blocking. Raises NotDelivered."""
        said = words.write(notice, issuer=self.issuer)
        if channel == MAIL and self.mail is not None:
            to = self.operator if notice.recipient is Role.OPERATOR else notice.facts.get("to") or email
            if to is None:
                raise NotDelivered("the partner is gone", again=False)
            self.mail.deliver(Letter(notice.id, str(to), f"[Keyfob] {said.summary}", said.text, _attachment(notice)))
            return
        for sink in self.sinks:
            if sink.name == channel:
                sink.deliver(Posted(notice, self.issuer, said.summary))
                return
        raise NotDelivered(f"{channel} is not set any more", again=False)


def make(installation: Installation, sinks: Sequence[Sink], *, environ: Mapping[str, str], clock: Clock) -> Channels:
    """The ways of the settings, each usable. Raises Misuse or Problem that says what is missing."""
    settings = installation.settings
    chosen = settings.mail
    if chosen is None:
        return Channels(settings.issuer, sinks, None, "")
    context = functools.partial(tls.client_context, chosen.ca, environ=environ)
    password = functools.partial(mail.read_password, chosen, environ)
    context(), password()  # a wrong file shows now, and not with the first notice
    post = Mail(chosen, issuer=settings.issuer, context=context, password=password, clock=clock)
    return Channels(settings.issuer, sinks, post, chosen.operator)


def _attachment(notice: Notice) -> tuple[str, str] | None:
    return None if notice.attachment is None else (f"{notice.facts.get('client_id', 'message')}.asc", notice.attachment)

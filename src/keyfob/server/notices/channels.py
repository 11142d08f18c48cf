"""By which ways notices leave: the partner's by e-mail, the operator's by e-mail and by all that alarms take."""

import functools
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keyfob import tls
from keyfob.ambient import Clock
from keyfob.problem import Misuse
from keyfob.server import outward
from keyfob.server.alarms.courier import NotDelivered, Sink
from keyfob.server.alarms.webhook import Webhook
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import information, partner_webhooks
from keyfob.server.notices import mail, words
from keyfob.server.notices.mail import Letter, Mail
from keyfob.server.notices.notice import Notice, NoticeKind, Posted, Role
from keyfob.server.outward import Inner, Network
from keyfob.server.storage.outbox import PARTNER_WEBHOOK

MAIL = "mail"
_INFORMING = frozenset({NoticeKind.CLIENT_ADDED, NoticeKind.CLIENT_KEYS_CHANGED})


@dataclass(frozen=True, slots=True)
class Channels:
    """`operator`: the operator's address, where there is e-mail.

    `inform` signs what a client with keys has to know. `webhook_of`: a partner's own, by its id.
    """

    issuer: str
    sinks: Sequence[Sink]
    mail: Mail | None
    operator: str
    inform: Callable[[str], str]
    webhook_of: Callable[[str], Webhook | None]

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
            self.mail.deliver(
                Letter(notice.id, str(to), f"[Keyfob] {said.summary}", said.text, self._attachment(notice))
            )
            return
        if channel == PARTNER_WEBHOOK:
            own = None if notice.partner_id is None else self.webhook_of(notice.partner_id)
            if own is None:
                raise NotDelivered("the partner has no webhook any more", again=False)
            own.deliver(Posted(notice, self.issuer, said.summary))
            return
        for sink in self.sinks:
            if sink.name == channel:
                sink.deliver(Posted(notice, self.issuer, said.summary))
                return
        raise NotDelivered(f"{channel} is not set any more", again=False)

    def _attachment(self, notice: Notice) -> tuple[str, str] | None:
        """Name and text of what goes with an e-mail."""
        client_id = notice.facts.get("client_id")
        name = f"{client_id or 'message'}.asc"
        if notice.attachment is not None:
            return name, notice.attachment
        if notice.kind in _INFORMING and notice.recipient is Role.PARTNER:
            try:
                return name, self.inform(str(client_id))
            except Misuse:
                return None  # the client is gone since
        return None


def make(installation: Installation, sinks: Sequence[Sink], *, environ: Mapping[str, str], clock: Clock) -> Channels:
    """The ways of the settings, each usable. Raises Misuse or Problem that says what is missing."""
    settings = installation.settings
    chosen = settings.mail

    trusted = functools.partial(tls.client_context, settings.jwks_uri_ca, environ=environ)
    inner = outward.networks(settings.jwks_uri_networks)

    def webhook_of(partner_id: str) -> Webhook | None:
        target = partner_webhooks.find(installation, partner_id)
        choose = functools.partial(_outer_place, inner=inner)
        return None if target is None else Webhook(target.url, target.key, trusted, clock=clock, choose=choose)

    def inform(client_id: str) -> str:
        return information.sign(installation, client_id, now=clock())

    if chosen is None:
        return Channels(settings.issuer, sinks, None, "", inform, webhook_of)
    context = functools.partial(tls.client_context, chosen.ca, environ=environ)
    password = functools.partial(mail.read_password, chosen, environ)
    context(), password()  # a wrong file shows now, and not with the first notice
    post = Mail(chosen, issuer=settings.issuer, context=context, password=password, clock=clock)
    return Channels(settings.issuer, sinks, post, chosen.operator, inform, webhook_of)


def _outer_place(host: str, port: int, *, inner: Sequence[Network]) -> str:
    """A partner names the host: it must not lead to an inner network of ours. Raises NotDelivered."""
    try:
        return outward.in_url(outward.choose(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), inner), port)
    except Inner:
        said = "the webhook's host is in an inner network (keys.jwks_uri_networks could permit it)"
        raise NotDelivered(said, again=False) from None
    except OSError as failed:
        raise NotDelivered(f"the webhook's host is not found: {failed.strerror}", again=True) from None

"""What a notice says to a person: a subject in one line, and a text that ends with what to do next and the command.

`{...}` stand for facts. Names come from the command line, where nothing that breaks a line gets in.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from keyfob.server.notices.notice import Fact, Notice, NoticeKind, Role

_DATES = ("expires_at", "rotation_at", "use_by", "effective_at")
_SIGNED = (
    "\n\n-- \nKeyfob at {issuer}\nThis message was made by a program and holds no secret. It is about {subject}.\n"
)
_PROLONG = (
    "Prolong the key, and send its certificate to the operator again:\n"
    "  gpg --quick-set-expire {fingerprint} 1m\n"
    "  gpg --quick-set-expire {fingerprint} 1m '*'\n"
    "  gpg --armor --output FILE.asc --export {fingerprint}\n"
    "The same key needs no new confirmation of its fingerprint."
)
_RENEW = (
    "Ask the partner for the certificate with a later expiry, then:\n"
    "  keyfob-server partner renew {quoted} --certificate FILE.asc\n"
    "The same key needs no new confirmation of its fingerprint."
)


@dataclass(frozen=True, slots=True)
class Words:
    """One line, and the text of an e-mail."""

    summary: str
    text: str


_WORDS = {
    (NoticeKind.CREDENTIAL_EXPIRES, Role.PARTNER): Words(
        "the credential of {client_name} expires in {days}",
        "The credential {credential_id} of your client {client_name} ({client_id}) expires on {expires_at}.\n"
        "After that it gets no more tokens.\n\n"
        "Put a new secret in its place, without a failed call; nobody has to be asked:\n"
        "  keyfob rotate\n"
        "The old secret goes on working until some days after the first use of the new one.",
    ),
    (NoticeKind.CREDENTIAL_EXPIRES, Role.OPERATOR): Words(
        "{partner}: the credential of {client_name} expires in {days}",
        "The credential {credential_id} of {client_name} ({client_id}) of the partner {partner} expires on "
        "{expires_at}.\nAfter that it gets no more tokens.\n\n"
        "Seal a successor, and hand it over:\n"
        "  keyfob-server client rotate {client_id}\n"
        "The old secret goes on working until some days after the first use of the new one.",
    ),
    (NoticeKind.CERTIFICATE_EXPIRES, Role.PARTNER): Words(
        "your OpenPGP certificate expires in {days}",
        "The certificate {fingerprint} of {partner} expires on {expires_at}.\n"
        "After that no new secret can be sealed to you.\n\n" + _PROLONG,
    ),
    (NoticeKind.CERTIFICATE_EXPIRES, Role.OPERATOR): Words(
        "{partner}: its OpenPGP certificate expires in {days}",
        "The certificate {fingerprint} of the partner {partner} expires on {expires_at}.\n"
        "After that no new secret can be sealed to it.\n\n" + _RENEW,
    ),
    (NoticeKind.CERTIFICATE_EXPIRED, Role.PARTNER): Words(
        "your OpenPGP certificate has expired",
        "The certificate {fingerprint} of {partner} has expired on {expires_at}.\n"
        "No new secret can be sealed to you; those that you have go on working.\n\n" + _PROLONG,
    ),
    (NoticeKind.CERTIFICATE_EXPIRED, Role.OPERATOR): Words(
        "{partner}: its OpenPGP certificate has expired",
        "The certificate {fingerprint} of the partner {partner} has expired on {expires_at}.\n"
        "No new secret can be sealed to it; those that it has go on working.\n\n" + _RENEW,
    ),
    (NoticeKind.CERTIFICATE_ENDS_IN_ROTATION, Role.PARTNER): Words(
        "your OpenPGP certificate expires while a rotation is due",
        "A successor for the credential of {client_name} ({client_id}) is due on {rotation_at}. The certificate\n"
        "{fingerprint} that it is sealed to expires on {expires_at}, before the time to take it up is over.\n\n"
        + _PROLONG,
    ),
    (NoticeKind.CERTIFICATE_ENDS_IN_ROTATION, Role.OPERATOR): Words(
        "{partner}: its OpenPGP certificate expires while a rotation is due",
        "A successor for the credential of {client_name} ({client_id}) is due on {rotation_at}. The certificate\n"
        "{fingerprint} of {partner} expires on {expires_at}, before the time to take it up is over.\n\n" + _RENEW,
    ),
    (NoticeKind.CERTIFICATE_RENEWED, Role.PARTNER): Words(
        "your OpenPGP certificate was renewed",
        "The operator took up a newer form of your certificate {fingerprint}: the same key, usable until "
        "{expires_at}.\n\nIf it was not you who sent it, tell the operator at once.",
    ),
    (NoticeKind.CERTIFICATE_RENEWED, Role.OPERATOR): Words(
        "{partner}: its OpenPGP certificate was renewed",
        "A newer form of the certificate {fingerprint} of {partner} was taken up: the same key, usable until "
        "{expires_at}.\n\nSee it with:\n  keyfob-server partner show {quoted}",
    ),
    (NoticeKind.CERTIFICATE_REPLACED, Role.PARTNER): Words(
        "your secrets are now sealed to another OpenPGP key",
        "From now on the operator seals your secrets to the key {fingerprint}, and no more to {former}.\n"
        "How it was confirmed: {confirmed}.\n\n"
        "If it was not you who gave that key, tell the operator at once.",
    ),
    (NoticeKind.CERTIFICATE_REPLACED, Role.OPERATOR): Words(
        "{partner}: its secrets are now sealed to another OpenPGP key",
        "From now on the secrets of {partner} are sealed to the key {fingerprint}, and no more to {former}.\n"
        "How it was confirmed: {confirmed}.\n\nSee it with:\n  keyfob-server partner show {quoted}",
    ),
    (NoticeKind.CLIENT_ADDED, Role.PARTNER): Words(
        "your client {client_name} is there",
        "The operator knows a client {client_name} ({client_id}) of yours that proves itself by keys of its own:\n"
        "  {keys}\n"
        "What it needs to know is attached, signed by the operator's certificate. Check it with\n"
        "  gpg --decrypt {client_id}.asc\n\n"
        "If it was not asked for by you, tell the operator at once.",
    ),
    (NoticeKind.CLIENT_ADDED, Role.OPERATOR): Words(
        "{partner}: a client {client_name} with keys of its own",
        "There is a client {client_name} ({client_id}) of {partner} that proves itself by\n  {keys}\n\n"
        "See it with:\n  keyfob-server client show {client_id}",
    ),
    (NoticeKind.CLIENT_KEYS_ANNOUNCED, Role.PARTNER): Words(
        "{client_name} is to have other keys from {effective_at} on",
        "Somebody who has the private key of your OpenPGP certificate asked for other keys for your client\n"
        "{client_name} ({client_id}):\n  {keys}\n"
        "They count from {effective_at} on, and the present ones no more.\n\n"
        "If it was not you, stop it, and tell the operator at once that your OpenPGP key is in wrong hands:\n"
        "  keyfob keys --stop {announcement_id} --client {client_id} --issuer {issuer}",
    ),
    (NoticeKind.CLIENT_KEYS_ANNOUNCED, Role.OPERATOR): Words(
        "{partner}: {client_name} is to have other keys from {effective_at} on",
        "{partner} asked, by a signature of its certificate, for other keys for {client_name} ({client_id}):\n"
        "  {keys}\n"
        "They count from {effective_at} on. To stop it, or to let it count at once:\n"
        "  keyfob-server announcement stop {announcement_id} --reason TEXT\n"
        "  keyfob-server announcement hasten {announcement_id} --reason TEXT",
    ),
    (NoticeKind.CLIENT_KEYS_CHANGED, Role.PARTNER): Words(
        "{client_name} has other keys now",
        "Your client {client_name} ({client_id}) proves itself from now on by\n  {keys}\n"
        "What it needs to know is attached, signed by the operator's certificate. Check it with\n"
        "  gpg --decrypt {client_id}.asc\n\n"
        "If that was not asked for by you, tell the operator at once.",
    ),
    (NoticeKind.CLIENT_KEYS_CHANGED, Role.OPERATOR): Words(
        "{partner}: {client_name} has other keys now",
        "{client_name} ({client_id}) of {partner} proves itself from now on by\n  {keys}\n\n"
        "See it with:\n  keyfob-server client show {client_id}",
    ),
    (NoticeKind.CHANGE_STOPPED, Role.PARTNER): Words(
        "{client_name} keeps the keys that it has",
        "The other keys that were announced for your client {client_name} ({client_id}),\n  {keys}\n"
        "do not come: {by} stopped it.\n\n"
        "If it was you who had asked for them, tell the operator.",
    ),
    (NoticeKind.CHANGE_STOPPED, Role.OPERATOR): Words(
        "{partner}: {client_name} keeps the keys that it has",
        "The other keys that were announced for {client_name} ({client_id}) of {partner},\n  {keys}\n"
        "do not come: {by} stopped it.\n\n"
        "Ask the partner whether its OpenPGP key is in wrong hands. See the client with:\n"
        "  keyfob-server client show {client_id}",
    ),
    (NoticeKind.CONTACT_CHANGED, Role.PARTNER): Words(
        "notices for {partner} go to another address now",
        "From now on notices for {partner} go to {email}, and no more to {to}.\n\n"
        "If that was not asked for by you, tell the operator at once.",
    ),
    (NoticeKind.CONTACT_CHANGED, Role.OPERATOR): Words(
        "{partner}: its notices go to another address now",
        "From now on notices for {partner} go to {email}, and no more to {to}, which was told.\n\nSee it with:\n"
        "  keyfob-server partner show {quoted}",
    ),
    (NoticeKind.SUCCESSOR_SEALED, Role.PARTNER): Words(
        "a new secret for {client_name} waits for you",
        "The credential of your client {client_name} ({client_id}) expires on {expires_at}. Its successor is sealed\n"
        "to your certificate {fingerprint}, and attached: nobody else can open it.\n\n"
        "Take it up by {use_by}:\n  keyfob receive {client_id}.asc\n"
        "The old secret goes on working until some days after the first use of the new one.",
    ),
    (NoticeKind.SUCCESSOR_SEALED, Role.OPERATOR): Words(
        "{partner}: a new secret for {client_name} was sealed by schedule",
        "The credential of {client_name} ({client_id}) expires on {expires_at}. Its successor is sealed to the\n"
        "certificate {fingerprint} of {partner}, in the file\n  {path}\n"
        "on the machine that made it. Where e-mail is set, the partner has it as an attachment; else hand it over.\n"
        "It must be used by {use_by}. See it with:\n  keyfob-server client show {client_id}",
    ),
    (NoticeKind.SECRET_LEAKED, Role.PARTNER): Words(
        "a secret of {client_name} was found by somebody, and is withdrawn",
        "Somebody who holds the secret {credential_id} of your client {client_name} ({client_id}) reported it.\n"
        "Where it was found: {where}\n"
        "It and its tokens work no more. Other secrets of the client: {left}.\n\n"
        "Find out how it got there, and whether your OpenPGP key lay on the same machine. If nothing else\n"
        "works, a replacement comes in a message of its own while your certificate is valid. Otherwise ask the\n"
        "operator for one, and take it up:\n  keyfob receive FILE.asc",
    ),
    (NoticeKind.SECRET_LEAKED, Role.OPERATOR): Words(
        "{partner}: a secret of {client_name} leaked, and is withdrawn",
        "Somebody who holds the secret {credential_id} of {client_name} ({client_id}) of {partner} reported it.\n"
        "Where it was found: {where}\n"
        "It and its tokens work no more. Other secrets of the client: {left}.\n\n"
        "Ask the partner whether its OpenPGP key lay on the machine that leaked. If nothing else works, a replacement\n"
        "is sealed while the certificate is valid, and told of. If none was, or the key leaked, too, seal one when\n"
        "the partner has another certificate:\n"
        "  keyfob-server client rotate {client_id}",
    ),
    (NoticeKind.REPLACEMENT_SEALED, Role.PARTNER): Words(
        "a replacement for the leaked secret of {client_name}: confirm first that its key did not leak, too",
        "The secret {credential_id} of your client {client_name} ({client_id}) leaked, and is withdrawn.\n"
        "Its replacement is attached, sealed to your certificate {fingerprint}.\n\n"
        "CONFIRM THAT ITS KEY WAS NOT ON THE LEAKING HOST: whoever has that key opens this message, too. If it was\n"
        "there, or you cannot say, do not use the attachment: tell the operator, and send another certificate.\n\n"
        "If it was not, take the replacement up by {use_by}:\n  keyfob receive {client_id}.asc",
    ),
    (NoticeKind.REPLACEMENT_SEALED, Role.OPERATOR): Words(
        "{partner}: a replacement for the leaked secret of {client_name} was sealed; confirm its key",
        "The secret {credential_id} of {client_name} ({client_id}) leaked, and was the last that would do.\n"
        "Its replacement {successor} is sealed to the certificate {fingerprint} of {partner}, in the file\n  {path}\n"
        "on the machine that made it. Where e-mail is set, the partner has it as an attachment; else hand it over.\n"
        "It must be used by {use_by}.\n\n"
        "CONFIRM WITH THE PARTNER THAT ITS KEY WAS NOT ON THE LEAKING HOST. If it was, end the replacement:\n"
        "  keyfob-server client revoke-credential {client_id} {successor}",
    ),
    (NoticeKind.INITIAL_TOKEN_LEAKED, Role.PARTNER): Words(
        "a token for registering clients was found by somebody, and is withdrawn",
        "Somebody who holds your initial access token {allowance_id} reported it.\n"
        "Where it was found: {where}\n"
        "It registers nobody any more. Clients that were registered with it go on.\n\n"
        "Find out how it got there. If you do not know each client that it has registered, tell the operator.",
    ),
    (NoticeKind.INITIAL_TOKEN_LEAKED, Role.OPERATOR): Words(
        "{partner}: a token for registering clients leaked, and is withdrawn",
        "Somebody who holds the initial access token {allowance_id} of {partner} reported it;\n"
        "{uses_left} uses were left. Where it was found: {where}\n"
        "It registers nobody any more. Look whether the partner knows each client that it has registered:\n"
        "  keyfob-server partner show {quoted}",
    ),
    (NoticeKind.REGISTRATION_TOKEN_LEAKED, Role.PARTNER): Words(
        "the registration token of {client_name} was found by somebody, and is withdrawn",
        "Somebody who holds the registration access token of your client {client_name} ({client_id}) reported it.\n"
        "Where it was found: {where}\n"
        "The client goes on; it can no more be changed by itself.\n\n"
        "Find out how it got there, and look whether the client is as you left it. Then ask the operator for another\n"
        "token (keyfob-server registration renew {client_id}).",
    ),
    (NoticeKind.REGISTRATION_TOKEN_LEAKED, Role.OPERATOR): Words(
        "{partner}: the registration token of {client_name} leaked, and is withdrawn",
        "Somebody who holds the registration access token of {client_name} ({client_id}) of {partner} reported it.\n"
        "Where it was found: {where}\n"
        "The client goes on; it can no more be changed by itself. When the partner knows how it got there:\n"
        "  keyfob-server registration renew {client_id}",
    ),
    (NoticeKind.ACCESS_TOKEN_LEAKED, Role.PARTNER): Words(
        "an access token of {client_name} was found by somebody, and is withdrawn",
        "Somebody who holds an access token of your client {client_name} ({client_id}) for {resource} reported it.\n"
        "Where it was found: {where}\n"
        "That token ({jti}) works no more; the secret that it was got with goes on.\n\n"
        "Find out what writes tokens there. If the secret may lie there, too, put another in its place:\n"
        "  keyfob rotate",
    ),
    (NoticeKind.ACCESS_TOKEN_LEAKED, Role.OPERATOR): Words(
        "an access token of {client_name} leaked, and is withdrawn",
        "Somebody who holds an access token of {client_name} ({client_id}) for {resource} reported it.\n"
        "Where it was found: {where}\n"
        "That token ({jti}) works no more; what it was got with goes on. See what was done with it:\n"
        "  keyfob-server audit tail",
    ),
    (NoticeKind.LINK_LEAKED, Role.PARTNER): Words(
        "the link to a sealed message for {client_name} was found by somebody, and is withdrawn",
        "Somebody who holds the link to the sealed secret {credential_id} of your client {client_name} ({client_id})\n"
        "reported it. Where it was found: {where}\n"
        "The link leads nowhere any more. The message was sealed to you: by the link alone nobody can open it.\n\n"
        "If you have not fetched it yet, tell the operator, who makes another.",
    ),
    (NoticeKind.LINK_LEAKED, Role.OPERATOR): Words(
        "{partner}: the link to a sealed message for {client_name} leaked, and is withdrawn",
        "Somebody who holds the link to the sealed secret {credential_id} of {client_name} ({client_id}) of {partner}\n"
        "reported it. Where it was found: {where}\n"
        "The link leads nowhere any more; the message was sealed. If the partner has not fetched it yet:\n"
        "  keyfob-server client rotate {client_id} --link",
    ),
    (NoticeKind.OPERATOR_KEY_LEAKED, Role.OPERATOR): Words(
        "the key of the operator {operator_name} leaked, and is withdrawn",
        "Somebody who holds the private key of the operator {operator_name} reported it.\n"
        "Where it was found: {where}\n"
        "The admin API takes it no more. Look at what was done with it, and take up another, made by {operator_name}:\n"
        "  keyfob-server audit tail\n"
        "  keyfob-server operator key {operator} --jwks FILE.json",
    ),
    (NoticeKind.ROTATION_NOT_MADE, Role.PARTNER): Words(
        "no new secret could be made for {client_name}",
        "A successor for the credential of your client {client_name} ({client_id}) was due, and could not be sealed:\n"
        "your certificate is not usable ({reason}). The credential expires on {expires_at}.\n\n" + _PROLONG,
    ),
    (NoticeKind.ROTATION_NOT_MADE, Role.OPERATOR): Words(
        "{partner}: the scheduled rotation of {client_name} was not made",
        "A successor for the credential of {client_name} ({client_id}) of {partner} was due, and was not made:\n"
        "{reason}. The credential expires on {expires_at}.\n\nMend that, or do it by hand:\n"
        "  keyfob-server partner show {quoted}\n  keyfob-server client rotate {client_id}",
    ),
    (NoticeKind.TEST, Role.OPERATOR): Words(
        "a test: nothing happened", "You asked for this test:\n  keyfob-server notice test\nNotices arrive here."
    ),
}


def write(notice: Notice, *, issuer: str) -> Words:
    """What `notice` says, with its facts filled in."""
    found = _WORDS[notice.kind, notice.recipient]
    shown = _Facts({name: _show(name, value) for name, value in notice.facts.items()})
    shown |= {
        "quoted": shlex.quote(shown["partner"]),
        "operator": shlex.quote(shown["operator_name"]),
        "issuer": issuer,
        "subject": notice.subject,
        "days": _days(notice.threshold),
    }
    return Words(found.summary.format_map(shown), (found.text + _SIGNED).format_map(shown))


class _Facts(dict[str, str]):
    """A fact that an older program did not write is a gap in the text, and no reason to tell nothing."""

    def __missing__(self, name: str) -> str:
        return "?"


def show_date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _show(name: str, value: Fact) -> str:
    if name in _DATES:
        return "no fixed date" if value is None else show_date(int(value))
    return "-" if value is None else str(value)


def _days(count: int) -> str:
    return "one day" if count == 1 else f"{count} days"


COVERED: Mapping[tuple[NoticeKind, Role], Words] = _WORDS

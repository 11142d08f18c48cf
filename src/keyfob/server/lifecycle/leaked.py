"""What of ours can lie where it does not belong: how each kind is known again by whoever shows it, and how it ends.

The form tells the kind, and everybody knows the forms. To show the thing itself is the proof, for each kind alike: a
secret by its hash, an access token by our signature, a key by its public half.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.jose import keys
from keyfob.jose.keys import KeySet, write_jwks
from keyfob.jose.tokens import verify_access_token
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.revocation_feed import Revocations
from keyfob.secret import Secret
from keyfob.server.audit.events import Field, Kind
from keyfob.server.lifecycle import allowances, endings, links, operators, registration_tokens, revocations
from keyfob.server.lifecycle.signing_keys import Phase, phases
from keyfob.server.lifecycle.states import USABLE, effective
from keyfob.server.notices.notice import Facts, NoticeKind
from keyfob.server.secret_hash import Pepper, matches
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import (
    Allowance,
    Client,
    ClientView,
    Credential,
    Operator,
    Partner,
    Registration,
    RegistrationToken,
    State,
)

_MAX_KEY = 800
"""Characters of a private key in PEM: of P-256, P-384 or Ed25519, not of RSA, whose numbers take long to check."""
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class What(StrEnum):
    """Its value stands in the audit."""

    CLIENT_SECRET = "client secret"  # noqa: S105  # the name of a kind
    INITIAL_ACCESS_TOKEN = "initial access token"  # noqa: S105
    REGISTRATION_TOKEN = "registration access token"  # noqa: S105
    ACCESS_TOKEN = "access token"  # noqa: S105
    HANDOFF_LINK = "hand-off link"
    OPERATOR_KEY = "operator's key"


@dataclass(frozen=True, slots=True)
class Ended:
    """`others`: whether the client has another secret that works. `is_dark`: whether it has none that will do."""

    others: bool = True
    is_dark: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Something of ours, and whose it is. `owner` for an alarm, `named` for the audit, `facts` for the notice.

    `end` is called where nobody else writes, if `is_alive` holds there. `partner` None: it is an operator's.
    """

    what: What
    id: str
    owner: str
    notice: NoticeKind
    partner: Partner | None
    is_alive: bool
    named: Mapping[str, Field]
    facts: Facts
    end: Callable[[Change], Ended]
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Looking:
    """Where something that was shown is looked for, and when."""

    reading: Reading
    issuer: str
    peppers: Sequence[Pepper]
    now: int


def find(looking: Looking, shown: Secret) -> Found | None:
    """What it is, if it is ours. What has no form of ours costs a look-up and a MAC as well: it may be a cut secret."""
    text = _text(shown)
    for is_one, found in _KINDS:
        if is_one(text, looking):
            return found(looking, shown)
    return _client_secret(looking, shown)


def _client_secret(looking: Looking, shown: Secret) -> Found | None:
    named = client_secret.credential_id(shown) or ""
    client_id, stored = looking.reading.find_secret_hash(named) or (None, None)
    if not matches(shown, stored, looking.peppers) or client_id is None:
        return None
    view = looking.reading.find_client(client_id)
    credential = None if view is None else view.credential(named)
    if view is None or credential is None:
        return None
    state = effective(credential, looking.now)
    return Found(
        what=What.CLIENT_SECRET,
        id=named,
        owner=f"client {client_id}",
        notice=NoticeKind.SECRET_LEAKED,
        partner=looking.reading.partner_of(view.client),
        is_alive=state in USABLE,
        named={"client_id": client_id, "credential_id": named, "was": state.value},
        facts=_of_client(view.client) | {"credential_id": named},
        end=partial(_end_secret, view, credential, now=looking.now),
        client_id=client_id,
    )


def _end_secret(view: ClientView, credential: Credential, change: Change, *, now: int) -> Ended:
    """A client whose other secret is on its way out will soon have none; one that is suspended needs none yet."""
    others = endings.revoke_credential(change, view.client.id, credential.id, now=now)
    left = change.reading.credentials(view.client.id)
    is_active = view.client.state is State.ACTIVE and view.partner_state is State.ACTIVE
    return Ended(others, is_active and not any(effective(one, now) is State.ACTIVE for one in left))


def _initial_access_token(looking: Looking, shown: Secret) -> Found | None:
    named = client_secret.credential_id(shown, prefix=Prefix.INITIAL_ACCESS_TOKEN) or ""
    found = looking.reading.find_allowance(named)
    if not matches(shown, None if found is None else found.token_hash, looking.peppers) or found is None:
        return None
    return Found(
        what=What.INITIAL_ACCESS_TOKEN,
        id=found.id,
        owner=f"allowance {found.id}",
        notice=NoticeKind.INITIAL_TOKEN_LEAKED,
        partner=next(one for one in looking.reading.partners() if one.id == found.partner_id),
        is_alive=_lets_register(found, looking.now),
        named={"allowance_id": found.id, "partner_id": found.partner_id},
        facts={"allowance_id": found.id, "uses_left": found.uses_left},
        end=partial(_end_allowance, found),
    )


def _lets_register(allowance: Allowance, now: int) -> bool:
    return allowance.state is State.ACTIVE and allowance.uses_left > 0 and now < allowance.expires_at


def _end_allowance(allowance: Allowance, change: Change) -> Ended:
    allowances.withdraw(change, allowance.id)
    return Ended()


def _registration_token(looking: Looking, shown: Secret) -> Found | None:
    try:
        token = registration_tokens.find(looking.reading, shown, looking.peppers)
    except InvalidToken:
        return None
    view = looking.reading.find_client(token.client_id)
    registration = looking.reading.find_registration(token.client_id)
    if view is None or registration is None:
        return None
    return Found(
        what=What.REGISTRATION_TOKEN,
        id=token.id,
        owner=f"client {token.client_id}",
        notice=NoticeKind.REGISTRATION_TOKEN_LEAKED,
        partner=looking.reading.partner_of(view.client),
        is_alive=_speaks_for(looking, token, registration),
        named={"client_id": token.client_id},
        facts=_of_client(view.client),
        end=partial(_end_registration, registration, now=looking.now),
        client_id=token.client_id,
    )


def _speaks_for(looking: Looking, token: RegistrationToken, registration: Registration) -> bool:
    newest = looking.reading.newest_registration_token(token.client_id)
    try:
        registration_tokens.check(token, newest, registration, now=looking.now)
    except InvalidToken:
        return False
    return True


def _end_registration(registration: Registration, change: Change, *, now: int) -> Ended:
    """The whole chain: the token that this one gives is as good as in the same hands."""
    change.put_registration(replace(registration, ended_at=now))
    change.record(Kind.REGISTRATION_ENDED, client_id=registration.client_id)
    return Ended()


def _access_token(looking: Looking, shown: Secret) -> Found | None:
    """One that has expired needs no end: it is nothing of ours any more."""
    listed = phases(looking.reading.signing_keys(), looking.now)
    published = [json.loads(record.public_jwk) for record, phase in listed if phase is not Phase.GONE]
    if not published:
        return None
    try:
        keys_now = KeySet.parse(write_jwks(published))
        token = verify_access_token(shown, keys_now, issuer=looking.issuer, audience=None, now=looking.now)
    except InvalidToken:
        return None
    withdrawn = Revocations().plus([record.revocation for record in looking.reading.revocations()], now=0)
    view = looking.reading.find_client(token.client_id)
    facts = {"client_name": token.client_id, "client_id": token.client_id} if view is None else _of_client(view.client)
    return Found(
        what=What.ACCESS_TOKEN,
        id=token.jti,
        owner=f"client {token.client_id}",
        notice=NoticeKind.ACCESS_TOKEN_LEAKED,
        partner=None if view is None else looking.reading.partner_of(view.client),
        is_alive=withdrawn.find(token) is None,
        named={"client_id": token.client_id, "jti": token.jti, "resource": token.audience},
        facts=facts | {"jti": token.jti, "resource": token.audience},
        end=partial(_end_token, token),
        client_id=token.client_id,
    )


def _end_token(token: AccessToken, change: Change) -> Ended:
    revocations.of_token(change, token)
    return Ended()


def _handoff_link(looking: Looking, shown: Secret) -> Found | None:
    token = _text(shown).removeprefix(looking.issuer + links.PATH)
    offered = links.find(looking.reading, token, now=looking.now)
    view = None if offered is None else looking.reading.find_client(offered.client_id)
    if offered is None or view is None:
        return None
    return Found(
        what=What.HANDOFF_LINK,
        id=offered.message.id,
        owner=f"client {offered.client_id}",
        notice=NoticeKind.LINK_LEAKED,
        partner=looking.reading.partner_of(view.client),
        is_alive=True,
        named={
            "client_id": offered.client_id,
            "credential_id": offered.message.credential_id,
            "message_id": offered.message.id,
        },
        facts=_of_client(view.client) | {"credential_id": offered.message.credential_id},
        end=partial(_end_link, offered.link.token_hash),
        client_id=offered.client_id,
    )


def _end_link(token_hash: str, change: Change) -> Ended:
    """All its fetches are used up: what its holder could do as well."""
    while change.use_link(token_hash):
        pass
    return Ended()


def _operator_key(looking: Looking, shown: Secret) -> Found | None:
    try:
        key_id = keys.load(shown).kid
    except ValueError:
        return None
    operator = looking.reading.find_operator(key_id)
    if operator is None:
        return None
    return Found(
        what=What.OPERATOR_KEY,
        id=key_id,
        owner=f"operator {operator.name}",
        notice=NoticeKind.OPERATOR_KEY_LEAKED,
        partner=None,
        is_alive=True,
        named={"operator_id": operator.id, "thumbprint": key_id},
        facts={"operator_name": operator.name, "thumbprint": key_id},
        end=partial(_end_key, operator),
    )


def _end_key(operator: Operator, change: Change) -> Ended:
    operators.take_key(change, operator)
    return Ended()


def _of_client(client: Client) -> dict[str, str | int | None]:
    return {"client_id": client.id, "client_name": client.name}


def _text(shown: Secret) -> str:
    try:
        return shown.reveal()
    except UnicodeDecodeError:
        return ""


def _is_private_key(text: str) -> bool:
    return len(text) <= _MAX_KEY and text.startswith("-----BEGIN ") and "PRIVATE KEY-----" in text


_KINDS: tuple[
    tuple[Callable[[str, Looking], bool], Callable[[Looking, Secret], Found | None]],
    ...,
] = (
    (lambda text, _: text.startswith(f"{Prefix.INITIAL_ACCESS_TOKEN}_"), _initial_access_token),
    (lambda text, _: text.startswith(f"{Prefix.REGISTRATION_ACCESS_TOKEN}_"), _registration_token),
    (lambda text, _: _JWT.fullmatch(text) is not None, _access_token),
    (lambda text, looking: text.startswith(looking.issuer + links.PATH), _handoff_link),
    (lambda text, _: _is_private_key(text), _operator_key),
)

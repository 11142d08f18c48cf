"""A new secret in place of the old one, by the partner alone, without a failed call.

    1 the issuer is asked for the successor's sealed message, with the secret that the vault holds
    2 it goes through every check of `receive`, and into the vault beside the old one
    3 the new secret gets a token: this is its first use, and begins the old one's overlap

Killed before 2, nothing has changed; after it, the vault holds both, and the next rotation goes on from there: the
issuer gives the same message again. Who shares the vault waits, and then finds the work done.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from keyfob.ambient import Entropy
from keyfob.oauth.client_authentication import write_basic
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.wire import Response, values
from keyfob.partner import first_token
from keyfob.partner.errors import Unreachable, VaultChanged, VaultProblem
from keyfob.partner.receive import MAX_BYTES, Receipt
from keyfob.partner.steps import Request, Transport
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Problem

_PATH = "/partner/v1/credentials"
_ACCEPT = (("accept", "application/pgp-encrypted, application/json"),)
_MAX_SHOWN = 500
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class LivingCredential:
    """A credential that works, as the issuer tells it. Dates are seconds since 1970; None has not come.

    `last_used_from` is an address; `overlap_ends_at` stands in one that was replaced.
    """

    credential_id: str
    state: str
    expires_at: int | None
    overlap_ends_at: int | None
    last_used_at: int | None
    last_used_from: str | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """What `rotate` did: the credential in use now, the one before it, and what else works and until when.

    `again`: another program that shares the vault had done it already.
    """

    client_id: str
    credential_id: str
    replaced: str
    again: bool
    living: tuple[LivingCredential, ...]

    @property
    def ending(self) -> tuple[LivingCredential, ...]:
        """The old ones that still work."""
        return tuple(one for one in self.living if one.credential_id != self.credential_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotator:
    """Rotates the client `client_id` in `vault`.

    `open_entry` opens what the vault holds, `receive` checks and stores a message as the entry given is kept.
    """

    vault: Vault
    client_id: str
    open_entry: Callable[[Entry], ClientInformation]
    receive: Callable[[bytes, Entry], Receipt]
    transport: Transport
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    entropy: Entropy

    def rotate(self) -> Rotation:
        """Raises Problem; the old secret goes on working."""
        before = self.vault.current(self.client_id)
        for _ in range(_ATTEMPTS - 1):
            # Where there is no lock, one that was faster may have done all of it, or something else.
            with contextlib.suppress(VaultChanged):
                return self._rotate(before)
        return self._rotate(before)

    def _rotate(self, before: Entry) -> Rotation:
        with self.vault.rotating():
            entry = self.vault.current(self.client_id)
            again = entry.credential_id != before.credential_id
            if not again:
                response, dead = self._ask("POST", "/next")
                message = _read_message(response)
                # First: so there is never more than one that does not work before one that does.
                self.vault.forget(self.client_id, dead)
                entry = self.receive(message, entry).entry
            information = self.open_entry(entry)
            first_token.ask(
                information,
                transport=self.transport,
                clock=self.clock,
                wall_clock=self.wall_clock,
                entropy=self.entropy,
            )
            living = self._living(information)
            self._forget_what_ended(entry, living)
        return Rotation(self.client_id, entry.credential_id, before.credential_id, again, living)

    def finish(self) -> tuple[str, ...]:
        """End the overlap: the ids of the credentials that no longer work. Raises Problem."""
        response, _ = self._ask("POST", "/finish")
        found = _document(response).get("retired")
        return tuple(str(one) for one in found) if isinstance(found, list) else ()

    def _ask(self, method: str, path: str) -> tuple[Response, tuple[str, ...]]:
        """With the newest secret; where that is refused, with the one before it: it may have been replaced unused.

        The ids are of what was refused where another was accepted: that one has ended.
        """
        refused: Response | None = None
        dead: list[str] = []
        stored = self.vault.entries(self.client_id)
        # A key that is announced comes without a secret, and this is asked by secrets alone.
        for entry in [one for one in stored if not one.usable_from or len(stored) == 1][:2]:
            response = self.transport.send(_request(method, path, self.open_entry(entry)))
            if response.status != 401:
                return _checked(response), tuple(dead)
            refused = refused or response
            dead.append(entry.credential_id)
        assert refused is not None
        return _checked(refused), ()

    def _forget_what_ended(self, current: Entry, living: tuple[LivingCredential, ...]) -> None:
        """What the issuer no longer lists is of no use to anybody. Without a list nothing is forgotten."""
        kept = {one.credential_id for one in living} | {current.credential_id}
        if living:
            ended = [one.credential_id for one in self.vault.entries(self.client_id) if one.credential_id not in kept]
            self.vault.forget(self.client_id, ended)

    def _living(self, information: ClientInformation) -> tuple[LivingCredential, ...]:
        """What the issuer tells; nothing where it cannot be had: the rotation is done all the same."""
        try:
            response = self.transport.send(_request("GET", "", information))
            found = _document(response).get("credentials") if response.status == 200 else None
        except Unreachable:
            found = None
        return tuple(_living(one) for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _request(method: str, path: str, information: ClientInformation) -> Request:
    if not information.issuer.startswith("https://"):
        raise VaultProblem("plain-http", "the credential names an issuer without HTTPS", hint="ask the operator")
    if information.client_secret is None:
        raise VaultProblem("no-secret", "the stored credential holds no client secret", hint="receive another message")
    return Request(
        method,
        f"{information.issuer}{_PATH}{path}",
        _ACCEPT,
        authorization=write_basic(information.client_id, information.client_secret),
        max_response_bytes=MAX_BYTES,
    )


def _checked(response: Response) -> Response:
    """`response`, which is no refusal. Raises Problem in the issuer's words."""
    if response.status in (200, 201):
        return response
    if response.status == 404:
        raise Problem(
            "not-offered", "this issuer does not let partners rotate", hint="ask the operator for another secret"
        )
    document = _document(response)
    code, said = _line(document.get("error", "refused")), _line(document.get("error_description", ""))
    error_id = f" (error_id {_line(document['error_id'])})" if "error_id" in document else ""
    hint = _HINTS.get(code, "the old secret goes on working; tell the operator the error_id")
    raise Problem(code, f"the issuer refused: {said or code}{error_id}", hint=hint)


def _read_message(response: Response) -> bytes:
    kinds = values(response.headers, b"content-type")
    if not kinds or kinds[0].partition(b";")[0].strip().lower() != b"application/pgp-encrypted":
        raise _malformed(response)
    return response.body


def _document(response: Response) -> dict[str, object]:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _malformed(response)
    return found


def _malformed(response: Response) -> Unreachable:
    return Unreachable(
        "malformed-response",
        f"the issuer's answer (HTTP {response.status}) is none to this question",
        hint="check that the issuer is right, then tell its operator",
    )


def _living(document: dict[str, object]) -> LivingCredential:
    address = document.get("last_used_from")
    return LivingCredential(
        credential_id=_line(document.get("credential_id", "")),
        state=_line(document.get("state", "")),
        expires_at=_date(document.get("expires_at")),
        overlap_ends_at=_date(document.get("overlap_ends_at")),
        last_used_at=_date(document.get("last_used_at")),
        last_used_from=None if address is None else _line(address),
    )


def _date(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LAST_DATE else None


def _line(value: object) -> str:
    """Text of a server for a terminal: no control characters, no second line, not endless."""
    return "".join(character if character.isprintable() else " " for character in str(value)[:_MAX_SHOWN])


_LAST_DATE = 253402300799
_HINTS = {
    "invalid_client": "no secret in this vault is accepted: ask the operator, and keyfob receive the new message",
    "not_used_yet": "use the new secret first: any keyfob call or keyfob token does",
    "wrong_credential": "keyfob rotate in this vault first, so that it holds the new secret",
    "no_overlap": "there is nothing to end: the old secret does not work any more",
    "handed_over": "keyfob receive FILE, with the newest message that the operator has sent",
    "certificate_unusable": "gpg --quick-set-expire FPR 1m, the same with '*' at the end, then send the certificate",
    "too_many_requests": "wait as long as it says; the old secret goes on working",
    "temporarily_unavailable": "try again in a minute",
    "try_again": "try again",
}

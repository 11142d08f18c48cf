"""What can go wrong on the partner's side, each error saying whose move is next: ours, the operator's, the network's.

No text here ever holds a secret, a token or a request body.
"""

import difflib
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import ClassVar

from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem


class Fault(StrEnum):
    """Who can mend it."""

    OURS = "ours"
    OPERATOR = "operator"
    NETWORK = "network"


class UnsafeCall(Misuse):
    """The call would have put a credential at risk: refused before anything was sent."""

    fault: ClassVar[Fault] = Fault.OURS


class VaultProblem(Problem):
    """The vault, or an entry in it, cannot be used as it stands."""

    fault: ClassVar[Fault] = Fault.OURS


class VaultChanged(VaultProblem):
    """Another program was faster, where a vault has no lock: nothing of this change was written. Begin anew."""

    def __init__(self, where: str) -> None:
        super().__init__("vault-changed", f"another program has changed {where} meanwhile", hint="try again")


class MessageRefused(Problem):
    """A sealed message was not believed: nothing was stored."""

    fault: ClassVar[Fault] = Fault.OPERATOR


class UnknownOperation(Problem):
    """The API does not describe this call, so the scope that it needs is not known."""

    fault: ClassVar[Fault] = Fault.OURS


class ScopeNotHeld(Problem):
    """The call needs a scope that the operator has not registered for this client; `missing` names it.

    `typed`: a person wrote it, and may have meant one that is `held`.
    """

    fault: ClassVar[Fault] = Fault.OPERATOR

    def __init__(self, missing: str, message: str, *, held: Scope, typed: bool = False) -> None:
        hint = f"this client holds: {' '.join(sorted(held)) or 'none'}; {ASK_FOR_SCOPE}"
        close = difflib.get_close_matches(missing, sorted(held), n=1, cutoff=0.8) if typed else []
        if close:
            hint = f"did you mean {close[0]}? {hint}"
        elif typed and "," in missing:
            hint = f"scopes are separated by spaces; {hint}"
        super().__init__("insufficient_scope", message, hint=hint)
        self.missing = missing


class TokenDenied(Problem):
    """The issuer refused a token. `code` is its RFC 6749 §5.2 error, `error_id` what to tell the operator.

    `asked_again_in`: seconds for which its last answer still holds; None for an answer that has just come.
    """

    fault: ClassVar[Fault] = Fault.OPERATOR

    def __init__(
        self,
        code: str,
        description: str,
        *,
        status: int,
        error_id: str | None,
        retry_after: int | None = None,
        asked_again_in: int | None = None,
    ) -> None:
        named = f" (error_id {error_id})" if error_id else ""
        said = f": {description}" if description else ""
        message = f"the issuer refused a token with {code}{said}{named}{_again(asked_again_in)}"
        super().__init__(code, message, hint=_HINTS.get(code, _HINT_ELSE))
        self.status = status
        self.error_id = error_id
        self.retry_after = retry_after
        self.asked_again_in = asked_again_in
        self.description = description

    @property
    def is_passing(self) -> bool:
        """Whether the issuer was only busy, or ill: it is no word on what was asked."""
        return self.status == 429 or self.status >= 500

    @property
    def again(self) -> Callable[..., "TokenDenied"]:
        """Makes the same refusal anew, for who asks while it holds; it keeps nothing of this one alive."""
        return partial(type(self), self.code, self.description, status=self.status, error_id=self.error_id)


class CredentialRefused(TokenDenied):
    """RFC 6749 §5.2 invalid_client: the credential is not tried again for a minute, then for ever longer up to an hour,
    unless the vault holds a newer one.
    """


class Unreachable(Problem):
    """The server could not be reached over verified HTTPS, or did not answer as the protocol says."""

    fault: ClassVar[Fault] = Fault.NETWORK

    def __init__(self, code: str, message: str, *, hint: str = "", asked_again_in: int | None = None) -> None:
        super().__init__(code, message + _again(asked_again_in), hint=hint)
        self.asked_again_in = asked_again_in

    @property
    def again(self) -> Callable[..., "Unreachable"]:
        """As TokenDenied.again."""
        return partial(Unreachable, self.code, self.message, hint=self.hint)


def _again(seconds: int | None) -> str:
    return "" if seconds is None else f"; it is asked again in {seconds} s"


ASK_FOR_SCOPE = "for another scope ask the operator; once it is granted, keyfob rotate brings it into the vault"
_HINT_ELSE = "ask for the reason: keyfob explain ERROR_ID, or tell the operator the error_id"
_HINTS = {
    "invalid_client": "the credential was withdrawn, has expired, was replaced or suspended: ask the operator, and "
    "keyfob receive the new sealed message if there is one",
    "invalid_scope": ASK_FOR_SCOPE,
    "invalid_target": "for another API ask the operator; once it is granted, keyfob rotate brings it into the vault",
    "invalid_authorization_details": "ask for less, or ask the operator for a client that reaches the study, site or "
    "form",
    "slow_down": "wait, then try again",
    "temporarily_unavailable": "try again in a minute",
}

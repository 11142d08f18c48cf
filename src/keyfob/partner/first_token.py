"""The first token by a credential that takes another's place: it proves that the issuer accepts it.

It is the credential's first use, which begins the overlap of a secret that it replaces.
"""

from collections.abc import Callable

from keyfob.ambient import Entropy
from keyfob.issuer_clock import IssuerClock
from keyfob.oauth.client_information import ClientInformation
from keyfob.partner import client_key
from keyfob.partner.errors import CredentialRefused, TokenDenied, Unreachable
from keyfob.partner.issuer import Issuer
from keyfob.partner.possession import Prover
from keyfob.partner.proving import Proving
from keyfob.partner.steps import Transport
from keyfob.partner.token_source import TokenSource
from keyfob.problem import Problem


def ask(
    information: ClientInformation,
    *,
    transport: Transport,
    clock: Callable[[], float],
    wall_clock: Callable[[], float],
    entropy: Entropy,
) -> None:
    """A token with the new credential alone, of the least scope that there is one for. Raises Problem."""
    what = "secret" if information.client_key is None else "key"
    issuer_clock = IssuerClock(wall_clock)
    issuer = Issuer(
        issuer=information.issuer,
        client_id=information.client_id,
        open_credential=lambda: information,
        proving=Proving(now=issuer_clock.now, entropy=entropy),
        issuer_clock=issuer_clock,
        clock=clock,
        chance=lambda: 0.0,
        new_prover=lambda: Prover(client_key.generate(), now=issuer_clock.now, entropy=entropy),
    )
    source = TokenSource(issuer, transport=transport, clock=clock)
    refused: TokenDenied | None = None
    for scope in sorted(information.scope):
        try:
            source.token(frozenset({scope}), resource=information.resource[0])
        except CredentialRefused as denied:
            raise _not_accepted(what) from denied
        except TokenDenied as denied:
            refused = denied  # the scope may belong to another API of the client
            if denied.code != "invalid_scope":
                break
        except Unreachable as failed:
            raise Unreachable(failed.code, f"{failed.message}{_not_yet(what)}", hint=_on(what)) from failed
        else:
            return
    if refused is not None:
        raise Problem(refused.code, f"{refused.message}{_not_yet(what)}", hint=_on(what))


def _not_accepted(what: str) -> Problem:
    why = "it has been replaced meanwhile" if what == "secret" else "it does not count yet, or not any more"
    return Problem(
        "successor-refused",
        f"the new {what} was refused: {why}; the old one goes on working",
        hint="keyfob rotate again" if what == "secret" else "keyfob vault show says from when on it counts",
    )


def _not_yet(what: str) -> str:
    return f": the new {what} is stored, and was not used yet"


def _on(what: str) -> str:
    return f"keyfob rotate again: it goes on from here, and the old {what} works as before"

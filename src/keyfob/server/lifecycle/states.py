"""Who may do what when: the one table of transitions, and the rule of what is usable.

docs/reference/states.md is the table as a picture and in words, made from here. A date that has passed counts as its
event, whether or not somebody wrote it down. A client's state holds for all of its credentials, a partner's for all of
its clients, and leaves theirs alone, so that `resume` brings back exactly what there was.
"""

from enum import StrEnum

from keyfob.problem import Problem
from keyfob.server.storage.records import Client, Credential, State


class Event(StrEnum):
    SUCCESSOR_USED = "successor used"
    OVERLAP_OVER = "overlap over"
    FINISH = "finish"
    REPLACED_UNOPENED = "replaced unopened"
    EXPIRY = "expiry"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    DELETE = "delete"


OF_CREDENTIALS: dict[tuple[State, Event], State] = {
    (State.ACTIVE, Event.SUCCESSOR_USED): State.RETIRING,
    (State.ACTIVE, Event.REPLACED_UNOPENED): State.RETIRED,
    (State.ACTIVE, Event.EXPIRY): State.EXPIRED,
    (State.ACTIVE, Event.REVOKE): State.REVOKED,
    (State.RETIRING, Event.OVERLAP_OVER): State.RETIRED,
    (State.RETIRING, Event.FINISH): State.RETIRED,
    (State.RETIRING, Event.EXPIRY): State.EXPIRED,
    (State.RETIRING, Event.REVOKE): State.REVOKED,
    (State.RETIRED, Event.REVOKE): State.REVOKED,
    (State.EXPIRED, Event.REVOKE): State.REVOKED,
}

OF_CLIENTS_AND_PARTNERS: dict[tuple[State, Event], State] = {
    (State.ACTIVE, Event.SUSPEND): State.SUSPENDED,
    (State.ACTIVE, Event.REVOKE): State.REVOKED,
    (State.SUSPENDED, Event.RESUME): State.ACTIVE,
    (State.SUSPENDED, Event.REVOKE): State.REVOKED,
    (State.REVOKED, Event.DELETE): State.DELETED,
}

TRANSITIONS = OF_CREDENTIALS | OF_CLIENTS_AND_PARTNERS

MEANING: dict[Event, str] = {
    Event.SUCCESSOR_USED: "The successor was used for the first time: the overlap begins.",
    Event.OVERLAP_OVER: "The overlap, seven days unless chosen otherwise, has passed.",
    Event.FINISH: "`client rotate --finish` ends the overlap early.",
    Event.REPLACED_UNOPENED: "Another rotation came before this successor was ever used.",
    Event.EXPIRY: "Its year has passed, or 14 days in which a successor was never used.",
    Event.SUSPEND: "`client suspend`, `partner suspend`: nothing works until `resume`.",
    Event.RESUME: "`client resume`, `partner resume`: exactly what there was works again.",
    Event.REVOKE: "`client revoke`, `client revoke-credential`, `partner revoke`: for good.",
    Event.DELETE: "`client delete`, `partner delete`: forgotten once no token can be alive; the audit trail stays.",
}

USABLE = frozenset({State.ACTIVE, State.RETIRING})


def after(state: State, event: Event) -> State:
    """The state that `event` leads to. Raises Problem when the table has no such transition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Problem(
            "wrong-state", f"{event} is not possible: it is {state}", hint="nothing was changed; see client show"
        ) from None


def effective(credential: Credential, now: int) -> State:
    """The credential's state at `now`: what is stored, and what the dates have done to it since.

    The second of a date already counts as passed, like `exp` of a token (RFC 7519 §4.1.4).
    """
    state = credential.state
    if state not in USABLE:
        return state
    if now >= credential.expires_at or _never_opened_in_time(credential, now):
        return after(state, Event.EXPIRY)
    if state is State.RETIRING and credential.overlap_ends_at is not None and now >= credential.overlap_ends_at:
        return after(state, Event.OVERLAP_OVER)
    return state


def expires_in(credential: Credential, now: int) -> int | None:
    """Seconds until a usable credential stops working by its dates; None for a key, which its owner replaces."""
    if credential.sealed_at is None:
        return None
    is_retiring = credential.state is State.RETIRING and credential.overlap_ends_at is not None
    end = min(credential.expires_at, credential.overlap_ends_at or 0) if is_retiring else credential.expires_at
    return max(end - now, 0)


def is_usable(credential: Credential, client: Client, partner_state: State, now: int) -> bool:
    """Whether `credential` may authenticate `client` at `now`."""
    return (
        partner_state is State.ACTIVE
        and client.state is State.ACTIVE
        and credential.client_id == client.id
        and credential.not_before <= now
        and effective(credential, now) in USABLE
    )


def _never_opened_in_time(credential: Credential, now: int) -> bool:
    deadline = credential.first_use_by
    return deadline is not None and credential.first_used_at is None and now >= deadline

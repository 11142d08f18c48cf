"""How old each credential is, and when it ends."""

from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.network import date
from keyfob.partner.doctor.scene import DAY, Scene
from keyfob.partner.vault.entries import Entry

_OLD = 365 * DAY
_SOON = 30 * DAY


def _look(scene: Scene) -> Outcome:
    return worst(
        (_judge(entry, scene.now) for entry in scene.entries()), otherwise=unknown("there is no credential here")
    )


def _judge(entry: Entry, now: int) -> Outcome:
    age = max(0, now - entry.issued_at) // DAY
    said = f"{entry.credential_id} of {entry.client_id} is {age} days old"
    mend = f"keyfob rotate --client {entry.client_id}"
    if entry.expires_at and entry.expires_at <= now:
        return failed(f"{said} and expired {date(entry.expires_at)}", "ask the operator for a new message")
    ends = f"ends {date(entry.expires_at)}" if entry.expires_at else "has no end"
    if entry.expires_at and entry.expires_at - now < _SOON:
        return warned(f"{said} and {ends}", mend)
    if now - entry.issued_at > _OLD:
        return warned(f"{said}: nobody knows any more who has seen it", mend)
    return passed(f"{said} and {ends}")


CHECK = Check(
    "credential-age", "A secret that is changed often is worth little to whoever copied an old backup.", _look
)

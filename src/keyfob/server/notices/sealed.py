"""The two notices of a secret that the server sealed by itself: its partner gets the message, the operator a copy."""

from pathlib import Path

from keyfob.server.lifecycle.handoff import Sealed
from keyfob.server.notices.notice import BOTH, Facts, Notice, NoticeKind, Role


def sealed(kind: NoticeKind, made: Sealed, facts: Facts, *, partner_id: str, copy: Path, now: int) -> list[Notice]:
    """`copy`: where the operator finds the message."""
    known = {
        "successor": made.credential.id,
        "fingerprint": made.message.recipient_fingerprint,
        "use_by": made.credential.first_use_by,
    }
    notices = []
    for role in BOTH:
        own = {"path": str(copy)} if role is Role.OPERATOR else {}
        attached = made.armored.decode("ascii") if role is Role.PARTNER else None
        all_facts = {**facts, **known, **own}
        notices.append(Notice(kind, made.credential.id, role, now, 0, partner_id, all_facts, attached))
    return notices

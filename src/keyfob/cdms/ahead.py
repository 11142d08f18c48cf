"""Plans of what is long, made before anybody is kept from writing: what was recorded since decides whether they hold.

Whoever carries one out has its study alone. What changed meanwhile stands in the audit trail, all of it: a plan that
depends on none of that is the plan that would be made now. Else it is made anew, in the transaction.
"""

import json
from collections.abc import Callable
from typing import TypeVar

from keyfob.cdms.call import Call
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.cdms.storage.writing import Writing

P = TypeVar("P")
Place = dict[str, str | None]

_MOST = 2000
"""Records that are looked through; a study in which more happened meanwhile is planned for anew."""


def plan_ahead(
    call: Call, key: str, plan: Callable[[Reading, Study], P], *, depends: Callable[[P, str, Place], bool]
) -> Callable[[Writing, Study], P]:
    """What gives the plan in the transaction that carries it out. Raises what `plan` raises, without one.

    `key`: of the answer, for which nothing is planned where it was given before. `depends`: whether a plan would be
    another after a change at this place of this subject; after any other change (of a subject, site or design) it is.
    """
    with call.store.reading() as reading:
        before = call.study(reading)
        if reading.find_answer(call.granted.client_id, key) is not None:
            return lambda writing, study: plan(writing.reading, study)
        made = plan(reading, before)

    def held(writing: Writing, study: Study) -> P:
        if _holds(writing.reading, before, study, lambda subject, place: depends(made, subject, place)):
            return made
        return plan(writing.reading, study)

    return held


def _holds(reading: Reading, before: Study, now: Study, depends: Callable[[str, Place], bool]) -> bool:
    if now.seq - before.seq > _MOST:
        return False
    for entry in reading.audit(now.oid, after=before.seq):
        event = {} if entry.payload is None else json.loads(entry.payload)
        place = event.get("place")
        if not isinstance(place, dict) or depends(event["subject_id"], place):
            return False
    return True

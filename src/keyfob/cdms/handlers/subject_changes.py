"""What becomes of a subject: another status, another site. Each with a reason, and by who saw the last version."""

from dataclasses import dataclass, replace

from keyfob.cdms import preconditions
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers.bodies import find_reason, find_text, known, text
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.subjects import check_site, subject_tag, write_subject
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.records import FOLLOWING, Status, Subject
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response
from keyfob.serving import json_response


@dataclass(frozen=True, slots=True)
class _Asked:
    """`status` None: as it is. `moves`: to `site`, which may be none."""

    status: Status | None
    moves: bool
    site: str | None
    reason: str


def change_subject(call: Call) -> Answer:
    """The subject as it is now. Who is at another site afterwards leaves the view of those who see the old one."""
    asked = _read(call)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = call.subject(writing.reading, study)

        def do() -> Response:
            return _change(call, writing, subject, asked)

        return once(call, writing, call.header(b"idempotency-key"), do)


def _read(call: Call) -> _Asked:
    document = known(call.json(), {"status", "site", "reason"})
    if not {"status", "site"} & set(document):
        raise ApiProblem(422, "nothing-to-change", "the body has a status, a site or both")
    status = _read_status(document) if "status" in document else None
    site = find_text(document, "site")
    reason = find_reason(document)
    if reason is None:
        raise ApiProblem(422, "reason-required", "a change of a subject needs a reason")
    return _Asked(status, "site" in document, site, reason)


def _read_status(document: dict[str, object]) -> Status:
    wanted = text(document, "status")
    if wanted not in list(Status):
        raise ApiProblem(422, "bad-status", f"status is one of {', '.join(Status)}")
    return Status(wanted)


def _change(call: Call, writing: Writing, old: Subject, asked: _Asked) -> Response:
    preconditions.check_change(call.headers, subject_tag(old), what="the subject")
    new = replace(old, status=asked.status or old.status, site=asked.site if asked.moves else old.site)
    if new != old:
        if new.status is not old.status and new.status not in FOLLOWING[old.status]:
            allowed = ", ".join(sorted(FOLLOWING[old.status])) or "nothing"
            raise ApiProblem(409, "bad-transition", f"the subject is {old.status}, after which comes {allowed}")
        if new.site != old.site:
            check_site(call, writing.reading, new)
        new = replace(new, version=old.version + 1)
        writing.change_subject(old, new, reason=asked.reason)
    return json_response(200, write_subject(new), headers=((b"etag", subject_tag(new).encode()),))

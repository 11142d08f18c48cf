"""What becomes of a subject: another status, another site. Each with a reason, and by who saw the last version."""

from dataclasses import replace

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


def change_subject(call: Call) -> Answer:
    """The subject as it is now. Who is at another site afterwards leaves the view of those who see the old one."""
    document = known(call.json(), {"status", "site", "reason"})
    if not {"status", "site"} & set(document):
        raise ApiProblem(422, "nothing-to-change", "the body has a status, a site or both")
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = call.subject(writing.reading, study)

        def do() -> Response:
            return _change(call, writing, subject, document)

        return once(call, writing, call.header(b"idempotency-key"), call.asked, do)


def _change(call: Call, writing: Writing, old: Subject, document: dict[str, object]) -> Response:
    preconditions.check_change(call.headers, subject_tag(old), what="the subject")
    reason = find_reason(document)
    if reason is None:
        raise ApiProblem(422, "reason-required", "a change of a subject needs a reason")
    new = replace(
        old,
        status=_status(old, text(document, "status")) if "status" in document else old.status,
        site=find_text(document, "site") if "site" in document else old.site,
    )
    if new != old:
        if new.site != old.site:
            check_site(call, writing.reading, new)
        new = replace(new, version=old.version + 1)
        writing.change_subject(old, new, reason=reason)
    return json_response(200, write_subject(new), headers=((b"etag", subject_tag(new).encode()),))


def _status(old: Subject, wanted: str) -> Status:
    if wanted not in list(Status):
        raise ApiProblem(422, "bad-status", f"status is one of {', '.join(Status)}")
    status = Status(wanted)
    if status is not old.status and status not in FOLLOWING[old.status]:
        allowed = ", ".join(sorted(FOLLOWING[old.status])) or "nothing"
        raise ApiProblem(409, "bad-transition", f"the subject is {old.status}, after which comes {allowed}")
    return status

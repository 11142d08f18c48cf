"""Subjects: registered by key, addressed by an opaque id of ours."""

import json
from urllib.parse import quote

from keyfob import client_secret
from keyfob.cdms import paging
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers.bodies import find_reason, find_text, known, text
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.studies import listed
from keyfob.cdms.odm.checking import is_subject_key
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import SITE_CLOSED, Status, Study, Subject
from keyfob.cdms.storage.writing import Writing, fold
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

QUERY = frozenset({"site", "status", "updated_after_seq", "limit", "cursor"})


def list_subjects(call: Call) -> Answer:
    limit = paging.read_limit(call.query.get("limit"))
    wanted_site, status = call.query.get("site"), call.query.get("status")
    if status is not None and status not in list(Status):
        raise ApiProblem(400, "bad-query", f"status is one of {', '.join(Status)}")
    with call.store.reading() as reading:
        study = call.study(reading)
        since = call.query.get("updated_after_seq")
        updated_after = None if since is None else paging.read_sequence(since, high_water=study.seq)
        bound_to = json.dumps([call.granted.client_id, "subjects", study.oid, wanted_site, status, updated_after])
        key = call.store.cursor_key()
        after = paging.read_cursor(key, call.query["cursor"], bound_to=bound_to) if "cursor" in call.query else None
        sites = call.sites(study.oid)
        if wanted_site is not None:
            sites = frozenset({wanted_site}) if sites is None else sites & {wanted_site}
        found = reading.subjects(
            study.oid,
            sites=sites,
            status=None if status is None else Status(status),
            updated_after=updated_after,
            after=after,
            limit=limit + 1,
        )
    page = found[:limit]
    following = paging.write_cursor(key, bound_to=bound_to, after=page[-1].id) if len(found) > limit else None
    return listed([write_subject(subject) for subject in page], following=following)


def get_subject(call: Call) -> Answer:
    with call.store.reading() as reading:
        subject = call.subject(reading, call.study(reading))
    return json_response(200, write_subject(subject), headers=(_tag(subject),))


def look_up(call: Call) -> Answer:
    """By key in the body, since a key may identify a person and URLs are logged."""
    document = known(call.json(), {"key"})
    key = text(document, "key")
    with call.store.reading() as reading:
        study = call.study(reading)
        subject = reading.find_subject(study.oid, key=key)
    if subject is None or not call.reaches(subject):
        raise not_found()
    return json_response(200, write_subject(subject), headers=(_tag(subject),))


def register(call: Call) -> Answer:
    document = known(call.json(), {"key", "site", "status", "reason"})
    key = text(document, "key")
    if not is_subject_key(key):
        raise ApiProblem(422, "bad-subject-key", "key has 1 to 64 printable characters, no slash, no space at its ends")
    site = find_text(document, "site")
    status = _status(document)
    reason = find_reason(document)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)

        def do() -> Response:
            return _register(call, writing, study, key=key, site=site, status=status, reason=reason)

        return once(call, writing, call.header(b"idempotency-key"), do)


def _register(
    call: Call, writing: Writing, study: Study, *, key: str, site: str | None, status: Status, reason: str | None
) -> Response:
    subject = Subject(
        client_secret.new_id("sub_", call.surroundings.entropy(16)), study.oid, key, site, status, version=1
    )
    check_site(call, writing.reading, subject)
    if writing.reading.find_subject(study.oid, folded=fold(key)) is not None:
        raise ApiProblem(409, "subject-exists", "a subject of this key exists, or of one that differs only by case")
    writing.add_subject(subject, reason=reason)
    place = f"{call.surroundings.settings.resource}/v1/studies/{quote(study.path_key)}/subjects/{subject.id}"
    return json_response(201, write_subject(subject), headers=((b"location", place.encode()), _tag(subject)))


def check_site(call: Call, reading: Reading, subject: Subject) -> None:
    """Raises ApiProblem (422): a site that is not granted is as unknown as one that is not there; 409: it is closed."""
    is_known = subject.site is None or subject.site in {site.oid for site in reading.sites(subject.study)}
    if not is_known or not call.reaches(subject):
        raise ApiProblem(422, "unknown-site", "the study has no such site")
    if subject.site in reading.closed_sites(subject.study):
        raise ApiProblem(409, "not-open", SITE_CLOSED)


def write_subject(subject: Subject) -> dict[str, object]:
    return {
        "subject_id": subject.id,
        "key": subject.key,
        "site": subject.site,
        "status": subject.status.value,
        "version": subject.version,
    }


def subject_tag(subject: Subject) -> str:
    return f'"{subject.version}"'


def _tag(subject: Subject) -> tuple[bytes, bytes]:
    return b"etag", subject_tag(subject).encode()


def _status(document: dict[str, object]) -> Status:
    allowed = (Status.SCREENED, Status.ENROLLED)
    value = document.get("status", Status.ENROLLED.value)
    for status in allowed:
        if value == status.value:
            return status
    raise ApiProblem(422, "bad-status", f"status must be one of {', '.join(allowed)} at registration")

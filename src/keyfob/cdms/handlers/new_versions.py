"""A study's design from those who build it: a draft that may change, until it is live and never changes again."""

import hashlib

from keyfob.cdms import preconditions
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers.bodies import read_odm
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.studies import version_tag
from keyfob.cdms.odm.model import Design
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.records import Study
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

QUERY = frozenset({"state"})
_STATES = ("draft", "live")


def put_version(call: Call) -> Answer:
    """What became of the design: its state, and whether the document was `created`, `replaced` or `unchanged`."""
    design = _design(call)
    state = call.query.get("state", "draft")
    if state not in _STATES:
        raise ApiProblem(400, "bad-query", f"state is {' or '.join(_STATES)}")
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        if not call.holds_whole(study.oid):
            raise ApiProblem(403, "not-granted", "a design is of all sites and forms, and the grant is of some")
        if design.study_oid != study.oid:
            raise ApiProblem(422, "other-study", "the design's StudyOID is not the study of the path")

        def do() -> Response:
            return _put(call, writing, study, design, becomes_live=state == "live")

        return once(call, writing, call.header(b"idempotency-key"), do)


def _put(call: Call, writing: Writing, study: Study, design: Design, *, becomes_live: bool) -> Response:
    sha256 = hashlib.sha256(call.body).hexdigest()
    found = writing.reading.find_version(study.oid, design.version_oid)
    was_live = writing.reading.live_since(study.oid, design.version_oid) is not None
    is_live = study.live_version == design.version_oid
    tag = None if found is None else version_tag(found[1])
    reason = call.reason()
    if found is None:
        preconditions.check_change(call.headers, tag, what="the version", creates=False)
        writing.put_version(design, call.body, sha256, path_key=study.path_key, live=becomes_live, reason=reason)
        return _answer(201, design, sha256, state="live" if becomes_live else "draft", document="created")
    is_same = found[1] == sha256
    if not is_same and was_live:
        raise ApiProblem(409, "version-exists", "a version that is or was live never changes: give it another OID")
    if was_live and becomes_live and not is_live:
        raise ApiProblem(409, "superseded", "another version is live by now: a former one does not come back")
    if not is_same or preconditions.has_any(call.headers):
        preconditions.check_change(call.headers, tag, what="the version")
    if not is_same:
        writing.replace_draft(design, call.body, sha256, reason=reason)
    if becomes_live and not is_live:
        writing.make_live(design, reason=reason)
    state = "live" if becomes_live or is_live else "superseded" if was_live else "draft"
    return _answer(200, design, sha256, state=state, document="unchanged" if is_same else "replaced")


def _design(call: Call) -> Design:
    designs = read_odm(call).designs
    if len(designs) != 1:
        raise ApiProblem(422, "one-design", "the file must hold exactly one MetaDataVersion")
    if designs[0].version_oid != call.params["version"]:
        raise ApiProblem(422, "other-version", "the MetaDataVersion's OID is not that of the path")
    return designs[0]


def _answer(status: int, design: Design, sha256: str, *, state: str, document: str) -> Response:
    described = {"version": design.version_oid, "sha256": sha256, "state": state, "document": document}
    return json_response(status, described, headers=((b"etag", version_tag(sha256).encode()),))

"""Studies, sites and metadata: what a client was granted, and nothing of the rest."""

from collections.abc import Sequence

from keyfob.cdms import problems
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers import forms
from keyfob.cdms.odm import converting, design_json
from keyfob.cdms.odm.model import Edition, OdmError
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.oauth.wire import Response
from keyfob.serving import json_response


def listed(items: Sequence[object], *, following: str | None = None) -> Answer:
    """The form of every list."""
    return json_response(200, {"items": list(items), "next": following})


def list_studies(call: Call) -> Answer:
    with call.store.reading() as reading:
        found = reading.studies(call.studies())
    return listed([write_study(study) for study in found])


def get_study(call: Call) -> Answer:
    with call.store.reading() as reading:
        study = call.study(reading)
        document = {
            **write_study(study),
            "protocol": study.protocol,
            "metadata_version": study.live_version,
            "subjects": len(reading.subjects(study.oid, sites=call.sites(study.oid))),
        }
    return json_response(200, document)


def list_sites(call: Call) -> Answer:
    with call.store.reading() as reading:
        found = _sites(call, reading, call.study(reading))
    return listed(found)


def get_site(call: Call) -> Answer:
    with call.store.reading() as reading:
        found = _sites(call, reading, call.study(reading))
    for site in found:
        if site["site"] == call.params["site"]:
            return json_response(200, site)
    raise not_found()


def get_metadata(call: Call) -> Answer:
    """The live metadata version, in the form that is accepted."""
    with call.store.reading() as reading:
        study = call.study(reading)
        if study.live_version is None:
            raise ApiProblem(409, "not-open", "the study has no live metadata version yet")
        return _version(call, reading, study, study.live_version)


def get_metadata_version(call: Call) -> Answer:
    with call.store.reading() as reading:
        study = call.study(reading)
        return _version(call, reading, study, call.params["version"])


def write_study(study: Study) -> dict[str, object]:
    return {"study": study.path_key, "oid": study.oid, "name": study.name, "high_water": study.seq}


def _sites(call: Call, reading: Reading, study: Study) -> list[dict[str, object]]:
    closed = reading.closed_sites(study.oid)
    return [
        {"site": site.oid, "name": site.name, "status": "closed" if site.oid in closed else "open"}
        for site in reading.sites(study.oid, call.sites(study.oid))
    ]


def _version(call: Call, reading: Reading, study: Study, version: str) -> Response:
    found = reading.find_version(study.oid, version)
    if found is None:
        raise not_found()
    kind = forms.accepted(call, *_EDITIONS)
    body, sha256 = found
    own = converting.edition_alone(body) if call.holds_whole(study.oid) else None
    if kind != forms.JSON and own is _EDITIONS[kind]:
        # As it was loaded, to the byte. What else a document holds (data, people, sites) is not given by this way.
        return Response(200, (*forms.headers(kind), (b"etag", version_tag(sha256).encode())), body)
    try:
        tree = converting.tree(body, study=study.oid, version=version, edition=_EDITIONS[kind])
    except OdmError as unsayable:
        raise problems.from_odm(unsayable) from None
    if kind == forms.JSON:
        return json_response(200, design_json.twin(tree), headers=((b"vary", b"Accept"),))
    return Response(200, forms.headers(kind), converting.write(tree))


_EDITIONS = {forms.ODM_1: Edition.V1, forms.ODM_2: Edition.V2, forms.JSON: Edition.V1}


def version_tag(sha256: str) -> str:
    return f'"{sha256[:32]}"'

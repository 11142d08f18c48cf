"""Studies, sites and metadata: what a client was granted, and nothing of the rest."""

from collections.abc import Sequence

from keyfob.cdms.call import Answer, Call
from keyfob.cdms.odm.model import Site
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
        found = [study for study in reading.studies() if call.permits(study.oid)]
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
    return listed([{"site": site.oid, "name": site.name} for site in found])


def get_site(call: Call) -> Answer:
    with call.store.reading() as reading:
        found = _sites(call, reading, call.study(reading))
    for site in found:
        if site.oid == call.params["site"]:
            return json_response(200, {"site": site.oid, "name": site.name})
    raise not_found()


def get_metadata(call: Call) -> Answer:
    """The live metadata version as the ODM document that it was loaded from."""
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


def _sites(call: Call, reading: Reading, study: Study) -> list[Site]:
    granted = call.sites(study.oid)
    return [site for site in reading.sites(study.oid) if granted is None or site.oid in granted]


def _version(call: Call, reading: Reading, study: Study, version: str) -> Response:
    found = reading.find_version(study.oid, version)
    if found is None:
        raise not_found()
    body, sha256 = found
    headers = ((b"content-type", b"application/xml; odm=1.3.2"), (b"etag", version_tag(sha256).encode()))
    return Response(200, headers, body)


def version_tag(sha256: str) -> str:
    return f'"{sha256[:32]}"'

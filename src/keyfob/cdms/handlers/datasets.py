"""Item groups as datasets, out: Dataset-JSON 1.1, NDJSON or `.dsjc`, from one snapshot, streamed."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from keyfob import __version__
from keyfob.cdms import preconditions
from keyfob.cdms.call import IDENTIFIERS, Answer, Call, Stream
from keyfob.cdms.datasets import writing
from keyfob.cdms.datasets.reading import DSJC, JSON, NDJSON
from keyfob.cdms.datasets.writing import Described, PlacedRow
from keyfob.cdms.handlers import forms, validators
from keyfob.cdms.handlers.designs import live_design
from keyfob.cdms.handlers.sight import plain_items
from keyfob.cdms.odm import datasets
from keyfob.cdms.odm.datasets import Column, Dataset
from keyfob.cdms.odm.model import Design
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.oauth.wire import Response, values
from keyfob.serving import json_response

QUERY = frozenset({"metadataonly", "dataonly", "offset", "limit"})
_MAX_NUMBER = 10**9
_OFFERED = (JSON, NDJSON, DSJC)


@dataclass(frozen=True, slots=True)
class View:
    """What a call may see of the datasets of a study: pairs of site (None: of no site) and form."""

    places: frozenset[tuple[str | None, str]]
    identifies: frozenset[tuple[str | None, str]]
    plain: frozenset[str]

    def places_of(self, dataset: Dataset) -> frozenset[tuple[str | None, str]]:
        return frozenset(place for place in self.places if place[1] in dataset.forms)

    def columns_of(self, dataset: Dataset) -> tuple[Column, ...]:
        """Without the columns that identify a person, unless identifiers:read reaches every row of the dataset."""
        if self.places_of(dataset) <= self.identifies:
            return dataset.columns
        # A place is a column's own; a subject's key, too, stands in no item.
        return tuple(one for one in dataset.columns if one.source not in _OF_ITEMS or one.item in self.plain)


_OF_ITEMS = (datasets.Source.ITEM, datasets.Source.UNIT)


def view(call: Call, reading: Reading, study: Study, design: Design, asked: Iterable[str]) -> View:
    """What is asked of these forms."""
    sites: set[str | None] = {None, *(site.oid for site in reading.sites(study.oid))}
    all_places = [(site, form) for site in sites for form in asked]
    assert call.scope is not None
    places = frozenset(place for place in all_places if call.holds(call.scope, study.oid, place[0], form=place[1]))
    identifies = frozenset(place for place in places if call.holds(IDENTIFIERS, study.oid, place[0], form=place[1]))
    return View(places, identifies, plain_items(reading, study))


def list_datasets(call: Call) -> Answer:
    """A JSON array, as CDISC's Dataset-JSON API has it, of the datasets of which a form is granted."""
    with call.store.reading() as reading:
        study = call.study(reading)
        design = live_design(reading, study)
        changed = reading.last_time(study)
        headers = validators.tagged(call, reading, study, JSON, *_dated(call, changed))
        if (known := _unchanged(call, headers, changed)) is not None:
            return known
        seen = view(call, reading, study, design, design.forms)
        counted = reading.counted(study.oid)
    shown = []
    for dataset in datasets.of_design(design):
        if places := seen.places_of(dataset):
            shown.append(
                {
                    "itemGroupOID": dataset.oid,
                    "name": dataset.name,
                    "label": dataset.label,
                    "records": sum(counted[dataset.oid, site, form] for site, form in places),
                    "href": f"{_study_url(call, study)}/datasets/{quote(dataset.oid, safe='')}",
                    "datasetJSONCreationDateTime": writing.write_instant(call.now),
                    "external": dataset.external,
                }
            )
    return json_response(200, shown, headers=headers[1:])


def get_dataset(call: Call) -> Answer:
    """The rows that the client may see; which columns and rows, and in which form, is the client's to ask."""
    media_type = forms.accepted(call, *_OFFERED)
    metadata_only, data_only = flag(call, "metadataonly"), flag(call, "dataonly")
    if metadata_only and data_only:
        raise ApiProblem(422, "nothing-left", "metadataonly and dataonly leave nothing")
    offset, limit = _number(call, "offset") or 0, _number(call, "limit")
    with ExitStack() as stack:
        reading = stack.enter_context(call.store.reading())
        study = call.study(reading)
        design = live_design(reading, study)
        dataset = datasets.find(design, call.params["dataset"])
        if dataset is None:
            raise not_found()
        seen = view(call, reading, study, design, dataset.forms)
        places = seen.places
        if not places:
            raise not_found()
        changed = reading.last_time(study)
        headers = validators.tagged(call, reading, study, media_type, *_dated(call, changed))
        if (known := _unchanged(call, headers, changed)) is not None:
            return known
        columns = seen.columns_of(dataset)
        counted = reading.counted(study.oid)
        in_all = sum(counted[dataset.oid, site, form] for site, form in places)
        # CDISC's API: a limit of 0 is none.
        here = max(0, in_all - offset) if not limit else max(0, min(limit, in_all - offset))
        described = Described(
            created=call.now, modified=changed, file_oid=f"{study.oid}.{dataset.oid}.{study.seq}", study=study.oid,
            version=design.version_oid, source_version=__version__, records=in_all if metadata_only else here,
            metadata_url=f"{_study_url(call, study)}/metadata/{quote(design.version_oid, safe='')}",
            dataset=dataset, columns=columns,
        )  # fmt: skip
        rows = None if metadata_only else _rows(reading, study, dataset, places, offset=offset, limit=here)
        keep = stack.pop_all()
    head = None if data_only else described
    write = writing.write_json if media_type == JSON else writing.write_lines
    pieces = writing.gathered(write(head, rows, columns))
    return Stream(200, headers, writing.compressed(pieces) if media_type == DSJC else pieces, keep.close)


def _rows(
    reading: Reading, study: Study, dataset: Dataset, places: frozenset[tuple[str | None, str]], *, offset: int,
    limit: int,
) -> Iterator[PlacedRow]:  # fmt: skip
    for subject, group in reading.rows(study.oid, dataset.oid, places, offset=offset, limit=limit):
        yield PlacedRow(subject.key, subject.site, group.data, group.values)


def flag(call: Call, name: str) -> bool:
    value = call.query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise ApiProblem(400, "bad-query", f"{name} is true or false")
    return value == "true"


def _number(call: Call, name: str) -> int | None:
    text = call.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) < _MAX_NUMBER):
        raise ApiProblem(400, "bad-query", f"{name} is a number from 0")
    return int(text)


def _study_url(call: Call, study: Study) -> str:
    return f"{call.surroundings.settings.resource}/v1/studies/{quote(study.path_key)}"


def _dated(call: Call, changed: int) -> tuple[tuple[bytes, bytes], ...]:
    # (RFC 9110 §8.8.2.2) Within the same second more may change, and its date would not tell.
    if not 0 < changed < call.now:
        return ()
    return ((b"last-modified", format_datetime(datetime.fromtimestamp(changed, UTC), usegmt=True).encode()),)


def _unchanged(call: Call, headers: validators.Headers, changed: int) -> Response | None:
    """RFC 9110 §13.1.3: 304 when the study has not changed since; what is no date is passed over."""
    since = call.header(b"if-modified-since")
    # RFC 9110 §13.2.2: with If-None-Match there, the date is not asked.
    if since is None or values(call.headers, b"if-none-match"):
        return validators.unchanged(call, headers)
    try:
        date = parsedate_to_datetime(since)
    except ValueError:
        return None
    if date.tzinfo is None or changed > date.timestamp():
        return None
    return preconditions.not_modified(headers)

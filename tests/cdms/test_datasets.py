"""Datasets out: in CDISC's shapes, valid by CDISC's schemas, of what a client may see, and in again as they were."""

import json
import time
import zlib
from email.utils import formatdate, parsedate_to_datetime

import jsonschema
import pytest

STUDY = "/v1/studies/KF.DEMO"
LB = f"{STUDY}/datasets/IG.LB"
ORDER = [
    "datasetJSONCreationDateTime", "datasetJSONVersion", "fileOID", "dbLastModifiedDateTime", "sourceSystem",
    "studyOID", "metaDataVersionOID", "metaDataRef", "itemGroupOID", "records", "name", "label", "columns", "rows",
]  # fmt: skip


@pytest.fixture(scope="module")
def lab(demo_study):
    return json.loads(demo_study("lab.json"))


@pytest.fixture(scope="module")
def api(shared_api, demo_study, lab, tmp_path_factory):
    """With all of the demonstration's data."""
    path = tmp_path_factory.mktemp("data") / "data.xml"
    path.write_bytes(demo_study("data"))
    shared_api.run("load", path)
    assert shared_api.request("PATCH", LB, lab).document["stored"] == 24
    return shared_api


@pytest.fixture(scope="module")
def schemas(test_data):
    """What says whether a document is Dataset-JSON, and the first line of NDJSON: by CDISC's schemas."""
    folder = test_data / "schemas" / "dataset-json-1.1"
    whole = json.loads((folder / "dataset.schema.json").read_bytes())
    # CDISC's own is UTF-16, and refers to definitions where they are not.
    lines = json.loads((folder / "dataset-ndjson-schema.json").read_text("utf-16"))
    described = lines["$defs"]["DatasetMetadata"]["properties"]
    lines["$defs"] |= {**described["columns"]["items"], "SourceSystem": described["sourceSystem"]["SourceSystem"]}
    return jsonschema.Draft201909Validator(whole), jsonschema.Draft201909Validator(lines)


def rows_of(api, path, **options):
    return api.get(path, **options).document["rows"]


def test_the_datasets_of_a_study_are_listed_as_cdisc_lists_them(api):
    listed = {one["itemGroupOID"]: one for one in api.get(f"{STUDY}/datasets").document}
    assert list(listed) == ["IG.DM", "IG.VS", "IG.DIARY", "IG.AE", "IG.LB"]
    lb = listed["IG.LB"]
    assert (lb["name"], lb["label"], lb["records"]) == ("LB", "Results of the central laboratory", 24)
    assert (lb["external"], listed["IG.VS"]["external"]) == (True, False)
    assert lb["href"] == f"{api.resource}{LB}"
    assert {"itemGroupOID", "name", "label", "records", "href", "datasetJSONCreationDateTime"} <= lb.keys()


def test_cdiscs_own_description_of_its_api_fits_ours(api, test_data):
    """The draft of the Dataset-JSON API 1.0: its shapes hold, and each query that it knows is known."""
    theirs = json.loads((test_data / "api" / "dataset-json-api-1-0.openapi.json").read_bytes())
    formats = jsonschema.FormatChecker()

    def valid(path, shape):
        schema = {**shape, "components": theirs["components"]}
        jsonschema.Draft202012Validator(schema, format_checker=formats).validate(api.get(path).document)

    below = "#/components/schemas"
    valid(f"{STUDY}/datasets", {"type": "array", "items": {"$ref": f"{below}/StudyDataset"}})
    valid(LB, {"$ref": f"{below}/DatasetJson"})
    ours = api.get("/openapi.json").document["paths"]["/v1/studies/{study}/datasets/{dataset}"]
    known = {(one["name"].lower(), one["in"]) for one in ours["get"]["parameters"]}
    wanted = theirs["paths"]["/studies/{studyOID}/datasets/{datasetOID}"]["get"]["parameters"]
    assert {(one["name"], one["in"]) for one in wanted if one["in"] == "query"} <= known
    assert ("if-modified-since", "header") in known
    rows = {"rows": api.get(LB).document["rows"][:2]}
    jsonschema.validate(rows, {"$ref": f"{below}/RowData", "components": theirs["components"]})
    assert api.request("PATCH", LB, rows).document["unchanged"] == 2


def test_what_was_sent_comes_back_in_its_order_and_valid(api, lab, schemas):
    answer = api.get(LB)
    assert answer.headers["content-type"] == "application/json"
    document = answer.document
    assert list(document) == ORDER
    schemas[0].validate(document)
    assert document["rows"] == [[*row, ""] for row in lab["rows"]]
    assert document["records"] == 24
    assert document["dbLastModifiedDateTime"] <= document["datasetJSONCreationDateTime"]
    assert document["columns"][:10] == [
        {name: value for name, value in column.items() if name in document["columns"][place]}
        for place, column in enumerate(lab["columns"])
    ]


def test_an_item_group_of_a_form_is_a_dataset_too(api, schemas):
    document = api.get(f"{STUDY}/datasets/IG.VS").document
    schemas[0].validate(document)
    names = [column["name"] for column in document["columns"]]
    assert names[:7] == ["SUBJECT", "SITE", "EVENT", "EVENTRK", "FORM", "FORMRK", "GROUPRK"]
    row = dict(zip(names, document["rows"][0], strict=True))
    place = {"SUBJECT": "701-001", "SITE": "701", "EVENT": "SE.VISIT", "EVENTRK": "1", "FORM": "F.VS"}
    values = {"Systolic pressure": 128, "Systolic pressureU": "U.MMHG", "Temperature": 36.6, "Visit date": "2026-02-12"}
    assert {name: row[name] for name in (*place, *values)} == {**place, **values}
    keyed = [column["name"] for column in document["columns"] if "keySequence" in column]
    assert keyed == ["SUBJECT", "EVENT", "EVENTRK", "FORM", "FORMRK", "GROUPRK"]


def test_lines_and_compressed_lines_say_the_same(api, schemas):
    whole = api.get(LB).document
    lines = api.get(LB, headers={"accept": "application/x-ndjson"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    metadata, *rows = map(json.loads, lines.body.splitlines())
    schemas[1].validate(metadata)
    assert rows == whole["rows"]
    assert metadata["columns"] == whole["columns"]
    packed = api.get(LB, headers={"accept": "application/json;q=0.1, application/zlib"})
    assert packed.headers["content-type"] == "application/zlib"
    assert [json.loads(line) for line in zlib.decompress(packed.body).splitlines()][1:] == rows
    assert api.get(LB, headers={"accept": "text/csv"}).status == 406
    assert api.get(LB, headers={"accept": "text/csv, */*;q=0.1"}).document["rows"] == rows


def test_metadata_alone_data_alone_and_pages(api, schemas):
    metadata = api.get(f"{LB}?metadataonly=true").document
    schemas[0].validate(metadata)
    assert "rows" not in metadata
    assert metadata["records"] == 24
    data = api.get(f"{LB}?dataonly=true").document
    assert list(data) == ["rows"]
    pages = [api.get(f"{LB}?offset={offset}&limit=10").document for offset in (0, 10, 20, 30)]
    assert [page["records"] for page in pages] == [len(page["rows"]) for page in pages] == [10, 10, 4, 0]
    assert [row for page in pages for row in page["rows"]] == data["rows"]
    assert rows_of(api, f"{LB}?limit=0") == data["rows"]
    lines = api.get(f"{LB}?dataonly=true&limit=2", headers={"accept": "application/x-ndjson"}).body
    assert [json.loads(line) for line in lines.splitlines()] == data["rows"][:2]
    assert api.get(f"{LB}?metadataonly=true&dataonly=true").status == 422
    for wrong in ("limit=-1", "offset=x", "limit=99999999999", "metadataonly=1"):
        assert api.get(f"{LB}?{wrong}").status == 400, wrong


def test_columns_that_identify_are_left_out_whole_without_their_scope(api):
    without = api.token("datasets:read")
    for path, name in ((LB, "LBNAM"), (f"{STUDY}/datasets/IG.DM", "Birth date")):
        shown = api.get(path).document
        hidden = api.get(path, token=without).document
        place = [column["name"] for column in shown["columns"]].index(name)
        assert [column["name"] for column in hidden["columns"]] == [
            column["name"] for column in shown["columns"] if column["name"] != name
        ]
        assert hidden["rows"] == [row[:place] + row[place + 1 :] for row in shown["rows"]]
    # An element that identifies at one site only does not reach every row.
    details = [
        {"type": "cdms_study", "identifier": "KF.DEMO", "actions": ["datasets:read"]},
        {"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["701"]},
    ]
    partly = api.token("datasets:read identifiers:read", details=details)
    assert b"1961-03-09" not in api.get(f"{STUDY}/datasets/IG.DM", token=partly).body


def test_a_site_and_a_form_limit_hold(api):
    def token(*elements):
        return api.token(
            "datasets:read", details=[{"type": "cdms_study", "identifier": "KF.DEMO", **one} for one in elements]
        )

    at_702 = token({"sites": ["702"]})
    assert {row[0] for row in rows_of(api, LB, token=at_702)} == {"702-001", "702-002"}
    listed = {one["itemGroupOID"]: one["records"] for one in api.get(f"{STUDY}/datasets", token=at_702).document}
    assert listed["IG.LB"] == 12 == api.get(f"{LB}?metadataonly=true", token=at_702).document["records"]
    vital = token({"forms": ["F.VS"]})
    assert [one["itemGroupOID"] for one in api.get(f"{STUDY}/datasets", token=vital).document] == ["IG.VS"]
    assert api.get(LB, token=vital).status == 404
    # The site of one element goes with its own form alone.
    crossed = token({"sites": ["702"], "forms": ["F.VS"]}, {"sites": ["701"], "forms": ["F.LB"]})
    assert {row[0] for row in rows_of(api, LB, token=crossed)} == {"701-001", "701-002"}
    assert {row[1] for row in rows_of(api, f"{STUDY}/datasets/IG.VS", token=crossed)} == {"702"}


def test_who_has_the_newest_state_is_told_so(api):
    """RFC 9110 §8.8.2, §13.1.3."""
    deadline = time.monotonic() + 30
    while "last-modified" not in (answer := api.get(LB)).headers:  # within the second of the last change none is told
        assert time.monotonic() < deadline
    modified = answer.headers["last-modified"]
    for path in (LB, f"{STUDY}/datasets"):
        known = api.get(path, headers={"if-modified-since": modified})
        assert (known.status, known.body) == (304, b"")
        assert known.headers["last-modified"] == modified
        earlier = formatdate(parsedate_to_datetime(modified).timestamp() - 1, usegmt=True)
        assert api.get(path, headers={"if-modified-since": earlier}).status == 200
        for nothing in ("yesterday", "Tue, 99 Foo 2026"):
            assert api.get(path, headers={"if-modified-since": nothing}).status == 200


def test_a_dataset_goes_into_an_empty_study_and_comes_out_the_same(api, new_api, demo_study, tmp_path):
    """By Dataset-JSON, and by ODM, which has the same rows as item groups."""
    sent = api.get(LB).body
    odm = api.get(f"{STUDY}/clinical-data").body
    (tmp_path / "design.xml").write_bytes(demo_study("design"))
    (tmp_path / "odm.xml").write_bytes(odm)

    def same(document):
        told = ("datasetJSONCreationDateTime", "dbLastModifiedDateTime", "fileOID", "metaDataRef")
        return {name: value for name, value in json.loads(document).items() if name not in told}

    by_rows, by_odm = new_api(), new_api()
    by_rows.run("load", tmp_path / "design.xml")
    by_rows.serve()
    for key in ("701-001", "701-002", "702-001", "702-002"):
        assert by_rows.register("KF.DEMO", key, key[:3]).status == 201
    receipt = by_rows.request("PATCH", LB, sent, {"content-type": "application/json"}).document
    assert (receipt["stored"], receipt["refused"]) == (24, 0)
    assert same(by_rows.get(LB).body) == same(sent)
    by_odm.run("load", tmp_path / "design.xml", tmp_path / "odm.xml")
    by_odm.serve()
    loaded = by_odm.get(LB).body
    assert sorted(map(str, json.loads(loaded)["rows"])) == sorted(map(str, json.loads(sent)["rows"]))
    # The rows that came by ODM are the rows that a laboratory sends.
    again = by_odm.request("PATCH", LB, loaded, {"content-type": "application/json"}).document
    assert (again["stored"], again["unchanged"]) == (0, 24)

"""Clinical data leave in the form that is asked for, and come back from each as they left: 1.3.2, 2.0 and JSON."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

STUDY = "KF.DEMO"
FORMS = {"1.3.2": "application/xml; odm=1.3.2", "2.0": "application/xml; odm=2.0", "json": "application/json"}
V1, V2 = "{http://www.cdisc.org/ns/odm/v1.3}", "{http://www.cdisc.org/ns/odm/v2.0}"


def url(study: str) -> str:
    return f"/v1/studies/{study}/clinical-data"


@pytest.fixture(scope="module")
def full(new_api, demo_study, tmp_path_factory):
    """A running API with the demonstration's study and its data. Tests may load studies of their own beside it."""
    api, folder = new_api(), tmp_path_factory.mktemp("full")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name))
        api.run("load", folder / f"{name}.xml")
    api.serve()
    return api


@pytest.fixture(scope="module")
def empty(new_api):
    """A running API without any study."""
    api = new_api()
    api.serve()
    return api


ACCEPT = {
    None: "1.3.2",
    "*/*": "1.3.2",
    "application/xml": "1.3.2",
    "application/*": "1.3.2",
    "application/xml;odm=1.3.2": "1.3.2",
    'application/xml; ODM="2.0"; charset=utf-8': "2.0",
    "application/json": "json",
    "text/html, application/json;q=0.9, */*;q=0.1": "json",
    "application/xml;q=0.5, application/xml;odm=2.0": "2.0",
    "application/xml; odm=1.3.2; q=0, application/xml": "2.0",
    "application/xml; odm=3.0": None,
    "text/csv": None,
    "application/json;q=0": None,
}


@pytest.mark.parametrize("accept", ACCEPT)
def test_the_form_is_the_one_that_is_accepted(full, accept: str | None):
    """RFC 9110 §12.5.1; RFC 2046 §4.1.2: a charset is no wish for another form."""
    answer = full.get(url(STUDY), headers={} if accept is None else {"accept": accept})
    wanted = ACCEPT[accept]
    if wanted is None:
        assert (answer.status, answer.document["code"]) == (406, "not-acceptable")
        assert answer.document["detail"] == f"this can be had as {', or as '.join(FORMS.values())}"
        return
    assert (answer.status, answer.headers["content-type"]) == (200, FORMS[wanted])
    assert "accept" in answer.headers["vary"].lower()
    assert answer.body.startswith(b'{"fileType":"Snapshot"' if wanted == "json" else b"<?xml")


@pytest.mark.parametrize("accept", ["application/xml;q=2", "application/xml;q=x", "a" * 3000])
def test_an_accept_header_that_cannot_be_read_is_refused(full, accept: str):
    answer = full.get(url(STUDY), headers={"accept": accept})
    assert (answer.status, answer.document["code"]) == (400, "bad-header")


def exported(api, study: str, form: str, query: str = "") -> bytes:
    answer = api.get(url(study) + query, headers={"accept": FORMS[form]})
    assert answer.status == 200, answer.body
    return answer.body


def same(document: bytes) -> bytes:
    """Without what is of the file and not of the study."""
    named = re.sub(rb'(FileOID|CreationDateTime)="[^"]*"', b"", document)
    return re.sub(rb'"(fileOID|creationDateTime)":"[^"]*"', b"", named)


def values(document: bytes) -> dict[tuple[object, ...], tuple[object, object]]:
    """Every value and unit with its whole place, of any form, read with nothing of the API's."""
    if document.startswith(b"{"):
        return _json_values(json.loads(document))
    root = ElementTree.fromstring(document)
    return _values_2(root) if root.tag.startswith(V2) else _values_1(root)


def _json_values(root):
    return {
        (
            subject["subjectKey"], event["studyEventOID"], event.get("studyEventRepeatKey"), form["formOID"],
            form.get("formRepeatKey"), group["itemGroupOID"], group.get("itemGroupRepeatKey"), item["itemOID"],
        ): (item.get("value"), item.get("measurementUnitRef", {}).get("measurementUnitOID"))
        for clinical in root["clinicalData"]
        for subject in clinical["subjectData"]
        for event in subject["studyEventData"]
        for form in event["formData"]
        for group in form["itemGroupData"]
        for item in group["itemData"]
    }  # fmt: skip


def _values_1(root):
    found = {}
    for subject in root.iter(f"{V1}SubjectData"):
        for event in subject.iter(f"{V1}StudyEventData"):
            for form in event.iter(f"{V1}FormData"):
                for group in form.iter(f"{V1}ItemGroupData"):
                    for item in group.iter(f"{V1}ItemData"):
                        unit = item.find(f"{V1}MeasurementUnitRef")
                        place = (
                            subject.get("SubjectKey"), event.get("StudyEventOID"), event.get("StudyEventRepeatKey"),
                            form.get("FormOID"), form.get("FormRepeatKey"), group.get("ItemGroupOID"),
                            group.get("ItemGroupRepeatKey"), item.get("ItemOID"),
                        )  # fmt: skip
                        assert place not in found
                        found[place] = (item.get("Value"), None if unit is None else unit.get("MeasurementUnitOID"))
    return found


def _values_2(root):
    found = {}

    def walk(group, subject, event, form):
        for below in group:
            if below.tag == f"{V2}ItemGroupData":
                walk(below, subject, event, form)
            elif below.tag == f"{V2}ItemData":
                value, unit = below.find(f"{V2}Value"), below.find(f"{V2}Annotation/{V2}Coding")
                place = (
                    subject.get("SubjectKey"), event.get("StudyEventOID"), event.get("StudyEventRepeatKey"),
                    form.get("ItemGroupOID"), form.get("ItemGroupRepeatKey"), group.get("ItemGroupOID"),
                    group.get("ItemGroupRepeatKey"), below.get("ItemOID"),
                )  # fmt: skip
                assert place not in found
                text = None if value is None else value.text or ""
                found[place] = (text, None if unit is None else unit.get("Code"))

    for subject in root.iter(f"{V2}SubjectData"):
        for event in subject.iter(f"{V2}StudyEventData"):
            for form in event.findall(f"{V2}ItemGroupData"):
                walk(form, subject, event, form)
    return found


def check_valid(test_data: Path, form: str, document: bytes) -> None:
    if form != "json":
        name = {"1.3.2": "odm-1.3.2/ODM1-3-2.xsd", "2.0": "odm-2.0/ODM.xsd"}[form]
        schema = etree.XMLSchema(etree.parse(test_data / "schemas" / name))
        assert schema.validate(etree.fromstring(document)), schema.error_log


def test_all_forms_say_the_same(full, demo_study):
    sent = values(demo_study("data"))
    assert len(sent) == 81
    for form in FORMS:
        assert values(exported(full, STUDY, form)) == sent


def test_the_json_of_all_is_as_it_is_described(full):
    shapes = full.get("/openapi.json", anonymous=True).document["components"]["schemas"]
    jsonschema.validate(json.loads(exported(full, STUDY, "json")), shapes["OdmClinicalData"])
    design = full.get(f"/v1/studies/{STUDY}/metadata", headers={"accept": FORMS["json"]}).document
    jsonschema.validate(design, shapes["OdmDesign"])


def load(api, tmp_path: Path, *documents: bytes) -> list[dict[str, object]]:
    paths = []
    for place, document in enumerate(documents):
        paths.append(tmp_path / f"{place}.odm")
        paths[-1].write_bytes(document)
    return api.run("load", *paths)["loaded"]


def check_round(full, empty, study: str, form: str, tmp_path: Path) -> None:
    """Loads what `full` gives in `form` into the study that `empty` has by now, and compares all forms."""
    load(empty, tmp_path, exported(full, study, form))
    for one in FORMS:
        assert same(exported(empty, study, one)) == same(exported(full, study, one))


def test_the_json_of_a_study_makes_the_same_study(full, empty, demo_study, tmp_path):
    load(empty, tmp_path, demo_study("design"))
    check_round(full, empty, STUDY, "json", tmp_path)


def test_openedcs_study_goes_round_by_2_0(full, empty, test_data, tmp_path):
    """90 subjects, 1,684 items, AuditRecords out of the schema's order, 80 repeating events without a key."""
    folder = test_data / "odm132"
    sent = (folder / "openedc-clinicaldata.xml").read_bytes()
    loaded = full.run("load", folder / "openedc-metadata.xml", folder / "openedc-clinicaldata.xml")["loaded"]
    assert (loaded[1]["data"][0]["stored"], loaded[1]["data"][0]["subjects_registered"]) == (1684, 90)
    for form in FORMS:
        document = exported(full, "S.1", form)
        assert values(document) == values(sent)
        check_valid(test_data, form, document)
    empty.run("load", folder / "openedc-metadata.xml")
    check_round(full, empty, "S.1", "2.0", tmp_path)


def mended(test_data: Path) -> bytes:
    """CDISC's example of nested item groups, without the values in it that its own design does not allow."""
    sent = (test_data / "odm2" / "Demographics_RACE_check_all_that_apply.xml").read_bytes()
    sent = sent.replace(b"1975-01-31>", b"1975-01-31").replace(b"<Value>99</Value>", b"<Value>5</Value>")
    return sent.replace(
        b'<ItemData ItemOID="IT.RACE_BOOLEAN"><Value>4</Value>', b'<ItemData ItemOID="IT.RACE_BOOLEAN"><Value>1</Value>'
    )


def test_nested_item_groups_go_round_by_1_3_2(full, empty, test_data, tmp_path):
    """3 subjects, 24 item groups, 46 items."""
    document = mended(test_data)
    assert load(full, tmp_path, document)[0]["data"][0]["stored"] == 46
    study = "ST.DEMOGRAPHICS_EXAMPLE"
    for form in FORMS:
        given = exported(full, study, form)
        assert values(given) == values(document)
        check_valid(test_data, form, given)
    assert exported(full, study, "2.0").count(b"<ItemGroupData") == document.count(b"<ItemGroupData") == 24
    design = etree.fromstring(document)
    design.remove(design.find(f"{V2}ClinicalData"))
    load(empty, tmp_path, etree.tostring(design))
    check_round(full, empty, study, "1.3.2", tmp_path)


def refused(api, path: Path) -> str:
    done = api.run("load", path, status=1)
    return str(done)


def test_the_defects_of_cdiscs_examples_are_named(full, test_data, tmp_path):
    folder = test_data / "odm2"
    example = (folder / "Demographics_RACE_check_all_that_apply.xml").read_bytes()
    (tmp_path / "nested.xml").write_bytes(example.replace(b"ST.DEMOGRAPHICS_EXAMPLE", b"ST.AS.IT.IS"))
    nested = refused(full, tmp_path / "nested.xml")
    assert "5 mistakes" in nested
    assert "(line 218): the value is no date" in nested
    assert "(line 199): the value is no boolean" in nested
    assert nested.count("the value is longer than 1") == 3
    assert "1975" not in nested
    foreign = refused(full, folder / "Data_Retrieval_From_FHIR_in_ODM.xml")
    assert "IG.MH refers to the item IT.ENDTDC, which is not defined" in foreign
    repeating = refused(full, folder / "RepeatingIG-UC-D-Example.xml")
    assert repeating.count("F.MEDHIST does not belong to SE.MEDHIS") == 4


def test_a_repeating_item_group_of_2_0_goes_in_and_out(full, test_data, tmp_path):
    """13 items, one of them without a value, which is no null until it says so."""
    sent = (test_data / "odm2" / "RepeatingIG-UC-D-Example.xml").read_bytes()
    reference = b'<ItemGroupRef ItemGroupOID="IG.MEDHIST" Mandatory="Yes"/>'
    sent = sent.replace(reference, reference.replace(b"IG.MEDHIST", b"F.MEDHIST"), 1)
    (tmp_path / "half.xml").write_bytes(sent)
    assert "an item has either a value or IsNull" in refused(full, tmp_path / "half.xml")
    whole = sent.replace(b'"I.MH.ACTIVE"></ItemData>', b'"I.MH.ACTIVE" IsNull="Yes"/>')
    assert load(full, tmp_path, whole)[0]["data"][0]["stored"] == 13
    given = exported(full, "S.RPTIG.UC-D", "2.0")
    assert values(given) == values(whole)
    check_valid(test_data, "2.0", given)


def test_one_subject_is_had_in_each_form(full):
    subject = full.get(f"/v1/studies/{STUDY}/subjects?limit=1").document["items"][0]
    for form in FORMS:
        answer = full.get(
            f"/v1/studies/{STUDY}/subjects/{subject['subject_id']}/clinical-data", headers={"accept": FORMS[form]}
        )
        assert {place[0] for place in values(answer.body)} == {subject["key"]}
        assert answer.headers["content-type"] == FORMS[form]


def test_identifying_items_are_in_no_form_without_their_scope(full):
    without = full.token("clinical-data:read")
    for accept in FORMS.values():
        for path in (url(STUDY), url(STUDY) + "?as_of_seq=60"):
            body = full.get(path, token=without, headers={"accept": accept}).body
            assert b"I.SEX" in body
            assert b"I.BRTHDAT" not in body
            assert b"1961-03-09" not in body


LIMITS = {
    "?site=702": lambda place: place[0].startswith("702"),
    "?event=SE.VISIT": lambda place: place[1] == "SE.VISIT",
    "?form=F.VS": lambda place: place[3] == "F.VS",
    "?site=701&form=F.DM": lambda place: place[0].startswith("701") and place[3] == "F.DM",
    "?site=nowhere": lambda place: False,
    "?form=nothing": lambda place: False,
}


@pytest.mark.parametrize("query", LIMITS)
def test_a_part_of_a_study_may_be_asked_for(full, query: str):
    whole = values(exported(full, STUDY, "1.3.2"))
    for form in FORMS:
        part = values(exported(full, STUDY, form, query))
        assert part == {place: value for place, value in whole.items() if LIMITS[query](place)}


@pytest.mark.parametrize("seq", ["x", "-1", "1000000", ""])
def test_a_number_that_the_study_did_not_reach_is_refused(full, seq: str):
    answer = full.get(f"{url(STUDY)}?as_of_seq={seq}")
    assert (answer.status, answer.document["code"]) == (400, "bad-after")


def test_before_its_first_design_a_study_has_nothing(full):
    answer = full.get(f"{url(STUDY)}?as_of_seq=0")
    assert (answer.status, answer.document["code"]) == (409, "not-open")


def test_a_design_is_had_in_each_form(full, demo_study):
    path = f"/v1/studies/{STUDY}/metadata"
    whole = {form: full.get(path, headers={"accept": accept}) for form, accept in FORMS.items()}
    assert {form: one.headers["content-type"] for form, one in whole.items()} == FORMS
    assert whole["1.3.2"].body == demo_study("design")
    assert whole["2.0"].body.count(b'Type="Form"') == demo_study("design").count(b"<FormDef ")
    assert whole["json"].document["study"][0]["oid"] == STUDY
    assert len({one.headers["etag"] for one in whole.values()}) == 3
    for form, one in whole.items():
        known = {"accept": FORMS[form], "if-none-match": one.headers["etag"]}
        assert full.get(f"{path}/MDV.1", headers=known).status == 304
    assert full.get(path, headers={"accept": "text/html"}).status == 406


def test_a_design_loaded_as_2_0_is_given_as_it_came_and_as_1_3_2(full, test_data, tmp_path):
    sent = (test_data / "odm2" / "MetaData_Dave_as_ODMv2.xml").read_bytes()
    load(full, tmp_path, sent)
    path = "/v1/studies/CES/metadata"
    assert full.get(path, headers={"accept": FORMS["2.0"]}).body == sent
    older = full.get(path)
    assert older.headers["content-type"] == FORMS["1.3.2"]
    check_valid(test_data, "1.3.2", older.body)
    amended = sent.replace(b"CES_MDV_V1", b"CES_MDV_V2")
    put = full.request("PUT", f"{path}/CES_MDV_V2", amended, {"content-type": "application/xml"})
    assert (put.status, put.document["state"]) == (201, "draft"), put.body
    assert full.get(f"{path}/CES_MDV_V2", headers={"accept": FORMS["2.0"]}).body == amended


def test_a_design_that_1_3_2_cannot_say_is_not_bent(full, test_data, tmp_path):
    sent = (test_data / "odm2" / "RepeatingIG-UC-D-Example.xml").read_bytes().replace(b"S.RPTIG.UC-D", b"S.OWN")
    design = etree.fromstring(sent)
    design.remove(design.find(f"{V2}ClinicalData"))
    load(full, tmp_path, etree.tostring(design))
    answer = full.get("/v1/studies/S.OWN/metadata")
    assert (answer.status, answer.document["code"]) == (406, "not-acceptable")
    assert "IG.MEDHIST would be defined twice" in answer.document["detail"]
    assert full.get("/v1/studies/S.OWN/metadata", headers={"accept": FORMS["2.0"]}).status == 200


def test_whoever_sees_some_sites_sees_the_design_and_no_other_site(full):
    limited = full.token("metadata:read", [{"type": "cdms_study", "identifier": STUDY, "sites": ["702"]}])
    for accept in FORMS.values():
        answer = full.get(f"/v1/studies/{STUDY}/metadata", token=limited, headers={"accept": accept})
        assert answer.status == 200
        assert b"I.BRTHDAT" in answer.body
        assert b"University hospital" not in answer.body


def test_data_that_came_with_a_design_are_not_given_as_the_design(full, test_data, tmp_path):
    load(full, tmp_path, mended(test_data).replace(b"ST.DEMOGRAPHICS_EXAMPLE", b"ST.BOTH"))
    token = full.token("metadata:read")
    for accept in FORMS.values():
        answer = full.get("/v1/studies/ST.BOTH/metadata", token=token, headers={"accept": accept})
        assert answer.status == 200
        assert b"1957-05-07" not in answer.body


JAPAN = """<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="J" ODMVersion="1.3.2"
 CreationDateTime="2026-01-01T00:00:00Z"><Study OID="RWS_Training_Japan_20180821(Prod)"><GlobalVariables>
 <StudyName>Japan</StudyName><StudyDescription/><ProtocolName>J</ProtocolName></GlobalVariables>
 <MetaDataVersion OID="1865" Name="1865">
 <StudyEventDef OID="SUBJECT" Name="S" Repeating="No" Type="Common">
  <FormRef FormOID="SURGERY" Mandatory="No"/></StudyEventDef>
 <FormDef OID="SURGERY" Name="S" Repeating="Yes">
  <ItemGroupRef ItemGroupOID="SURGERY_LOG_LINE" Mandatory="No"/></FormDef>
 <ItemGroupDef OID="SURGERY_LOG_LINE" Name="L" Repeating="No">{references}</ItemGroupDef>{items}
 </MetaDataVersion></Study><AdminData><Location OID="0001" Name="Site" LocationType="Site">
 <MetaDataVersionRef StudyOID="RWS_Training_Japan_20180821(Prod)" MetaDataVersionOID="1865" EffectiveDate="2018-08-21"/>
 </Location></AdminData></ODM>"""


def test_raves_japanese_text_goes_in_and_out_of_every_form(full, test_data, tmp_path):
    """An OID that cannot stand in a path, a version that is a number, nulls, and text of three bytes a character."""
    names = ("SURGERY.SURGERYDATE", "SURGERY.DEVICETYPE", "SURGERY.DEVICE")
    design = JAPAN.format(
        references="".join(f'<ItemRef ItemOID="{name}" Mandatory="No"/>' for name in names),
        items="".join(f'<ItemDef OID="{name}" Name="{name}" DataType="text" Length="20"/>' for name in names),
    )
    (tmp_path / "japan.xml").write_text(design)
    full.run("load", tmp_path / "japan.xml", "--study-key", "japan")
    sent = test_data / "odm132" / "rave-double-byte.xml"
    assert full.run("load", sent)["loaded"][0]["data"][0]["stored"] == 3
    for form in FORMS:
        document = exported(full, "japan", form)
        assert values(document) == values(sent.read_bytes())
        assert "日本語のテスト".encode() in document
        check_valid(test_data, form, document)

"""The audit trail as ODM: valid, complete, and read by a program that was written for another system's."""

import re
import warnings
import xml.etree.ElementTree as ElementTree

import pytest
from lxml import etree

STUDY = "/v1/studies/KF.DEMO"
ODM = {"accept": "application/xml; odm=1.3.2"}
NS = "{http://www.cdisc.org/ns/odm/v1.3}"
DIARY = "events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"


@pytest.fixture(scope="module")
def trail(new_api, demo_study, tmp_path_factory):
    """A study with a history: its design, data by a file, a change, a null, a removal, a transfer."""
    api, folder = new_api(), tmp_path_factory.mktemp("trail")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name).replace(b"MDV.1", b"1"))
        api.run("load", folder / f"{name}.xml")
    api.serve()
    made = api.register("KF.DEMO", "new <1>", "701")
    path = f"{STUDY}/subjects/{made.document['subject_id']}"
    put = api.request("PUT", f"{path}/{DIARY}", {"items": [{"oid": "I.PAIN", "value": "3"}]}, {"if-none-match": "*"})
    assert put.status == 201, put.body
    for body in (
        {"items": [{"oid": "I.PAIN", "value": "4"}, {"oid": "I.SLEEP", "value": "Y"}], "reason": "misread & mended"},
        {"items": [{"oid": "I.PAIN", "null": True}], "reason": "unknown"},
    ):
        changed = {"if-match": put.headers["etag"], "keyfob-operator": "A. Person"}
        put = api.request("PUT", f"{path}/{DIARY}", body, changed)
        assert put.status == 200, put.body
    moved = api.request(
        "PATCH", path, {"site": "702", "status": "withdrawn", "reason": "moved"}, {"if-match": made.headers["etag"]}
    )
    assert moved.status == 200, moved.body
    return api


def read(trail, query: str = "", **options: object):
    answer = trail.get(f"{STUDY}/audit?limit=1000{query}", headers=ODM, **options)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == ODM["accept"]
    return answer


def test_the_trail_is_valid_odm(trail, test_data):
    schema = etree.XMLSchema(etree.parse(test_data / "schemas" / "odm-1.3.2" / "ODM1-3-2.xsd"))
    for query in ("", "&after=90"):
        assert schema.validate(etree.fromstring(read(trail, query).body)), schema.error_log


def test_every_record_of_a_subject_is_there_with_its_number(trail):
    listed = [one for one in trail.get(f"{STUDY}/audit?limit=1000").document["items"] if one["subject_id"]]
    root = ElementTree.fromstring(read(trail).body)
    assert root.get("FileType") == "Transactional"
    records = list(root.iter(f"{NS}AuditRecord"))
    assert [int(one.findtext(f"{NS}SourceID")) for one in records] == [one["seq"] for one in listed]
    assert [one.findtext(f"{NS}DateTimeStamp") for one in records] == [one["at"] for one in listed]
    assert [one.findtext(f"{NS}ReasonForChange") for one in records] == [one.get("reason") for one in listed]
    items = list(root.iter(f"{NS}ItemData"))
    of_items = [one for one in listed if "place" in one]
    assert [one.get("ItemOID") for one in items] == [one["place"]["item"] for one in of_items]
    assert [one.get("TransactionType").lower() for one in items] == [one["action"] for one in of_items]
    assert [one.get("Value") for one in items] == [one.get("new", {}).get("value") for one in of_items]
    assert [one.get("IsNull") for one in items[-3:]] == [None, "Yes", None]
    moved = root.findall(f"{NS}ClinicalData/{NS}SubjectData")[-1]
    assert [one.tag.removeprefix(NS) for one in moved] == ["AuditRecord", "SiteRef", "Annotation"]
    assert moved.find(f"{NS}SiteRef").get("LocationOID") == "702"
    own = [one for one in root.iter(f"{NS}SubjectData") if one.get("SubjectKey") == "new <1>"]
    assert [one.find(f"{NS}SiteRef").get("LocationOID") for one in own] == ["701"] * (len(own) - 1) + ["702"]
    assert moved.findtext(f"{NS}Annotation/{NS}Comment") == "status: withdrawn"


def test_a_place_of_the_design_may_be_asked_for(trail):
    """RFC 6901 §4: and what is elsewhere moves on the page all the same."""
    whole = trail.get(f"{STUDY}/audit?limit=1000").document
    of_items = [one for one in whole["items"] if "place" in one]
    for place in (("SE.VISIT",), ("SE.VISIT", "F.DIARY"), ("SE.VISIT", "F.DIARY", "IG.DIARY", "I.PAIN"), ("SE~1/2",)):
        pointer = "".join(f"/{oid.replace('~', '~0').replace('/', '~1')}" for oid in place)
        path = f"{STUDY}/audit?limit=1000&place={pointer}"
        found = trail.get(path).document
        levels = ("event", "form", "item_group", "item")
        assert found == whole | {
            "items": [one for one in of_items if tuple(one["place"][at] for at in levels)[: len(place)] == place]
        }
        records = re.findall(rb"<SourceID>(\d+)<", trail.get(path, headers=ODM).body)
        assert [int(one) for one in records] == [one["seq"] for one in found["items"]]
    assert "place=%2FSE.VISIT" in trail.get(f"{STUDY}/audit?limit=1&place=/SE.VISIT", headers=ODM).headers["link"]
    for wrong in ("SE.VISIT", "/a/b/c/d/e"):
        refused = trail.get(f"{STUDY}/audit?place={wrong}")
        assert (refused.status, refused.document["code"]) == (400, "bad-query")


def test_everybody_and_every_place_is_defined(trail):
    root = ElementTree.fromstring(read(trail).body)
    for reference, definition, name in (("UserRef", "User", "UserOID"), ("LocationRef", "Location", "LocationOID")):
        referred = {one.get(name) for one in root.iter(f"{NS}{reference}")}
        assert referred == {one.get("OID") for one in root.iter(f"{NS}{definition}")}
    users = {one.get("OID"): one.findtext(f"{NS}DisplayName") for one in root.iter(f"{NS}User")}
    assert (users["cl_1"], users["cl_1:A. Person"]) == ("cl_1", "A. Person")
    places = {one.get("OID"): one.get("Name") for one in root.iter(f"{NS}Location")}
    assert places["701"] == "University hospital, north"


def test_pages_lead_to_the_next_and_miss_nothing(trail):
    """RFC 8288 §3."""
    whole = re.findall(rb"<SourceID>(\d+)<", read(trail).body)
    assert "link" not in read(trail).headers
    path, seen = f"{STUDY}/audit?limit=37", []
    while path:
        answer = trail.get(path, headers=ODM)
        seen += re.findall(rb"<SourceID>(\d+)<", answer.body)
        following = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        path = following.group(1).removeprefix(trail.resource) if following else None
    assert seen == whole


class Collected:
    """What rwslib calls, once for each record."""

    def __init__(self) -> None:
        self.contexts: list[object] = []

    def default(self, context: object) -> None:
        self.contexts.append(context)


def test_rwslib_reads_it(trail, test_data):
    """Its reader demands of Rave's own: an attribute of the vendor's, times without a zone, and a version in digits.

    None of the three is written, also not for who would ask for it: ODM's schema has no such attribute, a time without
    a zone is anybody's guess in a trail, and what a version is called is its author's to say. Without the first it
    reads nothing. (Repeat keys must be digits, too: it reads no rows of datasets.)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rwslib.extras.audit_event.parser import parse
    vendor = b'<ClinicalData xmlns:m="http://www.mdsol.com/ns/odm/metadata" m:AuditSubCategoryName="Entered"'
    body = read(trail).body.replace(b"<ClinicalData", vendor)
    schema = etree.XMLSchema(etree.parse(test_data / "schemas" / "odm-1.3.2" / "ODM1-3-2.xsd"))
    assert not schema.validate(etree.fromstring(body))
    assert {one.type_name for one in schema.error_log} == {"SCHEMAV_CVC_COMPLEX_TYPE_3_2_1"}, "and nothing else"
    body = re.sub(rb"Z</DateTimeStamp>", b"</DateTimeStamp>", body)
    collected = Collected()
    count = parse(body, collected)
    listed = [one for one in trail.get(f"{STUDY}/audit?limit=1000").document["items"] if one["subject_id"]]
    assert count == len(collected.contexts) == len(listed)
    for context, one in zip(collected.contexts, listed, strict=True):
        assert context.audit_record.source_id == one["seq"]
        # It takes the first piece of a text for the whole.
        assert (one.get("reason") or "").startswith(context.audit_record.reason_for_change or "")
        if "place" in one:
            place = one["place"]
            assert (context.event.oid, context.form.oid, context.itemgroup.oid, context.item.oid) == (
                place["event"], place["form"], place["item_group"], place["item"],
            )  # fmt: skip
            assert context.item.value == one.get("new", {}).get("value")


def test_identifying_items_are_withheld(trail):
    body = read(trail, token=trail.token("audit:read")).body
    assert b"I.SEX" in body
    assert b"I.BRTHDAT" not in body
    assert b"1961-03-09" not in body


def test_whoever_sees_one_site_reads_of_no_other(trail):
    """The subject that came over from 701 is seen; where it came from is not."""
    limited = trail.token(details=[{"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["702"]}])
    body = read(trail, token=limited).body
    assert b"new &lt;1&gt;" in body
    assert b'"701' not in body
    (registered, *_) = [
        one
        for one in ElementTree.fromstring(body).iter(f"{NS}SubjectData")
        if one.get("SubjectKey") == "new <1>" and one.get("TransactionType") == "Insert"
    ]
    assert registered.find(f"{NS}SiteRef") is None
    assert registered.find(f"{NS}AuditRecord/{NS}LocationRef").get("LocationOID") == "keyfob-cdms"
    items = trail.get(f"{STUDY}/audit?limit=1000", token=limited).document["items"]
    assert {"action": "register", "new": {"key": "new <1>", "status": "enrolled"}}.items() <= {
        name: value for one in items if one.get("new", {}).get("key") == "new <1>" for name, value in one.items()
    }.items()
    assert {one["old"].get("site", "none") for one in items if one["action"] == "change-subject"} == {"none"}


def test_without_a_wish_it_is_json_and_2_0_is_not_had(trail):
    assert trail.get(f"{STUDY}/audit").headers["content-type"] == "application/json"
    answer = trail.get(f"{STUDY}/audit", headers={"accept": "application/xml; odm=2.0"})
    assert (answer.status, answer.document["code"]) == (406, "not-acceptable")

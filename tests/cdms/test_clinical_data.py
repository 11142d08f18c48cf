"""ODM in and out: whole or not at all, checked against the design, and given back as it was sent."""

import concurrent.futures
import re
import xml.etree.ElementTree as ElementTree

import pytest
from lxml import etree

NS = "{http://www.cdisc.org/ns/odm/v1.3}"
STUDY = "KF.DEMO"


def values(document: bytes) -> dict[tuple[object, ...], str | None]:
    """Every value with its whole place, read with nothing of the API's."""
    found: dict[tuple[object, ...], str | None] = {}
    for subject in ElementTree.fromstring(document).iter(f"{NS}SubjectData"):
        for event in subject.iter(f"{NS}StudyEventData"):
            for form in event.iter(f"{NS}FormData"):
                for group in form.iter(f"{NS}ItemGroupData"):
                    for item in group.iter(f"{NS}ItemData"):
                        place = (
                            subject.get("SubjectKey"), event.get("StudyEventOID"), event.get("StudyEventRepeatKey"),
                            form.get("FormOID"), group.get("ItemGroupOID"), group.get("ItemGroupRepeatKey"),
                            item.get("ItemOID"),
                        )  # fmt: skip
                        assert place not in found
                        found[place] = item.get("Value")
    return found


def file(body: str, *, study: str = STUDY, version: str = "MDV.1", file_oid: str = "F") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" '
        f'FileOID="{file_oid}" CreationDateTime="2026-01-01T00:00:00Z" ODMVersion="1.3.2">'
        f'<ClinicalData StudyOID="{study}" MetaDataVersionOID="{version}">{body}</ClinicalData></ODM>'
    ).encode()


def diary(key: str, pain: str, *, event_repeat: str | None = "1", more: str = "", transaction: str = "") -> str:
    repeat = "" if event_repeat is None else f' StudyEventRepeatKey="{event_repeat}"'
    kind = f' TransactionType="{transaction}"' if transaction else ""
    return (
        f'<SubjectData SubjectKey="{key}"><StudyEventData StudyEventOID="SE.VISIT"{repeat}><FormData FormOID="F.DIARY">'
        f'<ItemGroupData ItemGroupOID="IG.DIARY"{kind}><ItemData ItemOID="I.PAIN" Value="{pain}"/>{more}'
        "</ItemGroupData></FormData></StudyEventData></SubjectData>"
    )


@pytest.fixture
def with_subjects(api, demo_study):
    for subject in ElementTree.fromstring(demo_study("data")).iter(f"{NS}SubjectData"):
        site = subject.find(f"{NS}SiteRef").get("LocationOID")
        assert api.register(STUDY, subject.get("SubjectKey"), site).status == 201
    return api


def test_what_is_sent_comes_back_and_the_same_again_is_unchanged(with_subjects, demo_study):
    data = demo_study("data")
    looked = with_subjects.post_odm(STUDY, data, query="?dry_run=true")
    assert (looked.status, looked.document["stored"], looked.document["batch"]) == (200, 81, None)
    assert values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body) == {}

    stored = with_subjects.post_odm(STUDY, data)
    assert stored.document["stored"] == 81
    back = with_subjects.get(f"/v1/studies/{STUDY}/clinical-data")
    assert back.headers["content-type"] == "application/xml; odm=1.3.2"
    assert values(back.body) == values(data)

    replayed = with_subjects.post_odm(STUDY, data)
    assert replayed.headers["idempotent-replay"] == "true"
    assert replayed.body == stored.body
    again = with_subjects.post_odm(STUDY, data.replace(b"KF.DEMO.DATA", b"KF.DEMO.AGAIN"))
    assert (again.document["stored"], again.document["unchanged"]) == (0, 81)


def test_files_are_told_apart_by_their_content_however_long_their_oid(with_subjects):
    for pain in ("3", "4"):
        sent = file(diary("701-001", pain, event_repeat=pain), file_oid="F" * 250)
        assert with_subjects.post_odm(STUDY, sent).status == 200
        assert with_subjects.post_odm(STUDY, sent).headers["idempotent-replay"] == "true"


def test_the_export_of_a_study_loads_into_an_empty_one_and_leaves_it_the_same(
    with_subjects, new_api, demo_study, tmp_path
):
    with_subjects.post_odm(STUDY, demo_study("data"))
    exported = with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body
    other = new_api()
    (tmp_path / "design.xml").write_bytes(demo_study("design"))
    (tmp_path / "data.xml").write_bytes(exported)
    loaded = other.run("load", tmp_path / "design.xml", tmp_path / "data.xml")["loaded"]
    assert loaded[1]["data"][0]["subjects_registered"] == 4
    assert other.run("load", tmp_path / "design.xml")["loaded"][0]["designs"][0]["state"] == "unchanged"
    other.serve()

    def same(document: bytes) -> bytes:
        return re.sub(rb'(FileOID|CreationDateTime)="[^"]*"', b"", document)

    assert same(other.get(f"/v1/studies/{STUDY}/clinical-data").body) == same(exported)


def test_identifying_items_are_withheld_without_their_scope(with_subjects, demo_study):
    with_subjects.post_odm(STUDY, demo_study("data"))
    without = with_subjects.token("clinical-data:read changes:read audit:read")
    for path in ("clinical-data", "changes?limit=1000", "audit?limit=1000"):
        body = with_subjects.get(f"/v1/studies/{STUDY}/{path}", token=without).body
        assert b"I.SEX" in body
        assert b"I.BRTHDAT" not in body
        assert b"1961-03-09" not in body
    assert b"1961-03-09" in with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body


def test_a_site_limit_holds_for_reading_and_for_writing(with_subjects, demo_study):
    with_subjects.post_odm(STUDY, demo_study("data"))
    details = [{"type": "cdms_study", "identifier": STUDY, "sites": ["702"]}]
    limited = with_subjects.token(details=details)
    seen = values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data", token=limited).body)
    assert {place[0] for place in seen} == {"702-001", "702-002"}
    listed = with_subjects.get(f"/v1/studies/{STUDY}/subjects", token=limited).document["items"]
    assert {one["key"] for one in listed} == {"702-001", "702-002"}
    foreign = with_subjects.post_odm(STUDY, file(diary("701-001", "3", event_repeat="9")), token=limited)
    absent = with_subjects.post_odm(STUDY, file(diary("999-999", "3", event_repeat="9")), token=limited)
    assert (foreign.status, foreign.codes) == (absent.status, absent.codes) == (422, ["unknown-subject"])
    assert with_subjects.register(STUDY, "new", "701", token=limited).status == 422
    assert with_subjects.register(STUDY, "new", None, token=limited).status == 422
    assert with_subjects.register(STUDY, "new", "702", token=limited).status == 201
    trail = with_subjects.get(f"/v1/studies/{STUDY}/audit?limit=1000", token=limited).document["items"]
    assert {one["site"] for one in trail if "site" in one} == {"702"}
    changes = with_subjects.get(f"/v1/studies/{STUDY}/changes?limit=1000", token=limited).document
    assert changes["next_after"] == changes["high_water"]
    own = {one["subject_id"] for one in listed}
    assert {one["subject_id"] for one in changes["items"]} <= own


def test_a_form_limit_holds(with_subjects, demo_study):
    details = [{"type": "cdms_study", "identifier": STUDY, "forms": ["F.VS"]}]
    limited = with_subjects.token(details=details)
    refused = with_subjects.post_odm(STUDY, file(diary("701-001", "3")), token=limited)
    assert refused.codes == ["not-granted"]
    with_subjects.post_odm(STUDY, demo_study("data"))
    seen = values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data", token=limited).body)
    assert {place[3] for place in seen} == {"F.VS"}


SLEEP = '<ItemData ItemOID="I.SLEEP" Value="Y"/>'
DEFECTS = {
    "not XML": (b"<ODM", 400, "not-xml"),
    "empty": (b"", 400, "not-xml"),
    "not ODM": (b"<html/>", 400, "not-odm"),
    "no namespace": (b'<ODM FileOID="x"/>', 400, "no-namespace"),
    "ODM 2": (file("").replace(b"1.3.2", b"2.0"), 400, "odm-version"),
    "a DOCTYPE": (file("").replace(b"<ODM", b"<!DOCTYPE ODM><ODM", 1), 400, "doctype"),
    "an entity": (file("").replace(b"<ODM", b'<!DOCTYPE ODM [<!ENTITY a "b">]><ODM', 1), 400, "doctype"),
    "undeclared bytes": (file(diary("701-001", "\x00")).replace(b"\x00", b"\xff"), 400, "not-xml"),
    "a study of another path": (file("", study="OTHER"), 422, "other-study"),
    "an unknown version": (file("", version="MDV.9"), 422, "unknown-oid"),
    "no ClinicalData": (re.sub(rb"<ClinicalData.*</ClinicalData>", b"", file("")), 422, "one-clinical-data"),
    "an unknown subject": (file(diary("nobody", "1")), 422, "unknown-subject"),
    "an unknown event": (file(diary("701-001", "1").replace("SE.VISIT", "SE.X")), 422, "unknown-oid"),
    "an unknown item": (file(diary("701-001", "1").replace("I.PAIN", "I.X")), 422, "unknown-oid"),
    "a misplaced form": (file(diary("701-001", "1").replace("F.DIARY", "F.AE")), 422, "misplaced-oid"),
    "a misplaced item": (file(diary("701-001", "1").replace("I.PAIN", "I.SEX")), 422, "misplaced-oid"),
    "a repeat key where none belongs": (
        file(diary("701-001", "1").replace("SE.VISIT", "SE.SCREEN").replace("F.DIARY", "F.VS")), 422, "repeat-key",
    ),
    "a bad integer": (file(diary("701-001", "1.0")), 422, "bad-type"),
    "out of a hard range": (file(diary("701-001", "11")), 422, "range"),
    "too long": (file(diary("701-001", "001")), 422, "too-long"),
    "not in the code list": (file(diary("701-001", "1", more=SLEEP.replace("Y", "X"))), 422, "code-list"),
    "a unit that is none": (
        file(diary("701-001", "1").replace('"1"/>', '"1"><MeasurementUnitRef MeasurementUnitOID="U.KG"/></ItemData>')),
        422,
        "unit",
    ),
    "an item twice": (file(diary("701-001", "1", more='<ItemData ItemOID="I.PAIN" Value="1"/>')), 422, "duplicate"),
    "a subject twice": (file(diary("701-001", "1") * 2), 422, "duplicate"),
    "IsNull with a value": (file(diary("701-001", "1").replace("/>", ' IsNull="Yes"/>')), 422, "value-or-null"),
    "neither value nor null": (file(diary("701-001", "1").replace('Value="1"', "")), 422, "value-or-null"),
    "a mandatory item missing": (
        file(diary("701-001", "1").replace('<ItemData ItemOID="I.PAIN" Value="1"/>', SLEEP)), 422, "mandatory",
    ),
    "an update of what is not there": (file(diary("701-001", "1", transaction="Update")), 422, "not-there"),
    "a removal of what is not there": (file(diary("701-001", "1", transaction="Remove")), 422, "not-there"),
    "a transaction that is none": (file(diary("701-001", "1", transaction="Delete")), 400, "bad-transaction"),
}  # fmt: skip


def test_each_defect_is_named_with_its_place_and_nothing_is_stored(with_subjects):
    for name, (body, status, code) in DEFECTS.items():
        answer = with_subjects.post_odm(STUDY, body)
        assert (answer.status, answer.document["code"]) == (status, code), (name, answer.body)
        if status == 422 and code not in ("other-study", "one-clinical-data") and name != "an unknown version":
            assert answer.document["errors"][0]["pointer"].startswith("/ODM/"), name
            assert answer.document["total"] >= 1
    seq = with_subjects.get(f"/v1/studies/{STUDY}").document["high_water"]
    assert seq == 8  # the design, its state, two sites and four subjects; no number was used up by what was refused


def test_one_bad_subject_keeps_the_whole_file_out(with_subjects):
    answer = with_subjects.post_odm(STUDY, file(diary("701-001", "3") + diary("701-002", "bad")))
    assert answer.status == 422
    assert values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body) == {}


def test_up_to_a_hundred_mistakes_are_shown_and_all_are_counted(with_subjects):
    events = "".join(
        f'<StudyEventData StudyEventOID="SE.VISIT" StudyEventRepeatKey="{n}"><FormData FormOID="F.DIARY">'
        '<ItemGroupData ItemGroupOID="IG.DIARY"><ItemData ItemOID="I.PAIN" Value="secret-value"/></ItemGroupData>'
        "</FormData></StudyEventData>"
        for n in range(150)
    )
    answer = with_subjects.post_odm(STUDY, file(f'<SubjectData SubjectKey="701-001">{events}</SubjectData>'))
    assert (len(answer.document["errors"]), answer.document["total"]) == (100, 150)
    assert b"secret-value" not in answer.body
    assert "secret-value" not in with_subjects.log


def test_a_change_needs_a_reason_and_the_old_value_stays_readable(with_subjects):
    assert with_subjects.post_odm(STUDY, file(diary("701-001", "3"))).status == 200
    refused = with_subjects.post_odm(STUDY, file(diary("701-001", "4"), file_oid="G"))
    assert refused.codes == ["reason-required"]
    reason = (
        '<AuditRecord><UserRef UserOID="u"/><LocationRef LocationOID="l"/>'
        "<DateTimeStamp>2026-01-01T00:00:00Z</DateTimeStamp><ReasonForChange>misread</ReasonForChange></AuditRecord>"
    )
    changed = diary("701-001", "4").replace('<ItemData ItemOID="I.PAIN"', reason + '<ItemData ItemOID="I.PAIN"')
    assert with_subjects.post_odm(STUDY, file(changed, file_oid="H")).status == 200
    removed = diary("701-001", "4", transaction="Remove").replace("<ItemData", reason + "<ItemData", 1)
    assert with_subjects.post_odm(STUDY, file(removed, file_oid="I")).status == 200
    trail = with_subjects.get(f"/v1/studies/{STUDY}/audit?limit=1000").document["items"][-3:]
    assert [one["action"] for one in trail] == ["insert", "update", "remove"]
    assert (trail[1]["old"], trail[1]["new"], trail[1]["reason"]) == ({"value": "3"}, {"value": "4"}, "misread")
    assert trail[2]["old"] == {"value": "4"}
    assert all(one["client_id"] == "cl_1" for one in trail)
    assert values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body) == {}
    assert with_subjects.run("audit", "verify", STUDY)["whole"] is True


def test_a_soft_check_stores_and_tells(with_subjects):
    body = diary("701-001", "1").replace("F.DIARY", "F.VS").replace("IG.DIARY", "IG.VS")
    body = body.replace(
        '<ItemData ItemOID="I.PAIN" Value="1"/>',
        '<ItemData ItemOID="I.VISDAT" Value="2026-02-01"/><ItemData ItemOID="I.SYSBP" Value="250"/>',
    )
    answer = with_subjects.post_odm(STUDY, file(body))
    assert answer.status == 200
    assert [one["code"] for one in answer.document["warnings"]] == ["range"]
    last = with_subjects.get(f"/v1/studies/{STUDY}/audit?limit=1000").document["items"][-1]
    assert last["soft_checks"] == ["the value is not LE 220"]


def test_an_event_that_repeats_may_stand_once_without_a_key(with_subjects):
    answer = with_subjects.post_odm(STUDY, file(diary("701-001", "3", event_repeat=None)))
    assert answer.status == 200
    assert [one["code"] for one in answer.document["warnings"]] == ["no-repeat-key"]
    seen = values(with_subjects.get(f"/v1/studies/{STUDY}/clinical-data").body)
    assert [place[2] for place in seen] == [None]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(with_subjects, encoding):
    text = (
        file(diary("701-001", "1")).decode().replace('encoding="UTF-8"', f'encoding="{encoding.replace("-sig", "")}"')
    )
    assert with_subjects.post_odm(STUDY, text.encode(encoding)).status == 200


def test_a_subject_may_be_inserted_by_odm_with_the_scope_for_it(with_subjects):
    body = diary("703-001", "1").replace("<SubjectData ", '<SubjectData TransactionType="Insert" ')
    without = with_subjects.token("clinical-data:write")
    assert with_subjects.post_odm(STUDY, file(body), token=without).codes == ["not-granted"]
    answer = with_subjects.post_odm(STUDY, file(body))
    assert answer.document["subjects_registered"] == 1


def test_two_new_subjects_that_a_person_would_take_for_one_are_refused(with_subjects):
    body = (diary("New 1", "1") + diary("new 1", "1")).replace(
        "<SubjectData ", '<SubjectData TransactionType="Insert" '
    )
    assert with_subjects.post_odm(STUDY, file(body)).codes == ["subject-exists"]


def test_writers_at_once_lose_nothing_and_a_follower_sees_each_number_once(with_subjects):
    def write(number: int) -> int:
        body = file(
            diary(f"70{1 + number % 2}-001", str(number % 10), event_repeat=str(100 + number)), file_oid=f"W{number}"
        )
        return with_subjects.post_odm(STUDY, body).status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, number) for number in range(24)]
        seen: list[int] = []
        after = high_water = 0
        all_written = False
        while not all_written or after < high_water:
            # Asked before the page is read: a page read earlier than the last write cannot know of it.
            all_written = all(one.done() for one in writing)
            page = with_subjects.get(f"/v1/studies/{STUDY}/changes?after={after}").document
            seen += [one["seq"] for one in page["items"]]
            after, high_water = page["next_after"], page["high_water"]
    assert [one.result() for one in writing] == [200] * 24
    assert len(seen) == 24
    assert seen == sorted(set(seen))


def test_the_public_example_comes_back_value_by_value(new_api, test_data, tmp_path):
    """OpenEDC's example: 90 subjects, 1,684 items, AuditRecords out of the schema's order, events without keys."""
    design = test_data / "odm132" / "openedc-metadata.xml"
    data = (test_data / "odm132" / "openedc-clinicaldata.xml").read_bytes()
    api = new_api()
    api.run("load", design)
    api.serve()
    token = api.token()
    keys = [one.get("SubjectKey") for one in ElementTree.fromstring(data).iter(f"{NS}SubjectData")]
    assert len(keys) == 90
    for key in keys:
        assert api.register("S.1", key, token=token).status == 201
    receipt = api.post_odm("S.1", data, token=token)
    assert (receipt.status, receipt.document["stored"]) == (200, 1684), receipt.body
    back = api.get("/v1/studies/S.1/clinical-data", token=token).body
    sent = values(data)
    assert len(sent) == 1684
    assert values(back) == sent
    schema = etree.XMLSchema(etree.parse(test_data / "schemas" / "odm-1.3.2" / "ODM1-3-2.xsd"))
    assert schema.validate(etree.fromstring(back)), schema.error_log
    assert api.run("audit", "verify", "S.1")["whole"] is True

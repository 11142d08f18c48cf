"""No log, no error and no name of a file tells a subject's key or a value, whatever goes wrong."""

import pytest

STUDY = "/v1/studies/KF.DEMO"
KEY, VALUE, OTHER = "Planted-Key-7311", "planted words of a patient", "planted 42424242424"
FORBIDDEN = (KEY, KEY.lower(), VALUE, OTHER, "42424242424")
ODM = (
    '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2" '
    'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1">'
    '<SubjectData SubjectKey="{key}"{more}><StudyEventData StudyEventOID="SE.AE"><FormData FormOID="F.AE">'
    '<ItemGroupData ItemGroupOID="IG.AE" ItemGroupRepeatKey="1"><ItemData ItemOID="I.AETERM" Value="{value}"/>'
    '<ItemData ItemOID="I.AESEV" Value="{code}"/><ItemData ItemOID="I.AESER" Value="N"/></ItemGroupData></FormData>'
    "</StudyEventData></SubjectData></ClinicalData></ODM>"
)


def odm(key=KEY, value=VALUE, code="1", more=' TransactionType="Insert"'):
    return ODM.format(key=key, value=value, code=code, more=more).encode()


@pytest.mark.on("sqlite", "postgresql")
def test_nothing_of_a_patient_is_told_where_it_does_not_belong(api):
    json_type = {"content-type": "application/json"}
    refusals, readings = [], []

    def refused(answer):
        assert answer.status >= 400, answer.body
        refusals.append(answer)

    subject = api.register("KF.DEMO", KEY, "701").document["subject_id"]
    here = f"{STUDY}/subjects/{subject}"
    group = f"{here}/events/SE.AE/forms/F.AE/item-groups/IG.AE?igrk=1"
    diary = f"{here}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"
    assert api.post_odm("KF.DEMO", odm(more="")).status == 200
    readings += [api.get(path) for path in (here, group, f"{here}/clinical-data", f"{STUDY}/audit?limit=1000")]
    assert KEY in readings[0].body.decode() and all(VALUE in one.body.decode() for one in readings[1:])
    refused(api.register("KF.DEMO", KEY))
    refused(api.register("KF.DEMO", KEY.upper()))
    refused(api.register("KF.DEMO", f"{KEY}/"))
    refused(api.register("KF.DEMO", KEY, OTHER))
    for body in (odm(code=OTHER, more=""), odm(key=f"{KEY} x", more=""), odm(value="x" * 201 + VALUE, more="")):
        refused(api.post_odm("KF.DEMO", body))
    refused(api.post_odm("KF.DEMO", odm().replace(b"</ODM>", b"")))
    refused(api.post_odm("KF.DEMO", odm().replace(b"<ODM", b"<!DOCTYPE ODM><ODM")))
    for body in (
        f'{{"key": "{KEY}", "key": "{KEY}"}}', f'{{"key": "{KEY}", "x": "{OTHER}"}}', f'{{"key": "{KEY}"',
        f'{{"key": ["{KEY}"]}}',
    ):  # fmt: skip
        refused(api.request("POST", f"{STUDY}/subjects", body.encode(), json_type))
        refused(api.request("POST", f"{STUDY}/subjects/lookup", body.encode(), json_type))
    for value in (OTHER, "42424242424", VALUE):
        items = {"items": [{"oid": "I.PAIN", "value": value}], "reason": OTHER}
        refused(api.request("PUT", diary, items, {"if-none-match": "*"}))
    refused(api.request("PUT", diary, {"items": [{"oid": "I.NONE", "value": VALUE}]}, {"if-none-match": "*"}))
    refused(api.request("PATCH", here, {"status": OTHER, "reason": VALUE}, {"if-match": '"1"'}))
    # What the database says of a row that it refuses is not for a log.
    api.sql("UPDATE subject SET key_folded = 'another'", "CREATE UNIQUE INDEX planted ON subject (key)")
    doubled = api.register("KF.DEMO", KEY)
    refused(doubled)
    assert doubled.status == 500
    assert "UNIQUE constraint failed" in api.log or "UniqueViolation" in api.log
    # Something breaks in the middle of a write: what is logged then is a traceback.
    api.sql("ALTER TABLE item_value RENAME TO elsewhere")
    broken = api.request(
        "PUT", diary, {"items": [{"oid": "I.PAIN", "value": "3"}], "reason": VALUE}, {"if-none-match": "*"}
    )
    refused(broken)
    refused(api.post_odm("KF.DEMO", odm(key=f"{KEY}-2", value=VALUE)))
    assert broken.status == 500
    assert "Traceback" in api.log
    for word in FORBIDDEN:
        assert word not in api.log
        for answer in refusals:
            told = answer.body.decode() + str(sorted(answer.headers.items()))
            assert word not in told, told

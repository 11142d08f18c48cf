"""What must become of each kind of bad input of clinical data, row by row of the table in the design."""

import json
import re

import pytest

from keyfob.cdms.odm.datatypes import DATA_TYPES

STUDY = "KF.BAD"
PATH = f"/v1/studies/{STUDY}"
NS = "http://www.cdisc.org/ns/odm/v1.3"

TYPES = {
    "integer": (["0", "-1", "+1", "007"], ["1.0", "1e3", "", "one", "1 ", "٣"]),
    "float": ([".94", "+1", "39.0", "-0", "1."], ["1E+5", "INF", "NaN", "1,5", "", "."]),
    "double": (["1E+5", "1.5e-3", "2"], ["1E5", "INF", "-INF", "NaN", "e+1"]),
    "boolean": (["true", "false", "1", "0"], ["True", "yes", "4", ""]),
    "date": (["2024-02-29"], ["2025-02-30", "2025-2-3", "2025-02", "25-02-03", "2025-02-03T00:00:00", "0000-01-01"]),
    "time": (["23:59:59", "00:00:00.5Z", "12:00:00+02:00"], ["24:00:00", "12:00", "1:00:00"]),
    "datetime": (["2026-01-01T10:00:00", "2026-01-01T10:00:00.123-05:00"], ["2026-01-01", "2026-02-30T10:00:00"]),
    "partialDate": (["2026", "2026-02", "2026-02-28"], ["2026-13", "26", "2026-02-30", "2026-00"]),
    "partialTime": (["10", "10:30", "10:30:15"], ["25", "10:61", "1030"]),
    "partialDatetime": (["2026-01-01T10", "2026-01"], ["2026-01T10:00", "T10:00"]),
    "incompleteDate": (["2026----", "--12-01", "2026-01-02"], ["2026", "x-01-01"]),
    "incompleteTime": (["10:-:-", "10:30:15"], ["10", "10-30"]),
    "incompleteDatetime": (["2026-01--T-:30:-"], ["2026", "2026-01-01T"]),
    "durationDatetime": (["P1Y2M", "PT1H", "-P1D"], ["P", "1Y", "P1X!"]),
    "text": (["", " a ", "日本語"], []),
    "string": (["x"], []),
    "hexBinary": (["0aFF", ""], ["0", "xyz"]),
    "hexFloat": (["40490fdb"], ["4"]),
    "base64Binary": (["QUJD", ""], ["QUJ", "*"]),
    "base64Float": (["QEkP2w=="], ["a"]),
    "URI": (["urn:a:b", "https://example.org/x?y#z"], ["no colon", "a b:c"]),
    "intervalDatetime": (["2026-01-01/2026-02-01"], []),
}  # fmt: skip


def item_def(oid: str, data_type: str, more: str = "", attributes: str = "") -> str:
    return f'<ItemDef OID="{oid}" Name="{oid}" DataType="{data_type}"{attributes}>{more}</ItemDef>'


def hard(comparator: str, *values: str, how: str = "Hard") -> str:
    checks = "".join(f"<CheckValue>{value}</CheckValue>" for value in values)
    return f'<RangeCheck Comparator="{comparator}" SoftHard="{how}">{checks}</RangeCheck>'


UNITS = '<MeasurementUnitRef MeasurementUnitOID="U.KG"/>'
OWN = {
    "AGE": item_def("AGE", "integer", hard("GE", "0") + hard("LE", "120", how="Soft"), ' Length="3"'),
    "TEMP": item_def("TEMP", "float", hard("LT", "45"), ' Length="4" SignificantDigits="1"'),
    "SEX": item_def("SEX", "text", '<CodeListRef CodeListOID="CL.SEX"/>', ' Length="1"'),
    "COUNTRY": item_def("COUNTRY", "text", '<CodeListRef CodeListOID="CL.MANY"/>'),
    "TERM": item_def("TERM", "text", '<CodeListRef CodeListOID="CL.OUT"/>', ' Length="5"'),
    "ONE": item_def("ONE", "float", UNITS),
    "TWO": item_def(
        "TWO",
        "float",
        UNITS + UNITS.replace("KG", "G") + hard("LT", "10").replace("</RangeCheck>", UNITS + "</RangeCheck>"),
    ),
    "IN": item_def("IN", "text", hard("IN", "a", "b")),
    "NOTIN": item_def("NOTIN", "text", hard("NOTIN", "a", "b")),
    "WHEN": item_def("WHEN", "date", hard("GT", "2020-01-01") + hard("NE", "2021-01-01")),
    "MUST": item_def("MUST", "text"),
}
MANY = [f"C{number:02}" for number in range(15)]


def design() -> bytes:
    items = {**OWN, **{f"T.{name}": item_def(f"T.{name}", name) for name in TYPES}}
    any_order = "".join(f'<ItemRef ItemOID="{oid}" Mandatory="No"/>' for oid in items if oid != "MUST")
    must = '<ItemRef ItemOID="MUST" Mandatory="Yes"/><ItemRef ItemOID="SEX" Mandatory="No"/>'
    many = "".join(f'<EnumeratedItem CodedValue="{code}"/>' for code in MANY)
    units = "".join(
        f'<MeasurementUnit OID="U.{name}" Name="{name}"><Symbol><TranslatedText>{name}</TranslatedText></Symbol>'
        "</MeasurementUnit>"
        for name in ("KG", "G")
    )
    return f"""<ODM xmlns="{NS}" FileType="Snapshot" FileOID="D" ODMVersion="1.3.2"
 CreationDateTime="2026-01-01T00:00:00Z">
<Study OID="{STUDY}"><GlobalVariables><StudyName>Bad</StudyName><StudyDescription/><ProtocolName>B</ProtocolName>
</GlobalVariables><BasicDefinitions>{units}</BasicDefinitions><MetaDataVersion OID="M" Name="M">
<StudyEventDef OID="E" Name="E" Repeating="No" Type="Common"><FormRef FormOID="F" Mandatory="No"/></StudyEventDef>
<StudyEventDef OID="V" Name="V" Repeating="Yes" Type="Scheduled"><FormRef FormOID="F" Mandatory="No"/></StudyEventDef>
<StudyEventDef OID="X" Name="X" Repeating="No" Type="Common"><FormRef FormOID="F2" Mandatory="No"/></StudyEventDef>
<FormDef OID="F" Name="F" Repeating="No"><ItemGroupRef ItemGroupOID="G" Mandatory="No"/>
<ItemGroupRef ItemGroupOID="R" Mandatory="No"/></FormDef>
<FormDef OID="F2" Name="F2" Repeating="Yes"><ItemGroupRef ItemGroupOID="MG" Mandatory="No"/></FormDef>
<ItemGroupDef OID="G" Name="G" Repeating="No">{any_order}</ItemGroupDef>
<ItemGroupDef OID="R" Name="R" Repeating="Yes">{any_order}</ItemGroupDef>
<ItemGroupDef OID="MG" Name="MG" Repeating="No">{must}</ItemGroupDef>{"".join(items.values())}
<CodeList OID="CL.SEX" Name="S" DataType="text"><CodeListItem CodedValue="M"><Decode>
<TranslatedText>Male</TranslatedText></Decode></CodeListItem><CodeListItem CodedValue="F"><Decode>
<TranslatedText>Female</TranslatedText></Decode></CodeListItem></CodeList>
<CodeList OID="CL.MANY" Name="C" DataType="text">{many}</CodeList>
<CodeList OID="CL.OUT" Name="O" DataType="text"><ExternalCodeList Dictionary="MedDRA"/></CodeList>
</MetaDataVersion></Study></ODM>""".encode()


def item(oid: str, value: str | None = None, more: str = "", **attributes: str) -> str:
    said = "" if value is None else f' Value="{value}"'
    named = "".join(f' {name}="{text}"' for name, text in attributes.items())
    return f'<ItemData ItemOID="{oid}"{said}{named}>{more}</ItemData>'


def group(*items: str, oid: str = "G", key: str | None = None, **attributes: str) -> str:
    named = "".join(f' {name}="{text}"' for name, text in attributes.items())
    repeat = "" if key is None else f' ItemGroupRepeatKey="{key}"'
    return f'<ItemGroupData ItemGroupOID="{oid}"{repeat}{named}>{"".join(items)}</ItemGroupData>'


def event(*groups: str, oid: str = "E", form: str = "F", key: str | None = None, form_attributes: str = "") -> str:
    repeat = "" if key is None else f' StudyEventRepeatKey="{key}"'
    inner = f'<FormData FormOID="{form}"{form_attributes}>{"".join(groups)}</FormData>'
    return f'<StudyEventData StudyEventOID="{oid}"{repeat}>{inner}</StudyEventData>'


def subject(*events: str, key: str = "one", attributes: str = "") -> str:
    return f'<SubjectData SubjectKey="{key}"{attributes}>{"".join(events)}</SubjectData>'


def file(*subjects: str, study: str = STUDY, version: str = "M", head: str = '<?xml version="1.0"?>') -> bytes:
    return (
        f'{head}<ODM xmlns="{NS}" FileType="Snapshot" FileOID="F" CreationDateTime="2026-01-01T00:00:00Z" '
        f'ODMVersion="1.3.2"><ClinicalData StudyOID="{study}" MetaDataVersionOID="{version}">{"".join(subjects)}'
        "</ClinicalData></ODM>"
    ).encode()


def must(value: str, key: str) -> bytes:
    """A file of the item group that has a mandatory item, in a repeat of its form."""
    form = f' FormRepeatKey="{key}"'
    return file(subject(event(group(value, oid="MG"), oid="X", form="F2", form_attributes=form)))


def twice(one: str) -> bytes:
    """A file with the same event twice."""
    return file(subject(one, one))


def of(*items: str, **attributes: str) -> bytes:
    """A file of one item group of the first subject, which has none yet."""
    return file(subject(event(group(*items, **attributes))))


def audit(reason: str) -> str:
    return (
        '<AuditRecord><UserRef UserOID="U.THEIRS"/><LocationRef LocationOID="L"/>'
        f"<DateTimeStamp>1999-01-01T00:00:00Z</DateTimeStamp><ReasonForChange>{reason}</ReasonForChange></AuditRecord>"
    )


def twin(value: object, oid: str = "T.text") -> bytes:
    groups = [{"itemGroupOID": "G", "itemData": [{"itemOID": oid, "value": value}]}]
    events = [{"studyEventOID": "E", "formData": [{"formOID": "F", "itemGroupData": groups}]}]
    clinical = [
        {"studyOID": STUDY, "metaDataVersionOID": "M", "subjectData": [{"subjectKey": "one", "studyEventData": events}]}
    ]
    return json.dumps({"fileOID": "F", "clinicalData": clinical}).encode()


INSERT = ' TransactionType="Insert"'
STORED = {"AGE": "40", "SEX": "M"}
"""What the subject `old` has in E/F/G."""


def old(*items: str, more: str = "", **attributes: str) -> bytes:
    """A file of the item group that `old` has already."""
    return file(subject(event(group(more, *items, **attributes)), key="old"))


@pytest.fixture(scope="module")
def bad(new_api, tmp_path_factory):
    """A running API with a study of every data type, an empty subject, one with data, and one that is withdrawn."""
    api, folder = new_api(), tmp_path_factory.mktemp("bad")
    (folder / "design.xml").write_bytes(design())
    api.run("load", folder / "design.xml")
    (folder / "draft.xml").write_bytes(design().replace(b'OID="M"', b'OID="DRAFT"'))
    api.run("load", folder / "draft.xml", "--draft")
    api.serve()
    for key in ("one", "old", "gone"):
        made = api.register(STUDY, key)
        if key == "gone":
            tag = {"if-match": made.headers["etag"]}
            path = f"{PATH}/subjects/{made.document['subject_id']}"
            assert api.request("PATCH", path, {"status": "withdrawn", "reason": "asked"}, tag).status == 200
    assert api.post_odm(STUDY, old(*(item(oid, value) for oid, value in STORED.items()))).status == 200
    return api


REFUSED: dict[str, list[tuple[bytes, int, str]]] = {
    "not well-formed, wrong root, no ODM namespace, ODMVersion": [
        (b"<ODM>", 400, "not-xml"),
        (b"<html/>", 400, "not-odm"),
        (of().replace(f' xmlns="{NS}"'.encode(), b""), 400, "no-namespace"),
        (of().replace(b'ODMVersion="1.3.2"', b'ODMVersion="1.2"'), 400, "odm-version"),
    ],
    "any DOCTYPE or entity": [
        (file(head="<!DOCTYPE ODM>"), 400, "doctype"),
        (file(head='<!DOCTYPE ODM [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), 400, "doctype"),
    ],
    "undeclared bad bytes": [(of(item("T.text", "\xe9")).decode().encode("latin-1"), 400, "not-xml")],
    "too deep": [(file("<a>" * 80 + "</a>" * 80), 413, "too-deep")],
    "unknown or misplaced OID": [
        (file(version="M9"), 422, "unknown-oid"),
        (file(subject(event(group(), oid="E9"))), 422, "unknown-oid"),
        (file(subject(event(group(), form="F9"))), 422, "unknown-oid"),
        (of(oid="G9"), 422, "unknown-oid"),
        (of(item("I9", "1")), 422, "unknown-oid"),
        (file(subject(event(group(), form="F2"))), 422, "misplaced-oid"),
        (of(oid="MG"), 422, "misplaced-oid"),
        (of(item("MUST", "x")), 422, "misplaced-oid"),
    ],
    "study in the body differs from the path": [(file(study="OTHER"), 422, "other-study")],
    "repeat key on what does not repeat": [
        (file(subject(event(group(), key="1"))), 422, "repeat-key"),
        (file(subject(event(group(), form_attributes=' FormRepeatKey="1"'))), 422, "repeat-key"),
        (of(key="1"), 422, "repeat-key"),
    ],
    "repeat key missing twice": [
        (twice(event(group(item("AGE", "1")), oid="V")), 422, "duplicate"),
        (file(subject(event(group(item("AGE", "1"), oid="R"), group(item("AGE", "2"), oid="R")))), 422, "duplicate"),
    ],
    "Length, SignificantDigits exceeded": [
        (of(item("AGE", "0100")), 422, "too-long"),
        (of(item("TEMP", "36.55")), 422, "too-precise"),
        (of(item("TEMP", "1000.1")), 422, "too-long"),
        (of(item("TERM", "aaaaaa")), 422, "too-long"),
    ],
    "not in the code list: a decode, another case": [
        (of(item("SEX", "X")), 422, "code-list"),
        (of(item("SEX", "m")), 422, "code-list"),
        (of(item("COUNTRY", "C99")), 422, "code-list"),
    ],
    "RangeCheck Hard": [
        (of(item("AGE", "-1")), 422, "range"),
        (of(item("TEMP", "45.0")), 422, "range"),
        (of(item("IN", "c")), 422, "range"),
        (of(item("NOTIN", "a")), 422, "range"),
        (of(item("WHEN", "2019-12-31")), 422, "range"),
        (of(item("WHEN", "2021-01-01")), 422, "range"),
    ],
    "unit": [
        (of(item("ONE", "1", '<MeasurementUnitRef MeasurementUnitOID="U.G"/>')), 422, "unit"),
        (of(item("AGE", "1", UNITS)), 422, "unit"),
        (of(item("TWO", "1")), 422, "unit"),
        (of(item("TWO", "11", UNITS)), 422, "range"),
    ],
    "Mandatory item missing": [(must(item("SEX", "M"), "1"), 422, "mandatory")],
    "IsNull with a value; both missing": [
        (of(item("AGE", "1", IsNull="Yes")), 422, "value-or-null"),
        (of(item("AGE")), 422, "value-or-null"),
    ],
    "same item or group twice": [
        (of(item("AGE", "1"), item("AGE", "1")), 422, "duplicate"),
        (twice(event(group(item("AGE", "1"), oid="R", key="1"))), 422, "duplicate"),
        (file(subject(), subject()), 422, "duplicate"),
    ],
    "characters XML cannot carry, by JSON": [
        (twin("\0"), 422, "bad-character"),
        (twin("a\x0bb"), 422, "bad-character"),
        (twin("\ufffe"), 422, "bad-character"),
        (twin("\ud800"), 422, "bad-character"),
    ],
    "duplicate JSON keys, NaN": [
        (twin("x").replace(b'"value": "x"', b'"value": "x", "value": "y"'), 400, "not-json"),
        (twin("x").replace(b'"x"', b"NaN"), 400, "not-json"),
        (twin(39.0), 422, "bad-member"),
    ],
    "subject exists": [
        (file(subject(key="old", attributes=INSERT)), 409, "subject-exists"),
        (file(subject(key="OLD", attributes=INSERT)), 409, "subject-exists"),
        (file(subject(key=" old", attributes=INSERT)), 422, "bad-subject-key"),
    ],
    "subject unknown": [(file(subject(event(group(item("AGE", "1"))), key="nobody")), 422, "unknown-subject")],
    "subject withdrawn, metadata not live": [
        (file(subject(event(group(item("AGE", "1"))), key="gone")), 409, "not-open"),
        (file(version="DRAFT"), 409, "not-open"),
    ],
    "Insert on present data; Update, Remove on absent": [
        (old(item("AGE", "40"), TransactionType="Insert"), 409, "already-there"),
        (old(item("AGE", "40", TransactionType="Insert")), 409, "already-there"),
        (of(item("AGE", "40"), TransactionType="Update"), 422, "not-there"),
        (of(TransactionType="Remove"), 422, "not-there"),
        (old(item("TEMP", "36.6", TransactionType="Update")), 422, "not-there"),
        (old(item("TEMP", TransactionType="Remove")), 422, "not-there"),
        (of(item("AGE", "40"), TransactionType="Delete"), 400, "bad-transaction"),
    ],
    "change or removal without a reason; a blank one": [
        (old(item("AGE", "41")), 422, "reason-required"),
        (old(item("AGE", "41"), more=audit(" ")), 422, "reason-required"),
        (old(TransactionType="Remove"), 422, "reason-required"),
        (old(item("AGE", TransactionType="Remove")), 422, "reason-required"),
        (old(item("AGE", IsNull="Yes")), 422, "reason-required"),
    ],
    "a removal that names no item group": [
        (file(subject(key="old", attributes=' TransactionType="Remove"')), 422, "removal-unnamed"),
        (file(subject(event(form_attributes=' TransactionType="Remove"'), key="old")), 422, "removal-unnamed"),
    ],
}  # fmt: skip


def kind(body: bytes) -> dict[str, str]:
    return {"content-type": "application/json"} if body.startswith(b"{") else {}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_refused_names_its_place_and_stores_nothing(bad, row: str):
    token = bad.token()
    before = bad.get(PATH, token=token).document["high_water"]
    for body, status, code in REFUSED[row]:
        answer = bad.post_odm(STUDY, body, headers=kind(body), token=token)
        assert (answer.status, answer.document["code"]) == (status, code), (body[-400:], answer.body)
        if "errors" in answer.document:
            first = answer.document["errors"][0]
            assert {"code", "pointer", "message"} <= set(first)
    assert bad.get(PATH, token=token).document["high_water"] == before


def test_every_wrong_value_of_every_type_is_told_with_its_item(bad):
    """Table: type. All of them in one file, and none of the right ones."""
    assert set(TYPES) == set(DATA_TYPES)
    groups, wrong = [], []
    for name, (right, bad_values) in TYPES.items():
        for place, value in enumerate(right + bad_values):
            groups.append(group(item(f"T.{name}", value), oid="R", key=f"{name}.{place}"))
            wrong += [f"T.{name}"] if value in bad_values else []
    answer = bad.post_odm(STUDY, file(subject(event(*groups))))
    assert answer.status == 422
    assert [one["oid"] for one in answer.document["errors"]] == wrong
    assert set(answer.codes) == {"bad-type"}
    assert all(
        one["message"] == f"the value is no {one['oid'].removeprefix('T.')}" for one in answer.document["errors"]
    )


def test_right_values_are_kept_as_they_were_sent(bad):
    """Table: type; Length: `39.0` stays `39.0`."""
    sent = {
        (f"T.{name}", f"{name}.{place}"): value
        for name, (right, _) in TYPES.items()
        for place, value in enumerate(right)
    }
    groups = (group(item(oid, value), oid="R", key=key) for (oid, key), value in sent.items())
    answer = bad.post_odm(STUDY, file(subject(event(*groups), key="types", attributes=INSERT)))
    assert (answer.status, answer.document["stored"]) == (200, len(sent)), answer.body
    back = bad.get(f"{PATH}/clinical-data", headers={"accept": "application/json"}).document
    (own,) = [one for one in back["clinicalData"][0]["subjectData"] if one["subjectKey"] == "types"]
    groups = own["studyEventData"][0]["formData"][0]["itemGroupData"]
    assert {
        (one["itemData"][0]["itemOID"], one["itemGroupRepeatKey"]): one["itemData"][0]["value"] for one in groups
    } == sent


def test_ten_codes_are_shown_and_no_value(bad):
    """Table: code list."""
    answer = bad.post_odm(STUDY, of(item("COUNTRY", "a secret")))
    (error,) = answer.document["errors"]
    assert error["message"].endswith(", ".join(MANY[:10]) + " …")
    assert b"a secret" not in answer.body
    assert "a secret" not in bad.log


TAKEN: dict[str, tuple[bytes, int, list[str]]] = {
    "an external code list": (of(item("TERM", "any")), 1, []),
    "the one unit, said or not": (of(item("ONE", "1.50")), 1, []),
    "two units, one of them said": (of(item("TWO", "1", UNITS)), 1, []),
    "out of another unit's range": (of(item("TWO", "11", UNITS.replace("KG", "G"))), 1, []),
    "RangeCheck Soft": (of(item("AGE", "130")), 1, ["range"]),
    "a missing repeat key": (file(subject(event(group(item("AGE", "1")), oid="V"))), 1, ["no-repeat-key"]),
    "Context": (of(item("AGE", "99"), TransactionType="Context"), 0, []),
    "an item in Context": (of(item("AGE", "99", TransactionType="Context"), item("TEMP", "36.6")), 1, []),
    "vendor attributes": (
        of(item("AGE", "1")).replace(b"<ODM ", b'<ODM xmlns:v="urn:v" ').replace(b"<FormData", b'<FormData v:b="2"'), 1,
        ["vendor-extension"],
    ),
    "out of the schema's order": (file(subject(event(group(item("AGE", "1"))), audit("x"))), 1, []),
    "the same value again": (old(item("AGE", "40")), 0, []),
    "a null": (of(item("AGE", IsNull="Yes")), 1, []),
    "a mandatory item that is null": (must(item("MUST", IsNull="Yes"), "9"), 1, []),
    "by JSON": (twin("x"), 1, []),
}  # fmt: skip


@pytest.mark.parametrize("row", TAKEN)
def test_what_is_taken_is_told_of_where_it_is_odd(bad, row: str):
    body, stored, warnings = TAKEN[row]
    answer = bad.post_odm(STUDY, body, query="?dry_run=true", headers=kind(body))
    assert answer.status == 200, answer.body
    assert (answer.document["batch"], answer.document["stored"]) == (None, stored)
    assert [one["code"] for one in answer.document["warnings"]] == warnings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_a_declared_encoding_is_read_with_what_it_holds(bad, encoding: str):
    """Table: encodings. A value that is other bytes in each of them comes back as the same text."""
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    key, value = f"in {encoding}", "Größe é"
    body = file(subject(event(group(item("T.text", value))), key=key, attributes=INSERT), head=head)
    assert bad.post_odm(STUDY, body.decode().encode(encoding)).status == 200
    back = bad.get(f"{PATH}/clinical-data").body.decode()
    (own,) = re.findall(f'<SubjectData SubjectKey="{key}">.*?</SubjectData>', back, re.DOTALL)
    assert f'Value="{value}"' in own


def test_undeclared_bytes_are_told_with_their_place(bad):
    """Table: 400 with the offset."""
    answer = bad.post_odm(STUDY, REFUSED["undeclared bad bytes"][0][0])
    assert re.search(r"column \d+", answer.document["detail"])
    assert answer.document["errors"][0]["line"] == 1


def test_their_audit_records_are_evidence_and_never_ours(bad):
    """Table: AuditRecords in an incoming file."""
    body = file(subject(event(group(audit("theirs"), item("AGE", "7"))), key="evidence", attributes=INSERT))
    assert bad.post_odm(STUDY, body).status == 200
    trail = bad.get(f"{PATH}/audit?limit=1000").body
    assert b"U.THEIRS" not in trail
    assert b"1999" not in trail


def test_an_items_own_reason_and_removal_hold_for_it(bad):
    """Table: removal, reasons; what the item says goes before what its group says."""
    key = "own"
    both = (item("AGE", "1"), item("TEMP", "36.0"), item("SEX", "F"))
    assert bad.post_odm(STUDY, file(subject(event(group(*both)), key=key, attributes=INSERT))).status == 200
    changed = (
        item("AGE", "2", audit("its own")), item("TEMP", None, audit("wrong subject"), TransactionType="Remove"),
        item("SEX", "F"),
    )  # fmt: skip
    answer = bad.post_odm(STUDY, file(subject(event(group(audit("the group's"), *changed)), key=key)))
    assert (answer.status, answer.document["stored"], answer.document["unchanged"]) == (200, 2, 1), answer.body
    trail = bad.get(f"{PATH}/audit?limit=1000").document["items"][-2:]
    assert [(one["action"], one["reason"], one["place"]["item"]) for one in trail] == [
        ("update", "its own", "AGE"), ("remove", "wrong subject", "TEMP"),
    ]  # fmt: skip


def test_the_same_unit_said_or_not_is_the_same_value(bad):
    """Table: one allowed unit is implied."""
    first = bad.post_odm(STUDY, file(subject(event(group(item("ONE", "1.50"))), key="unit", attributes=INSERT)))
    assert first.document["stored"] == 1
    again = bad.post_odm(STUDY, file(subject(event(group(item("ONE", "1.50", UNITS))), key="unit")))
    assert (again.document["stored"], again.document["unchanged"]) == (0, 1)


def test_strictly_a_file_is_as_the_schema_wants_it(bad):
    """Table: element order; `?strict=true`."""
    mixed = file(
        subject(event(group(item("AGE", "1"))), audit("x")),
        subject(event(group(item("AGE", "40"), '<Unknown xmlns="urn:v"/>')), key="old"),
    ).replace(b"<FormData ", b'<FormData Mistyped="1" ', 1)
    assert bad.post_odm(STUDY, mixed, query="?dry_run=true").status == 200
    strictly = bad.post_odm(STUDY, mixed, query="?dry_run=true&strict=true")
    assert strictly.status == 422
    assert sorted(strictly.codes) == ["not-in-schema", "not-in-schema", "out-of-order"]
    plain = file(subject(event(group(item("AGE", "1")))))
    assert bad.post_odm(STUDY, plain, query="?dry_run=true&strict=true").status == 200


def test_a_subject_that_anything_speaks_against_may_be_left_out(bad):
    """Table: `?on_error=skip`: sent = stored + unchanged + refused."""
    body = file(
        subject(event(group(item("AGE", "1"), item("TEMP", "36.6"))), key="good", attributes=INSERT),
        subject(event(group(item("AGE", "-1"), item("TEMP", "99"), item("SEX", "F"))), key="one"),
        subject(event(group(item("AGE", "40"))), key="old"),
        subject(event(group(item("AGE", "1"))), key="nobody"),
        subject(event(group(item("AGE", "1"))), key="twice", attributes=INSERT),
        subject(event(group(item("AGE", "1"))), key="twice", attributes=INSERT),
    )
    whole = bad.post_odm(STUDY, body)
    assert (whole.status, whole.document["total"]) == (422, 5)
    seq = bad.get(PATH).document["high_water"]
    looked = bad.post_odm(STUDY, body, query="?on_error=skip&dry_run=true").document
    assert bad.get(PATH).document["high_water"] == seq
    skipped = bad.post_odm(STUDY, body, query="?on_error=skip")
    assert skipped.status == 200, skipped.body
    receipt = skipped.document
    assert {**receipt, "batch": None} == looked
    assert (receipt["stored"], receipt["unchanged"], receipt["refused"]) == (2, 1, 6)
    assert (receipt["subjects_registered"], receipt["subjects_refused"], receipt["errors_total"]) == (1, 4, 5)
    assert sorted(one["code"] for one in receipt["errors"]) == [
        "duplicate", "range", "range", "subject-exists", "unknown-subject",
    ]  # fmt: skip
    back = bad.get(f"{PATH}/clinical-data").body
    assert b'SubjectKey="good"' in back
    assert b'SubjectKey="twice"' not in back
    assert bad.post_odm(STUDY, body, query="?on_error=skip").headers["idempotent-replay"] == "true"


@pytest.mark.parametrize("query", ["?on_error=ignore", "?strict=1", "?dry_run=yes"])
def test_a_word_that_is_none_is_refused(bad, query: str):
    assert bad.post_odm(STUDY, of(), query=query).document["code"] == "bad-query"


def test_openedcs_file_is_taken_and_strictly_has_ninety_mistakes(bad, test_data):
    """90 AuditRecords behind StudyEventData; 80 repeating events, each the only one of its kind without a key."""
    folder = test_data / "odm132"
    bad.run("load", folder / "openedc-metadata.xml")
    sent = (
        (folder / "openedc-clinicaldata.xml")
        .read_bytes()
        .replace(b"<SubjectData ", b'<SubjectData TransactionType="Insert" ')
    )
    strictly = bad.post_odm("S.1", sent, query="?strict=true&dry_run=true")
    assert (strictly.status, strictly.document["total"]) == (422, 90)
    assert set(strictly.codes) == {"out-of-order"}
    taken = bad.post_odm("S.1", sent)
    assert (taken.status, taken.document["stored"], taken.document["subjects_registered"]) == (200, 1684, 90)
    assert {one["code"] for one in taken.document["warnings"]} == {"no-repeat-key"}
    back = bad.get("/v1/studies/S.1/clinical-data").body
    assert b"RepeatKey" not in back

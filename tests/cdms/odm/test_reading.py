"""keyfob.cdms.odm.reading and writing: any bytes are read or refused, and what is written is read back."""

import contextlib
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from keyfob.cdms.odm import checking, reading, writing
from keyfob.cdms.odm.model import GroupData, ItemValue, OdmError, SubjectData
from keyfob.cdms.odm.writing import Head

NS = "http://www.cdisc.org/ns/odm/v1.3"
HEAD = f'<ODM xmlns="{NS}" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2" CreationDateTime="2026-01-01T00:00:00Z">'


def demo(name: str) -> bytes:
    return resources.files("keyfob.cdms.demo_study").joinpath(f"{name}.xml").read_bytes()


@given(st.binary(max_size=300) | st.text("<>/ODMa=\"' !&;", max_size=80).map(lambda text: (HEAD + text).encode()))
def test_any_bytes_are_read_or_refused(body: bytes):
    with contextlib.suppress(OdmError):
        reading.read(body)


@given(st.integers(0, 5000), st.binary(min_size=1, max_size=4))
def test_a_damaged_design_is_read_or_refused(place: int, damage: bytes):
    whole = demo("design")
    with contextlib.suppress(OdmError):
        reading.read(whole[:place] + damage + whole[place + len(damage) :])


KEYS = st.none() | st.from_regex(r"[1-9][0-9]{0,3}|[a-z]{1,4}", fullmatch=True)
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)
OIDS = st.sampled_from(["A", "B.1", "C_%", "D/10³"])
VALUES = st.none() | TEXT | st.sampled_from(["a\nb", "\t", "\r\n", "\"<&>'", "]]>"])
ITEMS = st.lists(st.builds(ItemValue, OIDS, VALUES, st.none() | OIDS), min_size=1, max_size=3).map(tuple)
GROUPS = st.builds(GroupData, OIDS, KEYS, OIDS, KEYS, OIDS, KEYS, st.none(), ITEMS)
SUBJECTS = st.builds(SubjectData, TEXT, st.none() | OIDS, st.none(), st.lists(GROUPS, max_size=3).map(tuple))


@settings(max_examples=60)
@given(st.lists(SUBJECTS, max_size=3))
def test_what_is_written_is_read_back(subjects: list[SubjectData]):
    body = b"".join(writing.write_clinical(Head("S/1", 'M"1', "f&", 1_000_000), subjects))
    file = reading.read(body)
    assert file.file_oid == "f&"
    assert (file.clinical[0].study_oid, file.clinical[0].version_oid) == ("S/1", 'M"1')
    assert file.clinical[0].subjects == tuple(subjects)


def test_the_demonstrations_study_is_whole():
    design = reading.read(demo("design"))
    data = reading.read(demo("data"))
    assert design.warnings == data.warnings == ()
    found = checking.check_clinical(design.designs[0], data.clinical[0])
    assert found.errors == found.warnings == []
    assert [site.oid for _, site in design.sites] == ["701", "702"]
    assert design.designs[0].items["I.BRTHDAT"].identifying


def test_a_place_is_named_by_what_leads_to_it():
    data = reading.read(demo("data")).clinical[0]
    group = data.subjects[1].groups[2]
    assert group.where == "/ODM/ClinicalData[1]/SubjectData[2]/StudyEventData[2]/FormData[2]/ItemGroupData[1]"
    assert group.items[1].where == group.where + "/ItemData[2]"
    assert data.subjects[1].line > 0


REFUSED = {
    "billion laughs": (
        b'<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>' + (HEAD + "&c;</ODM>").encode(), "doctype",
    ),
    "an external entity": (
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + (HEAD + "&b;</ODM>").encode(), "doctype",
    ),
    "a parameter entity": (b'<!DOCTYPE a SYSTEM "http://localhost/x">' + (HEAD + "</ODM>").encode(), "doctype"),
    "too deep": ((HEAD + "<a>" * 80 + "</a>" * 80 + "</ODM>").encode(), "too-deep"),
    "a study called *": (demo("design").replace(b'"KF.DEMO"', b'"*"'), "bad-study-oid"),
    "an OID twice": (demo("design").replace(b'ItemDef OID="I.SEX"', b'ItemDef OID="I.PAIN"'), "duplicate-oid"),
    "a reference to nothing": (demo("design").replace(b'FormDef OID="F.AE"', b'FormDef OID="F.XX"'), "unknown-oid"),
    "a code list that is not there": (demo("design").replace(b'List OID="CL.YN"', b'List OID="C"'), "unknown-oid"),
    "a unit that is not there": (demo("design").replace(b'Unit OID="U.KG"', b'Unit OID="U.Z"'), "unknown-oid"),
    "a length that is none": (demo("design").replace(b'Length="200"', b'Length="many"'), "bad-attribute"),
    "a comparator that is none": (demo("design").replace(b'Comparator="GE"', b'Comparator="MORE"'), "bad-comparator"),
    "no FileOID": (demo("data").replace(b'FileOID="KF.DEMO.DATA"', b""), "missing-attribute"),
    "an endless key": (demo("data").replace(b'="701-001"', b'="' + b"1" * 300 + b'"'), "bad-attribute"),
    "IsNull no": (demo("data").replace(b'Value="F"', b'IsNull="No"', 1), None),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_document_that_means_harm_or_nothing_is_refused(name: str):
    body, code = REFUSED[name]
    if code is None:
        # Neither value nor null: read, and found by the check.
        file = reading.read(body)
        found = checking.check_clinical(reading.read(demo("design")).designs[0], file.clinical[0])
        assert [one.code for one in found.errors] == ["value-or-null"]
        return
    with pytest.raises(OdmError) as refused:
        reading.read(body)
    assert refused.value.code == code


def test_too_many_items_are_refused(monkeypatch):
    monkeypatch.setattr(reading, "MAX_ITEMS", 80)
    with pytest.raises(OdmError) as refused:
        reading.read(demo("data"))
    assert (refused.value.code, refused.value.status) == ("too-many-items", 413)


def test_typed_items_are_read_like_the_untyped():
    body = HEAD + (
        '<ClinicalData StudyOID="S" MetaDataVersionOID="M"><SubjectData SubjectKey="1">'
        '<StudyEventData StudyEventOID="E">'
        '<FormData FormOID="F"><ItemGroupData ItemGroupOID="G"><ItemDataInteger ItemOID="I">5</ItemDataInteger>'
        '<ItemDataString ItemOID="J" IsNull="Yes"/></ItemGroupData></FormData></StudyEventData></SubjectData>'
        "</ClinicalData></ODM>"
    )
    items = reading.read(body.encode()).clinical[0].subjects[0].groups[0].items
    assert [(item.oid, item.value, item.contradicts) for item in items] == [("I", "5", False), ("J", None, False)]


def test_vendor_extensions_are_told_once_and_ignored():
    body = (
        demo("data").replace(b"<ODM ", b'<ODM xmlns:v="urn:vendor" v:a="1" ').replace(b"<SiteRef", b'<SiteRef v:b="2"')
    )
    file = reading.read(body)
    assert [one.code for one in file.warnings] == ["vendor-extension"]
    assert file.clinical == reading.read(demo("data")).clinical


def test_several_units_demand_one():
    design = reading.read(demo("design")).designs[0]
    weight = replace(design.items["I.WEIGHT"], units=("U.KG", "U.CM"))
    found = checking.Findings()
    checking.check_item(design, weight, ItemValue("I.WEIGHT", "70.0"), found)
    assert [one.code for one in found.errors] == ["unit"]


@pytest.mark.parametrize(
    ("name", "designs", "subjects"),
    [("MetaData_Dave_1_3_2.xml", 1, 0), ("rave-clinical-audit-records.xml", 0, 1113), ("rave-double-byte.xml", 0, 1)],
)
def test_public_files_are_read(test_data: Path, name: str, designs: int, subjects: int):
    file = reading.read((test_data / "odm132" / name).read_bytes())
    assert (len(file.designs), sum(len(one.subjects) for one in file.clinical)) == (designs, subjects)


def test_raves_audit_records_are_read_with_their_reasons_and_removals(test_data: Path):
    """1,113 records of 92 subjects; of the reasons those that are of values, of the removals those that name none."""
    file = reading.read((test_data / "odm132" / "rave-clinical-audit-records.xml").read_bytes())
    subjects = [subject for clinical in file.clinical for subject in clinical.subjects]
    items = [item for subject in subjects for group in subject.groups for item in group.items]
    assert len({subject.key for subject in subjects}) == 92
    assert Counter(item.transaction for item in items) == {"Upsert": 685, "Remove": 55}
    assert sum(item.reason is not None for item in items) == 28
    assert [one.code for subject in subjects for one in subject.found] == ["removal-unnamed"] * 11


@pytest.mark.parametrize("name", ["odmlib-cdash-metadata.xml", "odmlib-cdash-metadata-invalid.xml"])
def test_a_design_that_refers_to_code_lists_that_it_lacks_is_refused_by_name(test_data: Path, name: str):
    with pytest.raises(OdmError) as refused:
        reading.read((test_data / "odm132" / name).read_bytes())
    assert "ODM.IT.DM.SEX refers to the code list CL.SEX, which is not defined" in refused.value.message


def test_the_demonstrations_files_are_valid(test_data: Path):
    schema = etree.XMLSchema(etree.parse(test_data / "schemas" / "odm-1.3.2" / "ODM1-3-2.xsd"))
    for name in ("design", "data"):
        assert schema.validate(etree.fromstring(demo(name))), schema.error_log

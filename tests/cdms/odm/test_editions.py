"""ODM 1.3.2, ODM 2.0 and the JSON twin: what is written in any of them is read back, and valid by the schemas."""

import contextlib
import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from keyfob.cdms.odm import checking, json_reading, json_writing, reading, strict, writing, writing2
from keyfob.cdms.odm.model import Edition, GroupData, ItemValue, OdmError, OdmFile, SubjectData
from keyfob.cdms.odm.writing import Head

HEAD = Head("S/1", 'M"1', "f&", 1_000_000)
V2 = "http://www.cdisc.org/ns/odm/v2.0"
FORMS = {
    "1.3.2": (writing.write_clinical, reading.read),
    "2.0": (writing2.write_clinical, reading.read),
    "json": (json_writing.write_clinical, json_reading.read),
}

KEYS = st.none() | st.from_regex(r"[1-9][0-9]{0,3}|[a-z]{1,4}", fullmatch=True)
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)
OIDS = st.sampled_from(["A", "B.1", "C_%", "D/10³"])
VALUES = st.none() | TEXT | st.sampled_from(["", " ", "a\nb", "\t", "\r\n", "\"<&>'", "]]>", " 1 "])
ITEMS = st.lists(st.builds(ItemValue, OIDS, VALUES, st.none() | OIDS), min_size=1, max_size=3).map(tuple)
GROUPS = st.builds(GroupData, OIDS, KEYS, OIDS.map("F.{}".format), KEYS, OIDS, KEYS, st.none(), ITEMS)
SUBJECTS = st.builds(
    SubjectData,
    TEXT,
    st.none() | OIDS,
    st.none(),
    st.lists(GROUPS, max_size=3, unique_by=lambda one: one.place).map(tuple),
)


def demo(name: str) -> OdmFile:
    return reading.read(resources.files("keyfob.cdms.demo_study").joinpath(f"{name}.xml").read_bytes())


def schema(test_data: Path, edition: str) -> etree.XMLSchema:
    name = {"1.3.2": "odm-1.3.2/ODM1-3-2.xsd", "2.0": "odm-2.0/ODM.xsd"}[edition]
    return etree.XMLSchema(etree.parse(test_data / "schemas" / name))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40)
@given(st.lists(SUBJECTS, max_size=3))
def test_what_is_written_is_read_back(form: str, subjects: list[SubjectData]):
    write, read = FORMS[form]
    file = read(b"".join(write(HEAD, subjects)))
    assert file.file_oid == "f&"
    (clinical,) = file.clinical
    assert (clinical.study_oid, clinical.version_oid, clinical.subjects) == ("S/1", 'M"1', tuple(subjects))


@pytest.mark.parametrize("edition", ["1.3.2", "2.0"])
def test_what_is_written_is_valid(edition: str, test_data: Path):
    data = demo("data").clinical[0]
    odd = GroupData(
        "SE.VISIT", None, "F.VS", "a\tb", "IG.VS", "1", None,
        (ItemValue("I.TEMP", None, "U.C"), ItemValue("I.SYSBP", None), ItemValue("I.DIABP", "\r<&>\n")),
    )  # fmt: skip
    subjects = [*data.subjects, SubjectData("odd", None, None, (odd,)), SubjectData("none", None, None, ())]
    document = etree.fromstring(b"".join(FORMS[edition][0](HEAD, subjects)))
    valid = schema(test_data, edition)
    assert valid.validate(document), valid.error_log


NESTED = f"""<ODM xmlns="{V2}" xmlns:v="urn:vendor" FileType="Snapshot" FileOID="F" ODMVersion="2.0.0"
  CreationDateTime="2026-01-01T00:00:00Z">
 <Study OID="S" StudyName="Study" ProtocolName="P"><MetaDataVersion OID="M" Name="M">
  <StudyEventDef OID="E" Name="E" Repeating="No" Type="Scheduled">
   <ItemGroupRef ItemGroupOID="F" Mandatory="Yes"/>
  </StudyEventDef>
  <ItemGroupDef OID="F" Name="F" Repeating="Simple" Type="Form">
   <ItemRef ItemOID="I" Mandatory="No"/><ItemGroupRef ItemGroupOID="OUTER" Mandatory="Yes"/>
  </ItemGroupDef>
  <ItemGroupDef OID="OUTER" Name="O" Repeating="No" Type="Section">
   <ItemGroupRef ItemGroupOID="IN" Mandatory="Yes"/>
  </ItemGroupDef>
  <ItemGroupDef OID="IN" Name="N" Repeating="Dynamic" Type="Concept">
   <ItemRef ItemOID="J" Mandatory="Yes"/>
  </ItemGroupDef>
  <ItemDef OID="I" Name="I" DataType="decimal" Length="4">
   <RangeCheck Comparator="GE" SoftHard="Hard" ItemOID="J"><CheckValue>100</CheckValue></RangeCheck>
   <RangeCheck Comparator="GE" SoftHard="Hard"><CheckValue>2</CheckValue></RangeCheck>
   <Alias Context="odm-1.3.2:SignificantDigits" Name="1"/><Alias Context="keyfob" Name="identifying"/>
  </ItemDef>
  <ItemDef OID="J" Name="J" DataType="float"><Coding Code="U.KG" System="urn:keyfob:measurement-unit"/></ItemDef>
 </MetaDataVersion></Study>
 <ClinicalData StudyOID="S" MetaDataVersionOID="M"><SubjectData SubjectKey="1"><StudyEventData StudyEventOID="E">
  <ItemGroupData ItemGroupOID="F" ItemGroupRepeatKey="7">
   <ItemGroupData ItemGroupOID="OUTER"><v:Source>x</v:Source>
    <ItemGroupData ItemGroupOID="IN" ItemGroupRepeatKey="1"><ItemData ItemOID="J"><Value>1E+5</Value>
     <Annotation SeqNum="1"><Coding Code="U.KG" System="urn:keyfob:measurement-unit"/></Annotation></ItemData>
     <Query OID="Q" Source="System" State="Open" LastUpdateDatetime="2026-01-01T00:00:00Z"><Value>Sure?</Value></Query>
    </ItemGroupData>
   </ItemGroupData>
   <ItemData ItemOID="I"><Value>2.5</Value></ItemData>
  </ItemGroupData>
 </StudyEventData></SubjectData></ClinicalData></ODM>""".encode()


def test_a_form_of_2_0_is_the_outermost_item_group_and_the_group_the_innermost():
    file = reading.read(NESTED)
    (design,), (clinical,) = file.designs, file.clinical
    assert {one.oid: (one.repeating, dict(one.members)) for one in design.forms.values()} == {
        "F": (True, {"F": False, "IN": True})
    }
    assert design.nesting == {("F", "IN"): ("OUTER",)}
    own, inner = clinical.subjects[0].groups
    assert own.place == ("E", None, "F", "7", "F", None)
    assert inner.place == ("E", None, "F", "7", "IN", "1")
    assert inner.items == (ItemValue("J", "1E+5", "U.KG"),)
    assert inner.items[0].where.endswith("/ItemGroupData[1]/ItemGroupData[1]/ItemGroupData[1]/ItemData[1]")
    assert [one.code for one in file.warnings] == ["vendor-extension", "query-ignored"]
    item = design.items["I"]
    assert (item.data_type, item.significant_digits, item.identifying) == ("float", 1, True)
    assert len(item.range_checks) == 1
    assert (design.items["J"].data_type, design.items["J"].units) == ("double", ("U.KG",))
    assert checking.check_clinical(design, clinical).errors == []


def test_what_is_nested_is_written_nested(test_data: Path):
    (clinical,) = reading.read(NESTED).clinical
    document = b"".join(writing2.write_clinical(HEAD, clinical.subjects))
    assert schema(test_data, "2.0").validate(etree.fromstring(document))
    (again,) = reading.read(document).clinical
    assert again.subjects == clinical.subjects
    assert [group.within for group in again.subjects[0].groups] == [(), ("OUTER",)]


OUTER, INNER = b'<ItemGroupData ItemGroupOID="OUTER">', b'<ItemGroupRef ItemGroupOID="IN"'
IN_2_0 = {
    "an item group that repeats and holds others": (
        b'Name="O" Repeating="No"', b'Name="O" Repeating="Simple"', 400, "nested-repeat",
    ),
    "an item group in itself": (INNER, b'<ItemGroupRef ItemGroupOID="OUTER"', 400, "ambiguous-nesting"),
    "an item group that is not there": (INNER, b'<ItemGroupRef ItemGroupOID="X"', 400, "unknown-oid"),
    "an item group twice": (b'OID="IN" Name="N"', b'OID="F" Name="N"', 400, "duplicate-oid"),
    "a key of what holds groups": (OUTER, OUTER[:-1] + b' ItemGroupRepeatKey="1">', 422, "nested-repeat"),
    "two values": (b"<Value>2.5</Value>", b"<Value>2.5</Value><Value>3</Value>", 422, "several-values"),
    "data of no subject": (
        b'<SubjectData SubjectKey="1">', b'<ItemGroupData ItemGroupOID="F"/><SubjectData SubjectKey="1">', 422,
        "no-subject",
    ),
    "the other edition's version": (b'ODMVersion="2.0.0"', b'ODMVersion="1.3.2"', 400, "odm-version"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_2_0)
def test_what_2_0_can_say_and_cannot_be_stored_is_refused(name: str):
    old, new, status, code = IN_2_0[name]
    assert old in NESTED
    with pytest.raises(OdmError) as refused:
        reading.read(NESTED.replace(old, new))
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_group_outside_of_what_it_stands_in_is_misplaced():
    flat = NESTED.replace(b'<ItemGroupData ItemGroupOID="OUTER"><v:Source>x</v:Source>', b"").replace(
        b"</ItemGroupData>\n   </ItemGroupData>", b"</ItemGroupData>"
    )
    file = reading.read(flat)
    assert [one.code for one in checking.check_clinical(file.designs[0], file.clinical[0]).errors] == ["misplaced-oid"]


NAMES = st.sampled_from(["fileOID", "clinicalData", "studyOID", "subjectData", "subjectKey", "siteRef"])
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_read_or_refused(document: object):
    with contextlib.suppress(OdmError):
        json_reading.read(json.dumps(document).encode())


ITEM = {"itemOID": "I.PAIN", "value": "3"}


def twin(item: object = None, *, subject: object = None, root: object = None, group: object = None) -> bytes:
    """A JSON document of one item, with members added or taken away (None) at its levels."""

    def mixed(base: dict[str, object], more: object) -> dict[str, object]:
        found = base | (more if isinstance(more, dict) else {})
        return {name: value for name, value in found.items() if value != "gone"}

    in_group = mixed({"itemGroupOID": "IG.DIARY", "itemData": [mixed(ITEM, item)]}, group)
    form = {"formOID": "F.DIARY", "itemGroupData": [in_group]}
    event = {"studyEventOID": "SE.VISIT", "studyEventRepeatKey": "1", "formData": [form]}
    of = mixed({"subjectKey": "701-001", "studyEventData": [event]}, subject)
    clinical = {"studyOID": "KF.DEMO", "metaDataVersionOID": "MDV.1", "subjectData": [of]}
    return json.dumps(mixed({"fileOID": "F", "clinicalData": [clinical]}, root)).encode()


IN_JSON = {
    "not JSON": (b"{", 400, "not-json", ""),
    "a name twice": (twin().replace(b'"value": "3"', b'"value": "3", "value": "4"'), 400, "not-json", ""),
    "NaN": (twin().replace(b'"3"', b"NaN"), 400, "not-json", ""),
    "a lone surrogate": (twin({"value": "\ud800"}), 422, "bad-character", ""),
    "a number": (twin({"value": 39.0}), 422, "bad-member", "/value"),
    "null as a value": (twin({"value": None}), 422, "missing-member", "/itemData/0"),
    "an unknown member": (twin({"valeu": "3"}), 422, "unknown-member", "/itemData/0"),
    "isNull no": (twin({"isNull": "No"}), 422, "bad-member", "/isNull"),
    "no FileOID": (twin(root={"fileOID": "gone"}), 422, "missing-member", ""),
    "an endless key": (twin(subject={"subjectKey": "1" * 300}), 422, "bad-member", "/subjectData/0/subjectKey"),
    "a NUL in a key": (twin(subject={"subjectKey": "\0"}), 422, "bad-character", "/subjectKey"),
    "an object for a list": (twin(group={"itemData": {}}), 422, "bad-member", "/itemData"),
    "no object": (b"[]", 422, "bad-member", ""),
    "a kind of file that is none": (twin(root={"fileType": "Other"}), 422, "bad-member", "/fileType"),
    "a transaction that is none": (twin(group={"transactionType": "Delete"}), 400, "bad-transaction", "Data/0"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_JSON)
def test_json_is_read_strictly(name: str):
    body, status, code, pointer = IN_JSON[name]
    with pytest.raises(OdmError) as refused:
        json_reading.read(body)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.where.endswith(pointer)


def test_too_many_items_are_refused_in_json_too(monkeypatch):
    monkeypatch.setattr(json_reading, "MAX_ITEMS", 0)
    with pytest.raises(OdmError) as refused:
        json_reading.read(twin())
    assert (refused.value.code, refused.value.status) == ("too-many-items", 413)


def test_cdiscs_own_transform_is_read_as_what_it_was_made_of(test_data: Path):
    """But for units, which it drops, and what a float is and how precise, which 2.0 says otherwise or not at all."""
    (older,) = reading.read((test_data / "odm132" / "MetaData_Dave_1_3_2.xml").read_bytes()).designs
    (newer,) = reading.read((test_data / "odm2" / "MetaData_Dave_as_ODMv2.xml").read_bytes()).designs
    assert (newer.events, newer.forms, newer.groups, newer.code_lists) == (
        older.events, older.forms, older.groups, older.code_lists,
    )  # fmt: skip
    assert set(newer.items) == set(older.items)
    for oid, item in older.items.items():
        other = newer.items[oid]
        assert (other.name, other.length, other.code_list) == (item.name, item.length, item.code_list)
        assert other.data_type == item.data_type.replace("float", "double")


def test_json_says_the_same_as_xml():
    xml = demo("data").clinical[0]
    (read,) = json_reading.read(b"".join(json_writing.write_clinical(HEAD, xml.subjects))).clinical
    assert read.subjects == xml.subjects
    assert read.subjects[1].groups[0].items[1].where.startswith("/clinicalData/0/subjectData/1/studyEventData/0/")


MIXED = {
    "order": (b"<SiteRef", b'<StudyEventData StudyEventOID="SE.AE"/><SiteRef', "out-of-order"),
    "an attribute": (b'<ItemData ItemOID="I.SEX"', b'<ItemData ItemOID="I.SEX" Odd="1"', "not-in-schema"),
    "an element": (b"<SiteRef", b"<Odd/><SiteRef", "not-in-schema"),
    "what is missing": (b' ItemOID="I.SEX"', b"", "missing-attribute"),
    "one too many": (b"<SiteRef", b'<SiteRef LocationOID="701"/><SiteRef', "duplicate"),
}


@pytest.mark.parametrize("edition", ["1.3.2", "2.0"])
def test_strictness_says_what_the_schema_says(edition: str, test_data: Path):
    valid = schema(test_data, edition)
    document = b"".join(FORMS[edition][0](HEAD, demo("data").clinical[0].subjects))
    assert valid.validate(etree.fromstring(document))
    assert list(strict.check(etree.fromstring(document), Edition(edition))) == []
    for old, new, code in MIXED.values():
        broken = etree.fromstring(document.replace(old, new, 1))
        assert not valid.validate(broken)
        assert [one.code for one in strict.check(broken, Edition(edition))] == [code]

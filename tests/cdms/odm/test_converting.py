"""keyfob.cdms.odm.converting: a design in the other edition is the same design, and valid."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from lxml import etree

from keyfob.cdms.odm import converting, design_json, reading
from keyfob.cdms.odm.model import Design, Edition, OdmError

V1, V2 = Edition.V1, Edition.V2
RICH = b"""<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="F" ODMVersion="1.3.2"
  CreationDateTime="2026-01-01T00:00:00Z"><Study OID="S">
 <GlobalVariables><StudyName>Name</StudyName><StudyDescription>What it is</StudyDescription>
  <ProtocolName>P-1</ProtocolName></GlobalVariables>
 <BasicDefinitions><MeasurementUnit OID="U" Name="kg"><Symbol><TranslatedText>kg</TranslatedText></Symbol>
 </MeasurementUnit></BasicDefinitions>
 <MetaDataVersion OID="M" Name="M" Description="First">
  <Protocol><StudyEventRef StudyEventOID="E" Mandatory="Yes" OrderNumber="1"/><Alias Context="a" Name="b"/></Protocol>
  <StudyEventDef OID="E" Name="Event" Repeating="Yes" Type="Scheduled" Category="c">
   <FormRef FormOID="FO" Mandatory="Yes" OrderNumber="2" CollectionExceptionConditionOID="C"/></StudyEventDef>
  <FormDef OID="FO" Name="Form" Repeating="Yes">
   <Description><TranslatedText xml:lang="de">Formular</TranslatedText></Description>
   <ItemGroupRef ItemGroupOID="G" Mandatory="No" OrderNumber="1"/></FormDef>
  <ItemGroupDef OID="G" Name="Group" Repeating="Yes" SASDatasetName="LB" Domain="LB" Comment="said">
   <ItemRef ItemOID="I" Mandatory="Yes" KeySequence="1" MethodOID="MT"/><ItemRef ItemOID="J" Mandatory="No"/>
  </ItemGroupDef>
  <ItemDef OID="I" Name="Item" DataType="float" Length="5" SignificantDigits="2" SASFieldName="LBORRES">
   <Question><TranslatedText xml:lang="en">How much?</TranslatedText>
    <TranslatedText xml:lang="fr">Combien ?</TranslatedText></Question>
   <MeasurementUnitRef MeasurementUnitOID="U"/>
   <RangeCheck Comparator="LE" SoftHard="Hard"><CheckValue>9.5</CheckValue>
    <ErrorMessage><TranslatedText xml:lang="en">too much</TranslatedText></ErrorMessage></RangeCheck>
   <RangeCheck SoftHard="Soft"><FormalExpression Context="XPath">. &lt; 5</FormalExpression></RangeCheck>
   <Alias Context="keyfob" Name="identifying"/>
  </ItemDef>
  <ItemDef OID="J" Name="J" DataType="text" Length="3"><CodeListRef CodeListOID="X"/></ItemDef>
  <ItemDef OID="K" Name="K" DataType="text"><CodeListRef CodeListOID="L"/></ItemDef>
  <ItemDef OID="N" Name="N" DataType="double"><CodeListRef CodeListOID="O"/></ItemDef>
  <CodeList OID="X" Name="X" DataType="text"><ExternalCodeList Dictionary="MedDRA" Version="27.0"/></CodeList>
  <CodeList OID="L" Name="L" DataType="text" SASFormatName="$L"><EnumeratedItem CodedValue="a" OrderNumber="1"/>
   <EnumeratedItem CodedValue="b"/></CodeList>
  <CodeList OID="O" Name="O" DataType="float"><CodeListItem CodedValue="1"><Decode>
   <TranslatedText xml:lang="en">One</TranslatedText></Decode></CodeListItem></CodeList>
  <ConditionDef OID="C" Name="C"><Description><TranslatedText>If</TranslatedText></Description>
   <FormalExpression Context="XPath">true()</FormalExpression></ConditionDef>
  <MethodDef OID="MT" Name="MT" Type="Other"><Description><TranslatedText>How</TranslatedText></Description></MethodDef>
 </MetaDataVersion></Study></ODM>"""


def schema(test_data: Path, edition: Edition) -> etree.XMLSchema:
    name = {V1: "odm-1.3.2/ODM1-3-2.xsd", V2: "odm-2.0/ODM.xsd"}[edition]
    return etree.XMLSchema(etree.parse(test_data / "schemas" / name))


def converted(body: bytes, edition: Edition) -> bytes:
    (design,) = reading.read(body).designs
    found = converting.tree(body, study=design.study_oid, version=design.version_oid, edition=edition)
    return converting.write(found)


def design_of(body: bytes) -> Design:
    (design,) = reading.read(body).designs
    return design


def demo() -> bytes:
    return resources.files("keyfob.cdms.demo_study").joinpath("design.xml").read_bytes()


@pytest.mark.parametrize("body", [RICH, demo()], ids=["rich", "demo"])
def test_a_design_stays_the_same_there_and_back(body: bytes):
    there = converted(body, V2)
    assert design_of(there) == design_of(body)
    assert design_of(converted(there, V1)) == design_of(body)


def test_what_both_can_say_is_kept():
    there = converted(RICH, V2)
    for words in (
        "What it is",
        "Formular",
        "How much?",
        "Combien ?",
        "too much",
        ". &lt; 5",
        "MedDRA",
        "27.0",
        "true()",
    ):
        assert words.encode() in there, words
        assert words.encode() in converted(there, V1), words
    back = etree.fromstring(converted(there, V1))
    names = {
        one.tag: one for one in back.iter("{*}ItemDef", "{*}ItemGroupDef", "{*}CodeList") if one.get("OID") in "IGL"
    }
    assert {name: value for one in names.values() for name, value in one.attrib.items() if name.startswith("S")} == {
        "SASDatasetName": "LB", "SignificantDigits": "2", "SASFieldName": "LBORRES", "SASFormatName": "$L",
    }  # fmt: skip
    reference = next(back.iter("{*}FormRef"))
    assert dict(reference.attrib) == {
        "FormOID": "FO", "Mandatory": "Yes", "OrderNumber": "2", "CollectionExceptionConditionOID": "C",
    }  # fmt: skip
    assert next(back.iter("{*}StudyEventRef")).get("OrderNumber") == "1"


@pytest.mark.parametrize("body", [RICH, demo()], ids=["rich", "demo"])
def test_what_is_converted_is_valid(body: bytes, test_data: Path):
    there = converted(body, V2)
    for edition, document in ((V2, there), (V1, converted(there, V1))):
        valid = schema(test_data, edition)
        assert valid.validate(etree.fromstring(document)), valid.error_log


LOST = {"odm132/MetaData_Dave_1_3_2.xml": "units", "odm2/Demographics_RACE_check_all_that_apply.xml": "nesting"}
"""Units that no item uses have no place in ODM 2.0, and in 1.3.2 no item group has item groups."""
PUBLIC = [
    "odm132/MetaData_Dave_1_3_2.xml", "odm132/openedc-metadata.xml", "odm2/MetaData_Dave_as_ODMv2.xml",
    "odm2/Demographics_RACE_check_all_that_apply.xml",
]  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("edition", [V1, V2])
def test_public_designs_are_had_in_either_edition(test_data: Path, name: str, edition: Edition):
    body = (test_data / name).read_bytes()
    document = converted(body, edition)
    valid = schema(test_data, edition)
    assert valid.validate(etree.fromstring(document)), valid.error_log
    lost = {LOST[name]: getattr(design_of(body), LOST[name])} if name in LOST else {}
    assert replace(design_of(document), **lost) == design_of(body)
    assert b"ClinicalData" not in document


def test_a_form_that_holds_items_itself_cannot_be_said_in_1_3_2(test_data: Path):
    """Its own items would need an item group of the form's OID, and an OID has one meaning."""
    body = (test_data / "odm2" / "RepeatingIG-UC-D-Example.xml").read_bytes()
    with pytest.raises(OdmError) as refused:
        converted(body, V1)
    assert (refused.value.status, refused.value.code) == (406, "not-acceptable")
    assert "IG.MEDHIST would be defined twice" in refused.value.message


def test_only_the_design_that_is_asked_for_leaves_a_document():
    with_more = RICH.replace(
        b"</MetaDataVersion>", b"</MetaDataVersion><MetaDataVersion OID='DRAFT' Name='d'/>"
    ).replace(
        b"</ODM>",
        b"<AdminData><User OID='u'><FullName>A Person</FullName></User></AdminData>"
        b"<ClinicalData StudyOID='S' MetaDataVersionOID='M'><SubjectData SubjectKey='1'/></ClinicalData></ODM>",
    )
    assert converting.edition_alone(RICH) is V1
    assert converting.edition_alone(with_more) is None
    for edition in Edition:
        document = converting.write(converting.tree(with_more, study="S", version="M", edition=edition))
        assert not any(one in document for one in (b"Person", b"SubjectData", b"DRAFT"))
        assert design_of(document) == design_of(RICH)


def test_the_json_of_a_design_has_its_names_in_lower_camel_case():
    tree = converting.tree(RICH, study="S", version="M", edition=V1)
    document = design_json.twin(tree)
    (study,) = document["study"]
    assert document["fileOID"] == "F"
    assert study["globalVariables"] == {"studyName": "Name", "studyDescription": "What it is", "protocolName": "P-1"}
    (version,) = study["metaDataVersion"]
    item = version["itemDef"][0]
    assert (item["oid"], item["sasFieldName"], item["significantDigits"]) == ("I", "LBORRES", "2")
    assert item["question"]["translatedText"][1] == {"lang": "fr", "text": "Combien ?"}
    assert item["rangeCheck"][0]["checkValue"] == ["9.5"]
    assert version["codeList"][0]["externalCodeList"] == {"dictionary": "MedDRA", "version": "27.0"}

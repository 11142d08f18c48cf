"""An independent reader of ODM reads what is written here, and finds the same in it.

Of ODM 2.0 odmlib knows designs alone; the schema and our own reader see to its clinical data.
"""

import re
import warnings
from importlib import resources
from pathlib import Path

import pytest

from keyfob.cdms.odm import audit_writing, converting, reading, writing
from keyfob.cdms.odm.audit_writing import Record, User
from keyfob.cdms.odm.model import Edition, GroupData, ItemValue
from keyfob.cdms.odm.writing import Head

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from odmlib import loader, odm_loader

HEAD = Head("KF.DEMO", "MDV.1", "F", 1_000_000)
PACKAGES = {
    "1.3.2": ("odm_1_3_2", "http://www.cdisc.org/ns/odm/v1.3"),
    "2.0": ("odm_2_0", "http://www.cdisc.org/ns/odm/v2.0"),
}


def demo(name: str) -> bytes:
    return resources.files("keyfob.cdms.demo_study").joinpath(f"{name}.xml").read_bytes()


def load(tmp_path: Path, body: bytes, edition: str):
    package, namespace = PACKAGES[edition]
    path = tmp_path / "read.xml"
    path.write_bytes(body)
    reader = loader.ODMLoader(odm_loader.XMLODMLoader(model_package=package, ns_uri=namespace))
    reader.open_odm_document(str(path))
    return reader.load_odm()


def test_clinical_data(tmp_path: Path):
    sent = reading.read(demo("data")).clinical[0].subjects
    read = load(tmp_path, b"".join(writing.write_clinical(HEAD, sent)), "1.3.2")
    assert [
        (subject.SubjectKey, event.StudyEventOID, form.FormOID, group.ItemGroupOID, item.ItemOID, item.Value)
        for subject in read.ClinicalData[0].SubjectData
        for event in subject.StudyEventData
        for form in event.FormData
        for group in form.ItemGroupData
        for item in group.ItemData
    ] == [
        (subject.key, group.event, group.form, group.group, item.oid, item.value)
        for subject in sent
        for group in subject.groups
        for item in group.items
    ]


@pytest.mark.parametrize("edition", ["1.3.2", "2.0"])
def test_a_design(tmp_path: Path, edition: str):
    body = demo("design")
    tree = converting.tree(body, study="KF.DEMO", version="MDV.1", edition=Edition(edition))
    (version,) = load(tmp_path, converting.write(tree), edition).Study[0].MetaDataVersion
    (design,) = reading.read(body).designs
    items = {one.OID: one.DataType for one in version.ItemDef}
    assert {oid: kind.replace("decimal", "float") for oid, kind in items.items()} == {
        one.oid: one.data_type for one in design.items.values()
    }
    groups = {one.OID: [item.ItemOID for item in one.ItemRef] for one in version.ItemGroupDef if one.ItemRef}
    assert groups == {one.oid: list(one.members) for one in design.groups.values()}


def test_an_audit_trail(tmp_path: Path):
    data = GroupData("SE.VISIT", "1", "F.DIARY", None, "IG.DIARY", None, None, (ItemValue("I.PAIN", "4", None),))
    who = User("cl_1", "A. Person")
    records = [
        Record(7, 0, "MDV.1", who, "701-001", "701", "Insert", None, None),
        Record(9, 0, "MDV.1", who, "701-001", None, "Update", data, "misread"),
    ]
    body = audit_writing.write(HEAD, records, sites={"701": "North"}, effective_at=0).encode()
    read = load(tmp_path, body, "1.3.2")
    assert [one.OID for one in read.AdminData[0].User] == ["cl_1:A. Person"]
    assert {one.OID: one.Name for one in read.AdminData[0].Location} == {"701": "North", "keyfob-cdms": "keyfob-cdms"}
    first, second = (clinical.SubjectData[0] for clinical in read.ClinicalData)
    item = second.StudyEventData[0].FormData[0].ItemGroupData[0].ItemData[0]
    assert (first.AuditRecord.SourceID._content, item.AuditRecord.SourceID._content) == ("7", "9")
    assert item.AuditRecord.ReasonForChange._content == "misread"
    assert re.fullmatch(r"1970-01-01T00:00:00Z", item.AuditRecord.DateTimeStamp._content)

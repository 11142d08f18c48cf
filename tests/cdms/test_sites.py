"""A closed site: nothing is taken for its subjects any more, by whatever way it comes, and all of it is still read."""

import pytest

STUDY = "/v1/studies/KF.DEMO"
PAIN = {"items": [{"oid": "I.PAIN", "value": "3"}], "reason": "late"}
ODM = """<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2"
 CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1">{}
</ClinicalData></ODM>"""
INSERT = '<SubjectData SubjectKey="new" TransactionType="Insert"><SiteRef LocationOID="701"/></SubjectData>'


@pytest.fixture
def with_data(api, demo_study, tmp_path):
    (tmp_path / "data.xml").write_bytes(demo_study("data"))
    api.run("load", tmp_path / "data.xml")
    return api


def test_a_closed_site_takes_nothing_and_shows_all(with_data, demo_study):
    api = with_data
    here, there = (api.get(f"{STUDY}/subjects?site={site}").document["items"][0] for site in ("701", "702"))

    def diary(subject):
        return f"{STUDY}/subjects/{subject['subject_id']}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=9"

    def writes():
        """The status of each way in, for the subjects of 701."""
        sent = {"if-match": '"1"', "keyfob-reason": "none"}
        group = diary(here).replace("?erk=9", "?erk=1")
        yield api.request("PUT", diary(here), PAIN, {"if-none-match": "*"})
        yield api.request("DELETE", group, b"", sent)
        yield api.post_odm("KF.DEMO", demo_study("data"), query="?dry_run=true")
        yield api.post_odm("KF.DEMO", ODM.format(INSERT).encode(), query="?dry_run=true")
        yield api.register("KF.DEMO", "another", "701")
        moves = {"site": "701", "reason": "moved"}
        yield api.request("PATCH", f"{STUDY}/subjects/{there['subject_id']}", moves, {"if-match": '"1"'})

    before = api.get(f"{STUDY}/clinical-data").body.partition(b"<ClinicalData")[2]
    closed = api.run("site", "close", "KF.DEMO", "701", "--reason", "closed out")
    assert closed == {"study": "KF.DEMO", "site": "701", "status": "closed", "changed": True}
    assert api.run("site", "close", "KF.DEMO", "701", "--reason", "again")["changed"] is False
    assert {one["site"]: one["status"] for one in api.get(f"{STUDY}/sites").document["items"]} == {
        "701": "closed", "702": "open",
    }  # fmt: skip
    high_water = api.get(STUDY).document["high_water"]
    assert [(one.status, one.document["code"]) for one in writes()] == [(409, "not-open")] * 6
    lab = demo_study("lab.json")
    rows = api.request("PATCH", f"{STUDY}/datasets/IG.LB?on_error=skip", lab, {"content-type": "application/json"})
    assert rows.document["errors_by_code"] == {"not-open": 12}
    assert rows.document["stored"] == 12
    assert api.get(STUDY).document["high_water"] == high_water + 12
    shown = api.get(f"{STUDY}/clinical-data?site=701").body.partition(b"<ClinicalData")[2]
    assert shown.partition(b"</ClinicalData")[0] in before
    # What becomes of a subject is still said, and whoever goes elsewhere is taken there.
    path = f"{STUDY}/subjects/{here['subject_id']}"
    assert api.request("PATCH", path, {"site": "702", "reason": "moved"}, {"if-match": '"1"'}).status == 200
    assert api.request("PUT", diary(here), PAIN, {"if-none-match": "*"}).status == 201
    (last,) = [one for one in api.get(f"{STUDY}/audit?limit=1000").document["items"] if "status" in one]
    assert (last["action"], last["site"], last["status"], last["reason"]) == ("site", "701", "closed", "closed out")
    opened = api.run("site", "open", "KF.DEMO", "701", "--reason", "a query")
    assert (opened["status"], opened["changed"]) == ("open", True)
    assert api.register("KF.DEMO", "another", "701").status == 201


def test_a_site_that_is_not_there_and_a_reason_that_is_none_are_told(shared_api):
    for words, error in (
        (("701", "--reason", " "), "reason-required"),
        (("799", "--reason", "x"), "unknown-site"),
    ):
        assert shared_api.run("site", "close", "KF.DEMO", *words, status=2)["error"] == error
    assert shared_api.run("site", "open", "NONE", "701", "--reason", "x", status=2)["error"] == "unknown-study"


def test_who_sees_another_site_learns_nothing_of_it(with_data):
    """Whether it is closed is not said either, where it is as if it were not there."""
    with_data.run("site", "close", "KF.DEMO", "701", "--reason", "closed out")
    limited = with_data.token(details=[{"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["702"]}])
    refused = with_data.register("KF.DEMO", "another", "701", token=limited)
    assert (refused.status, refused.document["code"]) == (422, "unknown-site")
    assert b"closed" not in with_data.get(f"{STUDY}/audit?limit=1000", token=limited).body
    assert b"701" not in with_data.get(f"{STUDY}/sites", token=limited).body

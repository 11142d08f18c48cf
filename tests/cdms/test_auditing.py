"""The audit trail: nobody alters it, it is copied out whole, and a redaction is lawful, told of and for good."""

import csv
import json
import stat

import pytest
import sqlalchemy as sa

from keyfob import ledger
from keyfob.secret import Secret

STUDY = "/v1/studies/KF.DEMO"
PRIVATE = "asked her sister Zoe"


@pytest.fixture(scope="module")
def filled(new_api, demo_study, tmp_path_factory):
    """The demonstration's data, and one adverse event whose text should not have been entered. It serves."""
    made = new_api()
    folder = tmp_path_factory.mktemp("demo")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name))
        made.run("load", folder / f"{name}.xml")
    made.serve()
    return made


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET at = at + 1 WHERE seq = 3",
        "UPDATE audit SET payload = salt WHERE seq = 3",
        "UPDATE audit SET payload = NULL, salt = NULL, at = 1 WHERE seq = 3",
        "UPDATE audit SET seq = 999 WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit",
    ],
)
@pytest.mark.on("sqlite", "postgresql")
def test_the_database_itself_refuses_to_alter_the_trail(filled, statement):
    """21 CFR 11.10(e)."""
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"):
        filled.sql(statement)
    assert filled.run("audit", "verify", "KF.DEMO")["whole"] is True


@pytest.mark.on("postgresql")
def test_a_trail_on_postgresql_is_not_emptied_at_a_stroke_either(filled):
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"):
        filled.sql("TRUNCATE audit")


def test_the_trail_is_copied_out_for_people_and_for_programs(filled, tmp_path):
    """21 CFR 11.10(b); by study and by subject."""
    count = filled.run("audit", "verify", "KF.DEMO")["records"]
    subject = filled.get(f"{STUDY}/subjects?limit=1").document["items"][0]["subject_id"]
    for form, options in (("csv", ()), ("ndjson", ("--format", "ndjson"))):
        file, one = tmp_path / f"trail.{form}", tmp_path / f"one.{form}"
        assert filled.run("audit", "export", "KF.DEMO", file, *options)["records"] == count
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = filled.run("audit", "export", "KF.DEMO", one, *options, "--subject", subject)["records"]
        assert 0 < told < count
    rows = list(csv.DictReader((tmp_path / "trail.csv").open(newline="")))
    records = [json.loads(line) for line in (tmp_path / "trail.ndjson").read_text().splitlines()]
    assert [int(row["seq"]) for row in rows] == [one["seq"] for one in records] == list(range(1, count + 1))
    for row, record in zip(rows, records, strict=True):
        assert row["action"] == record["action"]
        assert json.loads(row["new"] or "null") == record.get("new")
        assert row["item"] == record.get("place", {}).get("item", "")
    assert filled.run("audit", "export", "KF.DEMO", tmp_path / "trail.csv", status=2)["error"] == "file-exists"
    nobody = filled.run("audit", "export", "KF.DEMO", tmp_path / "x", "--subject", "sub_none", status=2)
    assert nobody["error"] == "unknown-subject"


def test_a_cell_is_no_formula_to_a_spreadsheet(filled, tmp_path):
    subject = filled.register("KF.DEMO", "formula").document["subject_id"]
    path = f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"
    for value, condition in (("3", {"if-none-match": "*"}), ("4", {"if-match": '"1"'})):
        body = {"items": [{"oid": "I.PAIN", "value": value}], "reason": "=cmd()"}
        assert filled.request("PUT", path, body, condition).status in (200, 201)
    filled.run("audit", "export", "KF.DEMO", tmp_path / "trail.csv", "--subject", subject)
    reasons = [row["reason"] for row in csv.DictReader((tmp_path / "trail.csv").open(newline=""))]
    assert reasons == ["", '"=cmd()"', '"=cmd()"']


def test_a_redaction_takes_away_what_was_told_and_keeps_the_trail_whole(api, tmp_path):
    """ICH E6(R3) 4.2.2: the rare exception, itself audited."""
    odm = (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2" '
        'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1">'
        '<SubjectData SubjectKey="1" TransactionType="Insert"><StudyEventData StudyEventOID="SE.AE">'
        '<FormData FormOID="F.AE"><ItemGroupData ItemGroupOID="IG.AE" ItemGroupRepeatKey="1">'
        f'<ItemData ItemOID="I.AETERM" Value="{PRIVATE}"/><ItemData ItemOID="I.AESEV" Value="1"/>'
        '<ItemData ItemOID="I.AESER" Value="N"/></ItemGroupData></FormData></StudyEventData></SubjectData>'
        "</ClinicalData></ODM>"
    )
    assert api.post_odm("KF.DEMO", odm.encode(), headers={"idempotency-key": "k"}).status == 200
    head = api.run("audit", "verify", "KF.DEMO")["head"]

    def telling():
        trail = api.get(f"{STUDY}/audit?limit=1000").document["items"]
        return [one["seq"] for one in trail if PRIVATE in json.dumps(one)]

    (entered,) = telling()
    redact = ("audit", "redact", "KF.DEMO", entered)
    assert api.run(*redact, "--reason", " ", status=2)["error"] == "reason-required"
    still = api.run(*redact, "--reason", "a relative's name", status=2)
    assert (still["error"], "still stored" in still["message"]) == ("not-redacted", True)
    subject = api.get(f"{STUDY}/subjects").document["items"][0]["subject_id"]
    group = f"{STUDY}/subjects/{subject}/events/SE.AE/forms/F.AE/item-groups/IG.AE?igrk=1"
    gone = {"if-match": '"1"', "keyfob-reason": "entered by mistake"}
    assert api.request("DELETE", group, headers=gone).status == 204
    both = telling()
    assert len(both) == 2
    done = api.run("audit", "redact", "KF.DEMO", *both, "--reason", "a relative's name")
    assert done["redacted"] == both
    assert telling() == []
    assert api.run("audit", "verify", "KF.DEMO", "--expect", head)["whole"] is True
    trail = api.get(f"{STUDY}/audit?limit=1000").document["items"]
    assert (trail[-1]["action"], trail[-1]["redacted"], trail[-1]["reason"]) == ("redact", both, "a relative's name")
    assert [one["seq"] for one in trail if one["action"] == "redacted"] == both
    limited = api.token(details=[{"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["701"]}])
    assert b"relative" not in api.get(f"{STUDY}/audit?limit=1000", token=limited).body
    assert PRIVATE.encode() not in api.get(f"{STUDY}/changes?limit=1000").body
    again = api.post_odm("KF.DEMO", odm.encode(), headers={"idempotency-key": "k"})
    assert "idempotent-replay" not in again.headers, "the answer that was kept is gone, too"
    api.run("audit", "export", "KF.DEMO", tmp_path / "trail.csv")
    for wrong in (both[0], 99999, 1):
        assert api.run("audit", "redact", "KF.DEMO", wrong, "--reason", "x", status=2)["error"] == "not-redacted"


def test_content_that_was_taken_away_in_another_way_is_found(api):
    """The triggers let it pass; that no later record tells of it does not."""
    for key in ("1", "2"):
        assert api.register("KF.DEMO", key).status == 201
    api.sql("UPDATE audit SET payload = NULL, salt = NULL WHERE seq = 6")
    found = api.run("audit", "verify", "KF.DEMO", status=1)
    assert found["error"] == "audit-not-whole"
    assert "entry 6 was altered" in found["message"]


def test_a_redacted_entry_still_has_to_be_in_its_place():
    key = Secret(b"k" * 32)
    entries, head = [], ledger.GENESIS
    for number in range(1, 4):
        commitment = ledger.commit(b"s" * 16, str(number).encode())
        head = ledger.link(key, head, sequence=number, at=number, commitment=commitment)
        payload = None if number == 2 else str(number).encode()
        salt = None if number == 2 else b"s" * 16
        entries.append(ledger.Entry(number, number, salt, payload, commitment, head))
    assert ledger.verify(entries, key, redacted={2}).findings == ()
    assert ledger.verify(entries, key).findings
    assert ledger.verify(entries, key, redacted={1, 3}).findings
    moved = [entries[0], ledger.Entry(2, 5, None, None, entries[1].commitment, entries[1].link), entries[2]]
    assert ledger.verify(moved, key, redacted={2}).findings
    half = [entries[0], ledger.Entry(2, 2, b"s" * 16, None, entries[1].commitment, entries[1].link), entries[2]]
    assert ledger.verify(half, key, redacted={2}).findings

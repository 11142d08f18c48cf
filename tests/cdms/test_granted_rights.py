"""A right holds when one authorization detail alone gives it for the study, site, form and action (RFC 9396)."""

import http.client
import re

import pytest

STUDY = "KF.DEMO"
HERE = f"/v1/studies/{STUDY}"
READING = ["subjects:read", "clinical-data:read", "changes:read", "audit:read"]
BIRTH_DATES = {"701": {b"1961-03-09", b"1974-11-30"}, "702": {b"1988-07-21", b"1950-01-04"}}


def detail(*actions: str, study: str = STUDY, **limits: list[str]) -> dict[str, object]:
    return {"type": "cdms_study", "identifier": study, "actions": list(actions), **limits}


@pytest.fixture(scope="module")
def with_data(shared_api, demo_study, tmp_path_factory):
    data = tmp_path_factory.mktemp("data") / "data.xml"
    data.write_bytes(demo_study("data"))
    shared_api.run("load", data)
    return shared_api


def birth_dates(api, token: str) -> list[set[bytes]]:
    """Those that each way to read shows."""
    known = BIRTH_DATES["701"] | BIRTH_DATES["702"]
    bodies = [api.get(f"{HERE}/{way}", token=token).body for way in ("clinical-data", "changes?limit=1000")]
    bodies.append(api.get(f"{HERE}/audit?limit=1000", token=token).body)
    subjects = [one["subject_id"] for one in api.get(f"{HERE}/subjects", token=token).document["items"]]
    for below in ("clinical-data", "events/SE.SCREEN/forms/F.DM/item-groups/IG.DM"):
        bodies.append(b"".join(api.get(f"{HERE}/subjects/{one}/{below}", token=token).body for one in subjects))
    assert all(b"I.SEX" in body for body in bodies)
    return [{date for date in known if date in body} for body in bodies]


@pytest.mark.parametrize(
    ("details", "seen"),
    [
        ([detail(*READING, "identifiers:read")], BIRTH_DATES["701"] | BIRTH_DATES["702"]),
        ([detail(*READING), detail(*READING, "identifiers:read", study="OTHER")], set()),
        ([detail(*READING), detail("identifiers:read", sites=["701"])], BIRTH_DATES["701"]),
        ([detail(*READING), detail("identifiers:read", forms=["F.VS"])], set()),
        ([detail(*READING), detail("identifiers:read", forms=["F.DM"])], BIRTH_DATES["701"] | BIRTH_DATES["702"]),
    ],
)
def test_identifying_items_are_shown_where_their_own_right_reaches(with_data, details, seen):
    token = with_data.token(" ".join([*READING, "identifiers:read"]), details)
    assert birth_dates(with_data, token) == [seen] * 5


def test_who_may_not_see_an_item_takes_it_away_by_no_silence(api, demo_study, tmp_path):
    """A whole item group is written by what its writer sees of it; the answer, also a second time, tells no more."""
    for name in ("design", "data"):
        (tmp_path / f"{name}.xml").write_bytes(demo_study(name))
        api.run("load", tmp_path / f"{name}.xml")
    subject = api.get(f"{HERE}/subjects").document["items"][0]["subject_id"]
    group = f"{HERE}/subjects/{subject}/events/SE.SCREEN/forms/F.DM/item-groups/IG.DM"
    blind, seeing = api.token("clinical-data:read clinical-data:write"), api.token()
    before = {one["oid"]: one for one in api.get(group, token=seeing).document["items"]}
    seen = api.get(group, token=blind)
    assert before.keys() - {one["oid"] for one in seen.document["items"]} == {"I.BRTHDAT"}
    # RFC 9110 §8.8.3: what he has is not what the other has, and yet as good to change it.
    assert seen.headers["etag"] == '"1.part"'
    assert api.get(group, headers={"if-none-match": seen.headers["etag"]}, token=blind).status == 304
    assert api.get(group, headers={"if-none-match": seen.headers["etag"]}, token=seeing).status == 200
    assert api.get(group, headers={"if-none-match": '"1"'}, token=blind).status == 200
    items = [{**one, "value": "170.5"} if one["oid"] == "I.HEIGHT" else one for one in seen.document["items"]]
    changed = {"items": items, "reason": "measured again"}
    key = {"idempotency-key": "again"}
    for _ in range(2):
        put = api.request("PUT", group, changed, {"if-match": seen.headers["etag"], **key}, token=blind)
        assert put.status == 200, put.body
        assert {one["oid"] for one in put.document["items"]} == {one["oid"] for one in items}
    after = {one["oid"]: one for one in api.get(group, token=seeing).document["items"]}
    assert after == before | {"I.HEIGHT": {**before["I.HEIGHT"], "value": "170.5"}}
    told = api.request("PUT", group, changed, {"if-match": put.headers["etag"]}, token=seeing)
    assert told.codes == ["mandatory"], "who sees it takes it away"


def test_a_subject_without_a_site_is_reached_by_no_element_with_sites(with_data):
    """The forms of an element with sites are not lent to one without."""
    subject = with_data.register(STUDY, "no site").document["subject_id"]
    group = f"{HERE}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"
    details = [detail("clinical-data:write", sites=["701"], forms=["F.DIARY"])]
    details.append(detail("clinical-data:write", forms=["F.VS"]))
    pain = {"items": [{"oid": "I.PAIN", "value": "3"}]}
    refused = with_data.request("PUT", group, pain, {"if-none-match": "*"}, token=with_data.token(details=details))
    assert refused.status == 404
    assert with_data.request("PUT", group, pain, {"if-none-match": "*"}).status == 201


@pytest.mark.on("sqlite")
@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"forms": ["F.VS", "F.DIARY"]}, "item_group.form IN ('F.VS', 'F.DIARY')"),
        ({"sites": ["701"]}, "item_group.subject IN (SELECT id FROM subject WHERE site = '701')"),
    ],
)
def test_what_is_not_granted_is_not_even_read(api, demo_study, tmp_path, limits, kept):
    """It is no text any more: whoever reads it fails."""
    for name in ("design", "data"):
        (tmp_path / f"{name}.xml").write_bytes(demo_study(name))
        api.run("load", tmp_path / f"{name}.xml")
    limited = api.token(details=[detail(*READING, "datasets:read", **limits)])
    subject = api.get(f"{HERE}/subjects?site=701").document["items"][0]["subject_id"]
    ways = ("clinical-data", "clinical-data?form=F.VS", f"subjects/{subject}/clinical-data", "datasets/IG.VS")
    before = [_undated(api.get(f"{HERE}/{way}", token=limited).body) for way in ways]
    api.sql(
        "UPDATE item_value SET value = CAST(x'ff' AS TEXT) WHERE item_group IN "
        f"(SELECT id FROM item_group WHERE NOT {kept})"
    )
    assert all(b"CreationDateTime" not in body for body in before)
    assert [_undated(api.get(f"{HERE}/{way}", token=limited).body) for way in ways] == before
    with pytest.raises(http.client.IncompleteRead):
        api.get(f"{HERE}/clinical-data")


def _undated(body: bytes) -> bytes:
    return re.sub(rb'CreationDateTime"?[:=]"[^"]*"', b"", body)


@pytest.mark.parametrize(
    ("site", "details", "status"),
    [
        ("701", [detail("clinical-data:write"), detail("subjects:write")], 200),
        ("701", [detail("clinical-data:write", sites=["701"]), detail("subjects:write", sites=["702"])], 422),
        ("701", [detail("clinical-data:write"), detail("subjects:write", study="OTHER")], 422),
        (None, [detail("clinical-data:write"), detail("subjects:write", sites=["701"])], 422),
    ],
)
def test_odm_registers_a_subject_where_the_right_to_do_so_reaches(with_data, site, details, status):
    where = "" if site is None else f'<SiteRef LocationOID="{site}"/>'
    body = (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="F" ODMVersion="1.3.2" '
        f'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="{STUDY}" MetaDataVersionOID="MDV.1">'
        f'<SubjectData SubjectKey="new" TransactionType="Insert">{where}</SubjectData></ClinicalData></ODM>'
    )
    token = with_data.token("clinical-data:write subjects:write", details)
    answer = with_data.post_odm(STUDY, body.encode(), query="?dry_run=true", token=token)
    assert answer.status == status
    assert answer.codes == ([] if status == 200 else ["not-granted"])


def test_a_later_version_opens_no_value_that_identified_a_person_before(api, demo_study, tmp_path):
    """One version takes the mark away, the next drops the item; and a mark holds from its draft on."""
    path = tmp_path / "odm.xml"
    mark = b'<Alias Context="keyfob" Name="identifying"/>'
    unmarked = demo_study("design").replace(b"MDV.1", b"MDV.2").replace(mark, b"")
    dropped = re.sub(
        rb'<ItemDef OID="I.BRTHDAT".*?</ItemDef>|<ItemRef ItemOID="I.BRTHDAT"[^>]*/>', b"", unmarked, flags=re.S
    )
    sex = rb'(<ItemDef OID="I.SEX".*?)(</ItemDef>)'
    draft = re.sub(sex, rb"\1" + mark + rb"\2", dropped, flags=re.S).replace(b"MDV.2", b"MDV.4")
    for body in (demo_study("design"), demo_study("data")):
        path.write_bytes(body)
        api.run("load", path)
    token = api.token(" ".join(READING))
    for body in (unmarked, dropped.replace(b"MDV.2", b"MDV.3")):
        path.write_bytes(body)
        api.run("load", path)
        assert birth_dates(api, token) == [set()] * 5
        assert birth_dates(api, api.token()) == [BIRTH_DATES["701"] | BIRTH_DATES["702"]] * 5
    path.write_bytes(draft)
    api.run("load", path, "--draft")
    shown = api.get(f"{HERE}/clinical-data", token=token).body
    assert b"I.CONSENT" in shown
    assert b"I.SEX" not in shown

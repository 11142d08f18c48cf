"""Subjects and item groups over HTTP: registration, look-up, versions, reasons, repeats."""

import base64
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.cdms import paging
from keyfob.cdms.problems import ApiProblem
from keyfob.secret import Secret

STUDY = "/v1/studies/KF.DEMO"


def test_a_subject_is_registered_once_and_found_by_key_or_id(api):
    made = api.register("KF.DEMO", "A 01", "701")
    assert made.status == 201
    subject = made.document
    assert subject == {**subject, "key": "A 01", "site": "701", "status": "enrolled", "version": 1}
    assert subject["subject_id"].startswith("sub_")
    assert made.headers["location"].endswith(f"{STUDY}/subjects/{subject['subject_id']}")
    assert api.get(f"{STUDY}/subjects/{subject['subject_id']}").document == subject
    assert api.request("POST", f"{STUDY}/subjects/lookup", {"key": "A 01"}).document == subject
    for same in ("A 01", "a 01"):
        assert api.register("KF.DEMO", same).status == 409
    absent = api.request("POST", f"{STUDY}/subjects/lookup", {"key": "B"})
    assert absent.status == 404
    assert "A 01" not in api.log


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 422),
        (b'{"key": "a", "key": "b"}', 400),
        (b'{"key": NaN}', 400),
        (b"{}", 422),
        (b'{"key": 1}', 422),
        (b'{"key": " a"}', 422),
        (b'{"key": "a/b"}', 422),
        (b'{"key": "a\\u0000"}', 422),
        (b'{"key": "\\ud800"}', 422),
        (b'{"key": "a", "status": "completed"}', 422),
        (b'{"key": "a", "site": "999"}', 422),
        (b'{"key": "a", "sex": "F"}', 422),
        (b'{"key": "' + b"a" * 65 + b'"}', 422),
        ('{"key": "a"}'.encode("utf-16"), 400),
    ],
)
def test_a_registration_that_cannot_be_is_refused(shared_api, body, status):
    answer = shared_api.request("POST", f"{STUDY}/subjects", body, {"content-type": "application/json"})
    assert answer.status == status, answer.body


def test_another_content_type_is_told(shared_api):
    assert shared_api.request("POST", f"{STUDY}/subjects", b"key=a").status == 415
    assert shared_api.request("POST", f"{STUDY}/clinical-data", b"{}", {"content-type": "text/csv"}).status == 415


def test_the_same_request_twice_is_answered_the_same(api):
    key = {"idempotency-key": "k-1"}
    first = api.register("KF.DEMO", "X", headers=key)
    again = api.register("KF.DEMO", "X", headers=key)
    assert again.body == first.body
    assert (again.status, again.headers["idempotent-replay"]) == (201, "true")
    other = api.register("KF.DEMO", "Y", headers=key)
    assert (other.status, other.document["code"]) == (422, "idempotency-key-reused")


def test_an_answer_is_kept_for_thirty_days(api):
    for days in (29, 31):
        api.register("KF.DEMO", str(days), headers={"idempotency-key": f"{days} days"})
    api.sql("UPDATE answer SET at = at - 86400 * CAST(substr(key, 1, 2) AS INTEGER)")
    assert api.register("KF.DEMO", "new", headers={"idempotency-key": "new"}).status == 201
    (kept,) = api.sql("DELETE FROM answer WHERE key NOT IN ('29 days', 'new')")
    assert kept.rowcount == 0
    again = api.register("KF.DEMO", "29", headers={"idempotency-key": "29 days"})
    assert (again.status, again.headers["idempotent-replay"]) == (201, "true")


def test_a_list_comes_in_pages_whose_cursors_are_bound(api):
    for number in range(5):
        api.register("KF.DEMO", f"S{number}", "701" if number % 2 else "702")
    page = api.get(f"{STUDY}/subjects?limit=2").document
    assert [one["key"] for one in page["items"]] == ["S0", "S1"]
    page = api.get(f"{STUDY}/subjects?limit=2&cursor={page['next']}").document
    assert [one["key"] for one in page["items"]] == ["S2", "S3"]
    cursor = page["next"]
    assert api.get(f"{STUDY}/subjects?limit=2&cursor={cursor}").document["next"] is None
    assert api.get(f"{STUDY}/subjects?limit=2&site=701&cursor={cursor}").status == 400
    other = api.token(client_id="cl_2")
    assert api.get(f"{STUDY}/subjects?limit=2&cursor={cursor}", token=other).status == 400
    assert [one["key"] for one in api.get(f"{STUDY}/subjects?site=701").document["items"]] == ["S1", "S3"]


def test_a_cursor_tells_no_subject_key(api):
    """A key may identify a person, and cursors stand in URLs, which are logged."""
    for key in ("Jane Doe 1961", "Zed"):
        api.register("KF.DEMO", key)
    cursor = api.get(f"{STUDY}/subjects?limit=1").document["next"]
    assert b"Jane" not in base64.urlsafe_b64decode(cursor + "==")


def group_path(subject: str, more: str = "") -> str:
    return f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1{more}"


def test_an_item_group_is_created_changed_and_removed_without_a_lost_change(api):
    subject = api.register("KF.DEMO", "1").document["subject_id"]
    path = group_path(subject)
    pain = {"items": [{"oid": "I.PAIN", "value": "3"}]}
    assert api.get(path).status == 404
    assert api.request("PUT", path, pain).status == 428
    created = api.request("PUT", path, pain, {"if-none-match": "*"})
    assert (created.status, created.headers["etag"]) == (201, '"1"')
    assert api.request("PUT", path, pain, {"if-none-match": "*"}).status == 412
    assert api.request("PUT", path, pain).status == 428
    assert api.request("PUT", path, pain, {"if-match": '"9"'}).status == 412
    same = api.request("PUT", path, pain, {"if-match": '"1"'})
    assert (same.status, same.headers["etag"]) == (200, '"1"')
    changed = {"items": [{"oid": "I.PAIN", "value": "4"}, {"oid": "I.SLEEP", "null": True}]}
    assert api.request("PUT", path, changed, {"if-match": '"1"'}).codes == ["reason-required"]
    done = api.request("PUT", path, {**changed, "reason": "misread"}, {"if-match": '"1"'})
    assert (done.status, done.headers["etag"]) == (200, '"2"')
    assert api.get(path).document == {
        "items": [{"oid": "I.PAIN", "value": "4"}, {"oid": "I.SLEEP", "null": True}],
        "version": 2,
    }
    less = {"items": [{"oid": "I.PAIN", "value": "4"}], "reason": "not asked"}
    assert api.request("PUT", path, less, {"if-match": '"2"'}).status == 200
    assert api.request("DELETE", path, headers={"if-match": '"3"'}).status == 422
    gone = api.request("DELETE", path, headers={"if-match": '"3"', "keyfob-reason": "wrong patient"})
    assert gone.status == 204
    assert api.get(path).status == 404
    trail = api.get(f"{STUDY}/audit?limit=1000&subject_id={subject}").document["items"]
    assert [one["action"] for one in trail] == ["register", "insert", "update", "insert", "remove", "remove"]
    assert trail[-1]["reason"] == "wrong patient"
    again = api.request("PUT", path, pain, {"if-none-match": "*"})
    assert again.status == 201
    assert api.run("audit", "verify", "KF.DEMO")["whole"] is True


def test_nothing_is_stored_or_removed_for_a_subject_that_has_left(api):
    subject = api.register("KF.DEMO", "1").document["subject_id"]
    pain = {"items": [{"oid": "I.PAIN", "value": "3"}]}
    assert api.request("PUT", group_path(subject), pain, {"if-none-match": "*"}).status == 201
    api.sql("UPDATE subject SET status = 'withdrawn'")
    seen = {"if-match": '"1"', "keyfob-reason": "x"}
    for refused in (
        api.request("PUT", group_path(subject), pain, seen),
        api.request("DELETE", group_path(subject), headers=seen),
    ):
        assert (refused.status, refused.document["code"]) == (409, "not-open")


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "no-items"),
        ([{"oid": "I.PAIN", "value": 3}], "bad-item"),
        ([{"oid": "I.PAIN", "value": "3", "x": 1}], "bad-item"),
        ([{"oid": "I.PAIN"}], "value-or-null"),
        ([{"oid": "I.PAIN", "value": "3", "null": True}], "value-or-null"),
        ([{"oid": "I.X", "value": "3"}], "unknown-oid"),
        ([{"oid": "I.SEX", "value": "M"}], "misplaced-oid"),
        ([{"oid": "I.PAIN", "value": "99"}], "range"),
        ([{"oid": "I.SLEEP", "value": "Y"}], "mandatory"),
        ([{"oid": "I.PAIN", "value": "3"}] * 2, "duplicate"),
    ],
)
def test_an_item_that_cannot_be_stored_is_named(shared_api, shared_subject, items, code):
    answer = shared_api.request("PUT", group_path(shared_subject), {"items": items}, {"if-none-match": "*"})
    assert (answer.status, answer.document["code"]) == (422, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"items": [{"oid": "I.PAIN", "value": "3"}], "reason": "\\ud800"}',
        b'{"items": [{"oid": "\\ud800", "value": "3"}]}',
        b'{"items": [{"oid": "I.PAIN", "value": "\\ud800"}]}',
        b'{"items": [{"oid": "I.PAIN", "value": "3"}], "reason": "\\u0001"}',
    ],
)
def test_a_character_that_cannot_be_stored_is_told(shared_api, shared_subject, body):
    headers = {"if-none-match": "*", "content-type": "application/json"}
    answer = shared_api.request("PUT", group_path(shared_subject), body, headers)
    assert (answer.status, answer.document["code"]) == (422, "bad-character")


@pytest.mark.parametrize("key", ["", "%01", "%ef%bf%be", "9" * 257])
def test_a_repeat_key_that_no_export_could_carry_is_refused(shared_api, shared_subject, key):
    path = group_path(shared_subject).replace("erk=1", f"erk={key}")
    answer = shared_api.request("PUT", path, {"items": [{"oid": "I.PAIN", "value": "3"}]}, {"if-none-match": "*"})
    assert (answer.status, answer.document["code"]) == (422, "repeat-key")
    ElementTree.fromstring(shared_api.get(f"{STUDY}/clinical-data").body)


def test_studies_sites_and_designs_are_read(shared_api, demo_study):
    study = shared_api.get(STUDY).document
    assert (study["oid"], study["metadata_version"], study["protocol"]) == ("KF.DEMO", "MDV.1", "KF-DEMO-01")
    assert [one["site"] for one in shared_api.get(f"{STUDY}/sites").document["items"]] == ["701", "702"]
    assert shared_api.get(f"{STUDY}/sites/701").document["name"] == "University hospital, north"
    assert shared_api.get(f"{STUDY}/sites/999").status == 404
    design = shared_api.get(f"{STUDY}/metadata")
    assert design.body == demo_study("design")
    assert shared_api.get(f"{STUDY}/metadata/MDV.1", headers={"if-none-match": design.headers["etag"]}).status == 304
    assert shared_api.get(f"{STUDY}/metadata/MDV.2").status == 404
    assert shared_api.get("/v1/about", anonymous=True).document["formats"] == [
        "ODM-XML 1.3.2",
        "ODM-XML 2.0",
        "ODM JSON",
        "Dataset-JSON 1.1",
    ]
    assert shared_api.get("/healthz", anonymous=True).document == {"status": "ok"}


KEY = Secret(b"k" * 32)


@given(st.text(max_size=50), st.text(max_size=20), st.text(max_size=20))
def test_a_cursor_is_read_back_where_it_belongs_and_nowhere_else(after: str, bound_to: str, other: str):
    cursor = paging.write_cursor(KEY, bound_to=bound_to, after=after)
    assert paging.read_cursor(KEY, cursor, bound_to=bound_to) == after
    if other != bound_to:
        with pytest.raises(ApiProblem):
            paging.read_cursor(KEY, cursor, bound_to=other)


@given(st.text(max_size=60))
def test_any_other_cursor_is_refused(cursor: str):
    with pytest.raises(ApiProblem):
        paging.read_cursor(KEY, cursor, bound_to="x")

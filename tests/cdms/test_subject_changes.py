"""What becomes of a subject: status and site, each change with a reason, none lost, and who sees it afterwards."""

import pytest

STUDY = "/v1/studies/KF.DEMO"
AT_701 = [{"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["701"]}]


@pytest.fixture
def subject(shared_api, request) -> str:
    """The path of a new one, at site 701."""
    made = shared_api.register("KF.DEMO", request.node.name[-60:].strip(), "701")
    assert made.status == 201, made.body
    return f"{STUDY}/subjects/{made.document['subject_id']}"


def change(api, path, document, tag='"1"', **options):
    headers = {} if tag is None else {"if-match": tag}
    return api.request("PATCH", path, {"reason": "visit 9", **document}, headers, **options)


def test_a_change_moves_the_version_and_is_audited_with_what_was(shared_api, subject):
    done = change(shared_api, subject, {"status": "withdrawn"})
    assert (done.status, done.headers["etag"]) == (200, '"2"')
    assert done.document == shared_api.get(subject).document
    assert (done.document["status"], done.document["version"]) == ("withdrawn", 2)
    trail = shared_api.get(f"{STUDY}/audit?limit=1000&subject_id={subject.rpartition('/')[2]}").document["items"]
    assert trail[-1]["action"] == "change-subject"
    assert (trail[-1]["old"], trail[-1]["new"]) == ({"status": "enrolled"}, {"status": "withdrawn"})
    assert (trail[-1]["reason"], trail[-1]["client_id"]) == ("visit 9", "cl_1")


def test_who_has_not_seen_the_last_version_changes_nothing(shared_api, subject):
    """RFC 6585 §3, RFC 9110 §13.1.1."""
    needed = change(shared_api, subject, {"status": "withdrawn"}, None)
    assert (needed.status, needed.headers["etag"]) == (428, '"1"')
    for tag in ('"2"', 'W/"1"', '"x", "y"', "1"):
        stale = change(shared_api, subject, {"status": "withdrawn"}, tag)
        assert (stale.status, stale.headers["etag"]) == (412, '"1"')
    assert change(shared_api, subject, {"status": "completed"}, '"7", "1"').status == 200


def test_the_same_again_changes_nothing(shared_api, subject):
    before = shared_api.get(STUDY).document["high_water"]
    same = change(shared_api, subject, {"status": "enrolled", "site": "701"})
    assert (same.status, same.headers["etag"]) == (200, '"1"')
    assert shared_api.get(STUDY).document["high_water"] == before


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ({}, 422, "nothing-to-change"),
        ({"status": "withdrawn", "reason": " "}, 422, "reason-required"),
        ({"status": "withdrawn", "reason": None}, 422, "reason-required"),
        ({"status": "withdrawn", "reason": "x" * 501}, 422, "too-long"),
        ({"status": "gone"}, 422, "bad-status"),
        ({"status": None}, 422, "bad-member"),
        ({"status": "screened"}, 409, "bad-transition"),
        ({"status": "screen-failed"}, 409, "bad-transition"),
        ({"site": "999"}, 422, "unknown-site"),
        ({"key": "other"}, 422, "unknown-member"),
    ],
)
def test_a_change_that_cannot_be_is_refused(shared_api, subject, document, status, code):
    refused = change(shared_api, subject, document)
    assert (refused.status, refused.document["code"]) == (status, code)
    assert shared_api.get(subject).document["version"] == 1


def test_an_end_is_an_end(shared_api, subject):
    assert change(shared_api, subject, {"status": "completed"}).status == 200
    for status in ("screened", "enrolled", "withdrawn", "screen-failed"):
        assert change(shared_api, subject, {"status": status}, '"2"').document["code"] == "bad-transition"


def test_a_subject_that_went_to_another_site_leaves_the_view_of_the_first(shared_api, subject):
    partner = shared_api.token(details=AT_701)
    ways = (subject, f"{subject}/clinical-data", f"{STUDY}/audit?subject_id={subject.rpartition('/')[2]}")
    assert [shared_api.get(way, token=partner).status for way in ways] == [200] * 3
    away = change(shared_api, subject, {"site": "702"}, token=partner)
    assert (away.status, away.document["code"]) == (422, "unknown-site"), "it would give it out of its own hands"
    assert change(shared_api, subject, {"site": "702"}).status == 200
    assert [shared_api.get(way, token=partner).status for way in ways] == [404] * 3
    assert change(shared_api, subject, {"status": "withdrawn"}, '"2"', token=partner).status == 404
    known = subject.rpartition("/")[2].encode()
    for collection in ("subjects?limit=1000", "changes?limit=1000", "audit?limit=1000", "clinical-data"):
        answer = shared_api.get(f"{STUDY}/{collection}", token=partner)
        assert answer.status == 200
        assert known not in answer.body


def test_a_list_is_filtered_by_site_status_and_what_happened_since(api):
    for key, site in (("a", "701"), ("b", "702"), ("c", "701")):
        assert api.register("KF.DEMO", key, site).status == 201
    found = {one["key"]: one["subject_id"] for one in api.get(f"{STUDY}/subjects").document["items"]}
    since = api.get(STUDY).document["high_water"]
    assert change(api, f"{STUDY}/subjects/{found['c']}", {"status": "completed"}).status == 200
    diary = f"{STUDY}/subjects/{found['b']}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"
    pain = {"items": [{"oid": "I.PAIN", "value": "3"}]}
    assert api.request("PUT", diary, pain, {"if-none-match": "*"}).status == 201

    def listed(query):
        return [one["key"] for one in api.get(f"{STUDY}/subjects?{query}").document["items"]]

    assert listed("status=completed") == ["c"]
    assert listed("status=enrolled&site=701") == ["a"]
    assert listed(f"updated_after_seq={since}") == ["b", "c"]
    assert listed(f"updated_after_seq={since}&site=702&limit=1") == ["b"]
    page = api.get(f"{STUDY}/subjects?updated_after_seq={since}&limit=1").document
    assert [one["key"] for one in page["items"]] == ["b"]
    assert listed(f"updated_after_seq={since}&limit=1&cursor={page['next']}") == ["c"]
    for other in ("", "updated_after_seq=0&", "status=enrolled&"):
        assert api.get(f"{STUDY}/subjects?{other}limit=1&cursor={page['next']}").status == 400
    for wrong in ("status=gone", "updated_after_seq=-1", "updated_after_seq=99999"):
        assert api.get(f"{STUDY}/subjects?{wrong}").status == 400

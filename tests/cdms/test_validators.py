"""An export is not made again for who has it: after a change, for another right or in another form it is another."""

import json

import pytest

STUDY = "/v1/studies/KF.DEMO"
ODM, LB = f"{STUDY}/clinical-data", f"{STUDY}/datasets/IG.LB"
ODM_1, ODM_2, JSON = "application/xml; odm=1.3.2", "application/xml; odm=2.0", "application/json"
KINDS = {
    ODM: (ODM_1, ODM_2, JSON),
    f"{STUDY}/subjects/SUBJECT/clinical-data": (ODM_1, ODM_2, JSON),
    f"{STUDY}/datasets": (JSON,),
    LB: (JSON, "application/x-ndjson", "application/zlib"),
    f"{STUDY}/audit": (ODM_1,),
}
EXPORTS = [(path, kind) for path, kinds in KINDS.items() for kind in kinds]
WITHOUT_IDENTIFIERS = "studies:read subjects:read clinical-data:read datasets:read audit:read"


@pytest.fixture(scope="module")
def api(shared_api, demo_study, tmp_path_factory):
    """With all of the demonstration's data."""
    path = tmp_path_factory.mktemp("data") / "data.xml"
    path.write_bytes(demo_study("data"))
    shared_api.run("load", path)
    assert shared_api.request("PATCH", LB, json.loads(demo_study("lab.json"))).document["stored"] == 24
    return shared_api


@pytest.fixture(scope="module")
def subject(api):
    return api.get(f"{STUDY}/subjects?site=701").document["items"][0]["subject_id"]


@pytest.mark.parametrize(("path", "kind"), EXPORTS)
def test_an_export_that_a_reader_has_is_not_made_again(api, subject, path, kind):
    """RFC 9110 §8.8.1, §8.8.3.3, §13.1.2, §15.4.5: weak, since each says when it was made."""
    path = path.replace("SUBJECT", subject)
    whole, plain = api.token(), api.token(WITHOUT_IDENTIFIERS)
    first = api.get(path, headers={"accept": kind}, token=whole)
    tag = first.headers["etag"]
    assert (first.status, tag[:3]) == (200, 'W/"')
    for known in (tag, f'"other", {tag}', "*"):
        again = api.get(path, headers={"accept": kind, "if-none-match": known}, token=whole)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    head = api.request("HEAD", path, headers={"accept": kind}, token=whole)
    assert (head.status, head.headers["etag"]) == (200, tag)
    packed = api.get(path, headers={"accept": kind, "accept-encoding": "gzip"}, token=whole).headers["etag"]
    assert api.get(path, headers={"accept": kind, "if-none-match": packed}, token=whole).status == 304
    # Who may not see what identifies a person has not what others have, nor have they what he has.
    less = api.get(path, headers={"accept": kind, "if-none-match": tag}, token=plain)
    assert (less.status, less.headers["etag"] == tag) == (200, False)
    assert api.get(path, headers={"accept": kind, "if-none-match": less.headers["etag"]}, token=whole).status == 200


def test_each_question_form_and_right_has_a_tag_of_its_own(api, subject):
    def tags(path, kind, token=None):
        return api.get(path.replace("SUBJECT", subject), headers={"accept": kind}, token=token).headers["etag"]

    def limited(**limits):
        return api.token(details=[{"type": "cdms_study", "identifier": "KF.DEMO", **limits}])

    seq = api.get(STUDY).document["high_water"]
    found = [tags(path, kind) for path, kind in EXPORTS]
    found += [
        tags(f"{ODM}?{query}", ODM_1) for query in ("site=701", "event=SE.VISIT", "form=F.VS", f"as_of_seq={seq}")
    ]
    found += [tags(f"{LB}?{query}", JSON) for query in ("offset=1", "limit=1", "metadataonly=true", "dataonly=true")]
    found += [tags(f"{STUDY}/audit?{query}", ODM_1) for query in ("after=1", "limit=1", f"subject_id={subject}")]
    found += [tags(ODM, ODM_1, limited(**one)) for one in ({}, {"sites": ["701"]}, {"forms": ["F.VS"]})]
    assert len(set(found)) == len(found)
    assert found == [*(tags(path, kind) for path, kind in EXPORTS), *found[len(EXPORTS) :]], "a tag is kept"


def test_after_any_change_of_the_study_there_is_another(api, subject):
    """A value that changes and changes back, too: the trail has grown."""
    diary = f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=9"
    seen: dict[str, set[str]] = {}
    condition = {"if-none-match": "*"}
    for pain in ("3", "4", "3"):
        body = {"items": [{"oid": "I.PAIN", "value": pain}], "reason": "mended"}
        put = api.request("PUT", diary, body, condition)
        assert put.status in (200, 201), put.body
        condition = {"if-match": put.headers["etag"]}
        for path, kind in EXPORTS:
            known = ", ".join(seen.setdefault(path + kind, set())) or '"none"'
            asked = {"accept": kind, "if-none-match": known}
            answer = api.get(path.replace("SUBJECT", subject), headers=asked)
            assert answer.status == 200, (path, kind)
            seen[path + kind].add(answer.headers["etag"])
    assert {len(one) for one in seen.values()} == {3}


def test_whoever_has_it_costs_no_reading_of_values(api, subject):
    paths = [(path.replace("SUBJECT", subject), kind) for path, kind in EXPORTS if "audit" not in path]
    known = {one: api.get(one[0], headers={"accept": one[1]}).headers["etag"] for one in paths}
    api.sql("ALTER TABLE item_value RENAME TO taken_away", "ALTER TABLE item_group RENAME TO taken_away_too")
    try:
        for (path, kind), tag in known.items():
            assert api.get(path, headers={"accept": kind, "if-none-match": tag}).status == 304
    finally:
        api.sql("ALTER TABLE taken_away RENAME TO item_value", "ALTER TABLE taken_away_too RENAME TO item_group")
    assert api.get(ODM).status == 200


def test_a_condition_hides_no_refusal(api):
    """RFC 9110 §13.2.1: conditions are asked of what would be answered without them."""
    anything = {"if-none-match": "*"}
    assert api.get(f"{STUDY}/subjects/sub_none/clinical-data", headers=anything).status == 404
    assert api.get(f"{STUDY}/datasets/IG.NONE", headers=anything).status == 404
    assert api.get(f"{ODM}?as_of_seq=0", headers=anything).status == 409
    assert api.get(f"{ODM}?as_of_seq=999999", headers=anything).status == 400
    assert api.get(ODM, headers=anything | {"accept": "text/csv"}).status == 406
    unknown = api.get(LB, headers={"if-match": '"other"'})
    assert (unknown.status, unknown.document["code"]) == (412, "precondition-failed")


def test_a_date_is_not_asked_where_a_tag_is(api):
    """RFC 9110 §13.2.2: by its date nothing has changed; by its tag he has another one."""
    later = {"if-modified-since": "Fri, 31 Dec 2100 00:00:00 GMT"}
    for path in (LB, f"{STUDY}/datasets"):
        assert api.get(path, headers=later).status == 304
        assert api.get(path, headers=later | {"if-none-match": '"other"'}).status == 200

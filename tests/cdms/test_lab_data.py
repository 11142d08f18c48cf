"""Lab data in, row by row: what each row may be, what is said of one that may not, and how a transfer is reconciled."""

import base64
import hashlib
import json
import zlib

import pytest

STUDY = "/v1/studies/KF.DEMO"
LB = f"{STUDY}/datasets/IG.LB"
SUBJECTS = {"701-001": "701", "701-002": "701", "702-001": "702", "702-002": "702"}
ROW = ["701-001", 1, "AST", "2026-02-12", "20", "U/L", 20, 10, 40, "NORMAL"]
RESULT = 4


@pytest.fixture(scope="module")
def lab(demo_study):
    """The demonstration's transfer."""
    return json.loads(demo_study("lab.json"))


@pytest.fixture(scope="module")
def api(shared_api, lab):
    """With the demonstration's subjects and its first transfer. The tests add rows of their own."""
    for key, site in SUBJECTS.items():
        assert shared_api.register("KF.DEMO", key, site).status == 201
    assert patch(shared_api, lab).document["stored"] == 24
    return shared_api


def patch(api, document, *, query="", kind="application/json", headers=None, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return api.request("PATCH", f"{LB}{query}", body, {"content-type": kind, **(headers or {})}, **options)


@pytest.fixture
def transfer(lab):
    """A document of these rows; each keyword is another attribute."""

    def make(*rows, **others):
        return {**lab, "records": len(rows), "rows": list(rows), **others}

    return make


def row(**values):
    """A row that is new, for each visit and test of its own."""
    names = ("subject", "visit", "test", "at", "result", "unit", "number", "low", "high", "indicator")
    return [values.get(name, default) for name, default in zip(names, ROW, strict=True)]


def high_water(api):
    return api.get(STUDY).document["high_water"]


def stored(api, **filters):
    rows = api.get(f"{LB}?dataonly=true").document["rows"]
    return [one for one in rows if all(one[ROW_PLACES[name]] == value for name, value in filters.items())]


ROW_PLACES = {"subject": 0, "visit": 1, "test": 2, "at": 3}


def test_a_transfer_is_stored_once_and_its_receipt_is_given_again(api, lab):
    """sent = stored + unchanged + refused, and the hash of what came."""
    body = json.dumps(lab).encode()
    again = patch(api, body)
    assert (again.status, again.headers["idempotent-replay"]) == (200, "true")
    other = patch(api, json.dumps({**lab, "fileOID": "KF.DEMO.LAB.2"}).encode())
    receipt = other.document
    assert (receipt["sent"], receipt["stored"], receipt["unchanged"], receipt["refused"]) == (24, 0, 24, 0)
    assert receipt["sha256"] == hashlib.sha256(json.dumps({**lab, "fileOID": "KF.DEMO.LAB.2"}).encode()).hexdigest()
    kept = api.get(f"/v1/batches/{receipt['batch']}", token=api.token("lab-data:write"))
    assert kept.document == {**receipt, "study": "KF.DEMO", "at": kept.document["at"], "file_oid": "KF.DEMO.LAB.2"}
    assert api.get(f"/v1/batches/{receipt['batch']}", token=api.token("batches:read")).document == kept.document
    strangers = (
        api.get(f"/v1/batches/{receipt['batch']}", token=api.token("batches:read", client_id="cl_2")),
        api.get(f"/v1/batches/{receipt['batch']}", token=api.token("batches:read", details=[])),
        api.get("/v1/batches/bat_none", token=api.token("batches:read")),
    )
    assert {(one.status, one.document["code"]) for one in strangers} == {(404, "not-found")}


def test_a_dry_run_tells_and_leaves_nothing(api, transfer):
    before = high_water(api)
    for _ in range(2):
        looked = patch(api, transfer(row(test="GLUC", at="2026-03-01")), query="?dry_run=true")
        assert (looked.document["stored"], looked.document["batch"]) == (1, None)
        assert "idempotent-replay" not in looked.headers
    assert high_water(api) == before


def test_a_row_is_one_change_and_one_record_that_the_audit_shows_by_value(api, transfer):
    before = high_water(api)
    sent = row(test="CREAT", at="2026-03-02T09:00", result="<40", number=None, unit="umol/L", indicator="")
    assert patch(api, transfer(sent)).document["stored"] == 1
    (change,) = api.get(f"{STUDY}/changes?after={before}").document["items"]
    assert change["seq"] == before + 1 == high_water(api)
    assert change["action"] == "insert"
    assert change["place"] == {
        "event": "SE.VISIT", "event_repeat": "1", "form": "F.LB", "form_repeat": None, "item_group": "IG.LB",
        "item_group_repeat": "CREAT|2026-03-02T09:00", "item": None,
    }  # fmt: skip
    assert change["value"] == {
        "I.LBVISIT": "1", "I.LBTESTCD": "CREAT", "I.LBDTC": "2026-03-02T09:00", "I.LBORRES": "<40",
        "I.LBORRESU": "umol/L", "I.LBSTNRLO": "10", "I.LBSTNRHI": "40",
    }  # fmt: skip
    trail = api.get(f"{STUDY}/audit?after={before}").document["items"]
    assert {one["seq"] for one in trail} == {before + 1}
    assert {one["place"]["item"]: one["new"]["value"] for one in trail} == change["value"]
    assert all(one["action"] == "insert" and "old" not in one and one["client_id"] == "cl_1" for one in trail)


def test_a_row_shows_what_identifies_only_to_who_may_see_it(api):
    before = high_water(api)
    assert patch(api, {"rows": [[*row(at="2026-03-06"), "Dr Who"]]}).document["stored"] == 1
    without = api.token("changes:read audit:read")
    for path in (f"{STUDY}/changes?after={before}", f"{STUDY}/audit?after={before}"):
        assert b"Dr Who" in api.get(path).body
        hidden = api.get(path, token=without).body
        assert b"2026-03-06" in hidden
        assert b"Dr Who" not in hidden
        assert b"I.LBNAM" not in hidden


def test_rows_are_in_the_exports_also_as_they_were(api, transfer):
    first, changed = row(at="2026-03-07", result="7777"), row(at="2026-03-07", result="8888")
    assert patch(api, transfer(first)).status == 200
    then = high_water(api)
    assert patch(api, transfer(changed), headers={"keyfob-reason": "diluted"}).document["stored"] == 1
    now = api.get(f"{STUDY}/clinical-data").body
    assert b"8888" in now
    assert b"7777" not in now
    former = api.get(f"{STUDY}/clinical-data?as_of_seq={then}").body
    assert b"7777" in former
    assert b"8888" not in former
    assert b"2026-03-07" not in api.get(f"{STUDY}/clinical-data?as_of_seq={then - 1}").body
    trail = api.get(f"{STUDY}/audit?after={then}", headers={"accept": "application/xml"}).body
    assert b'Value="8888"' in trail
    assert b"diluted" in trail


def test_the_receipt_of_an_odm_file_stays_too(api):
    odm = (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="ODM.1" ODMVersion="1.3.2" '
        'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1"/></ODM>'
    )
    receipt = api.post_odm("KF.DEMO", odm.encode()).document
    kept = api.get(f"/v1/batches/{receipt['batch']}", token=api.token("clinical-data:write")).document
    assert {**kept, **receipt} == kept
    assert (kept["file_oid"], kept["sha256"]) == ("ODM.1", hashlib.sha256(odm.encode()).hexdigest())


def test_other_values_need_a_reason_from_the_row_or_for_the_transfer(api, transfer, lab):
    first, changed = row(test="ALT", at="2026-03-03"), row(test="ALT", at="2026-03-03", result="21", number=21)
    assert patch(api, transfer(first)).status == 200
    before = high_water(api)
    refused = patch(api, transfer(row(test="AST", at="2026-03-03"), changed))
    assert (refused.status, refused.document["code"]) == (409, "other-values")
    assert [one["pointer"] for one in refused.document["errors"]] == ["/rows/1"]
    assert high_water(api) == before
    columns = [*lab["columns"], {"itemOID": "keyfob.reason", "name": "REASON", "label": "Why", "dataType": "string"}]
    given = patch(api, transfer([*changed, " diluted "], columns=columns))
    assert given.document["stored"] == 1
    (one, *_) = trail = api.get(f"{STUDY}/audit?after={before}").document["items"]
    assert {one["place"]["item"] for one in trail} == {"I.LBORRES", "I.LBSTRESN"}
    assert (one["action"], one["old"], one["new"], one["reason"]) == (
        "update", {"value": "20"}, {"value": "21"}, "diluted",
    )  # fmt: skip
    emptied = row(test="ALT", at="2026-03-03", result="", number=None, indicator="")
    assert patch(api, transfer(emptied)).status == 409
    assert patch(api, transfer(emptied), headers={"keyfob-reason": "wrong tube"}).document["stored"] == 1
    last = api.get(f"{STUDY}/audit?after={before + 1}").document["items"]
    assert {(one["action"], one["reason"], "new" in one) for one in last} == {("remove", "wrong tube", False)}
    assert stored(api, test="ALT", at="2026-03-03")[0][RESULT : RESULT + 3] == ["", "U/L", None]
    assert api.run("audit", "verify", "KF.DEMO")["whole"] is True


def test_what_was_not_sent_is_left_and_one_number_is_one_key_however_written(api, transfer, lab):
    patch(api, transfer(row(test="GLUC", at="2026-03-04", number=20)))
    same = json.dumps({**transfer(), "records": 1, "columns": lab["columns"][:4], "rows": []}).replace(
        '"rows": []', '"rows": [["701-001", 1.0, "GLUC", "2026-03-04"]]'
    )
    # 1.0 is no integer of ODM, though it is the same key.
    assert [one["code"] for one in patch(api, same.encode()).document["errors"]] == ["bad-type"]
    answer = patch(api, same.replace("1.0", "1").encode())
    assert (answer.document["stored"], answer.document["unchanged"]) == (0, 1)
    exact = json.dumps(transfer(row(test="GLUC", at="2026-03-04", number=20))).replace("20, 10, 40", "20.0, 1.0e1, 40")
    assert patch(api, exact.encode()).document["unchanged"] == 1


def test_numbers_are_kept_as_they_were_sent(api, transfer):
    sent = json.dumps(transfer(row(test="GLUC", at="2026-03-05", number="N"))).replace('"N"', "39.0")
    assert patch(api, sent.encode()).document["stored"] == 1
    assert b'"GLUC","2026-03-05","20","U/L",39.0,10,40' in api.get(LB).body


WRONG = {
    "an unknown subject": (row(subject="nobody"), "unknown-subject", "/rows/0"),
    "no subject": (row(subject=""), "unknown-subject", "/rows/0/0"),
    "an unknown visit": (row(visit=9), "code-list", "/rows/0/1"),
    "no visit": (row(visit=None), "unknown-visit", "/rows/0/1"),
    "an unknown test": (row(test="XYZ"), "code-list", "/rows/0/2"),
    "an unknown unit": (row(unit="furlong"), "code-list", "/rows/0/5"),
    "too few values": (row()[:-1], "arity", "/rows/0"),
    "too many values": ([*row(), ""], "arity", "/rows/0"),
    "a text where a number belongs": (row(number="20"), "bad-type", "/rows/0/6"),
    "a number where a text belongs": (row(result=20), "bad-type", "/rows/0/4"),
    "an array in a cell": (row(result=["20"]), "bad-type", "/rows/0/4"),
    "a date that is none": (row(at="2026-02-30"), "bad-type", "/rows/0/3"),
    "a text that is too long": (row(result="x" * 21), "too-long", "/rows/0/4"),
    "a character that XML cannot carry": (row(result="\x01"), "bad-character", "/rows/0/4"),
    "a mandatory value missing": (row(at=""), "mandatory", "/rows/0"),
}


def test_each_defect_of_a_row_is_named_by_its_index_and_nothing_is_stored(api, transfer):
    before = high_water(api)
    for name, (wrong, code, pointer) in WRONG.items():
        answer = patch(api, transfer(wrong, row(at="2026-04-01")))
        assert (answer.status, answer.document["code"]) == (422, code), (name, answer.body)
        assert [(one["code"], one["pointer"]) for one in answer.document["errors"]] == [(code, pointer)], name
    twice = patch(api, transfer(row(at="2026-04-01"), row(at="2026-04-01", result="1")))
    assert [(one["code"], one["pointer"]) for one in twice.document["errors"]] == [("duplicate", "/rows/1")]
    assert high_water(api) == before


def test_rows_that_cannot_be_stored_may_be_left_out(api, transfer):
    rows = [row(at="2026-04-02"), *(wrong for wrong, _, _ in WRONG.values())]
    answer = patch(api, transfer(*rows), query="?on_error=skip")
    receipt = answer.document
    assert answer.status == 200
    assert (receipt["sent"], receipt["stored"], receipt["unchanged"], receipt["refused"]) == (16, 1, 0, 15)
    assert receipt["errors_total"] == 15
    assert receipt["errors_by_code"]["bad-type"] == 4
    assert {int(one["pointer"].split("/")[2]) for one in receipt["errors"]} == set(range(1, 16))
    assert len(stored(api, at="2026-04-02")) == 1


def columns_with(lab, place, **changes):
    columns = [dict(column) for column in lab["columns"]]
    columns[place] |= changes
    return columns


def test_a_document_that_contradicts_the_dataset_or_itself_is_refused_whole(api, transfer, lab):
    wrong = {
        "unknown-column": transfer(row(), columns=columns_with(lab, 5, itemOID="I.X")),
        "column-type": transfer(row(), columns=columns_with(lab, 6, dataType="string")),
        "missing-key-column": transfer(row()[:3] + row()[4:], columns=lab["columns"][:3] + lab["columns"][4:]),
        "duplicate": transfer(row(), columns=columns_with(lab, 5, itemOID="I.LBORRES", name="LBORRES")),
        "records": transfer(row(), records=2),
        "other-study": transfer(row(), studyOID="OTHER"),
        "other-dataset": transfer(row(), itemGroupOID="IG.VS"),
    }
    for code, document in wrong.items():
        for query in ("", "?on_error=skip"):
            answer = patch(api, document, query=query)
            assert (answer.status, answer.document["code"]) == (422, code), answer.body
    told = patch(api, transfer(metaDataVersionOID="MDV.0"), query="?dry_run=true").document["warnings"]
    assert [one["code"] for one in told] == ["other-version"]


MALFORMED = {
    "not-json": [b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000],
    "not-utf-8": [b'{"a": "\xff"}'],
    "not-dataset-json": [b"[]", b'{"rows": 1}', b'{"rows": [1]}'],
    "dataset-json-version": [b'{"datasetJSONVersion": "1.0"}'],
}


def test_what_is_no_dataset_json_is_refused_before_anything_is_stored(api, transfer, lab):
    for code, bodies in MALFORMED.items():
        for body in bodies:
            answer = patch(api, body)
            assert (answer.status, answer.document["code"]) == (400, code), (body[:20], answer.body)
    without = {name: value for name, value in lab.items() if name != "records"}
    assert patch(api, without).document["errors"][0]["pointer"] == "/records"
    assert patch(api, lab, kind="text/plain").status == 415


def test_rows_alone_are_taken_in_the_order_of_the_columns(api):
    """As CDISC's Dataset-JSON API appends them."""
    alone = {"rows": [[*row(at="2026-04-03"), "Dr Who"]]}
    assert patch(api, alone).document["stored"] == 1
    assert stored(api, at="2026-04-03")[0][-1] == "Dr Who"


def test_lines_and_compressed_lines_are_read_and_a_finding_has_its_line(api, transfer):
    def lines(*rows):
        document = transfer(*rows)
        del document["rows"]
        return "".join(json.dumps(one) + "\n" for one in (document, *rows)).encode()

    assert patch(api, lines(row(at="2026-05-01")), kind="application/x-ndjson").document["stored"] == 1
    packed = zlib.compress(lines(row(at="2026-05-01"), row(at="2026-05-02")))
    answer = patch(api, packed, kind="application/zlib").document
    assert (answer["stored"], answer["unchanged"], answer["sha256"]) == (1, 1, hashlib.sha256(packed).hexdigest())
    whole = zlib.compress(json.dumps(transfer(row(at="2026-05-02"))).encode())
    assert patch(api, whole, kind="application/zlib").document["unchanged"] == 1
    refused = patch(api, lines(row(at="2026-05-03"), row(subject="nobody")), kind="application/x-ndjson")
    assert [(one["pointer"], one["line"]) for one in refused.document["errors"]] == [("/rows/1", 3)]
    broken = patch(api, lines(row(at="2026-05-03")) + b"[", kind="application/x-ndjson")
    assert broken.document["errors"][0]["line"] == 3
    cut = patch(api, lines(row(at="2026-05-03"), row(at="2026-05-04")).rpartition(b"[")[0], kind="application/x-ndjson")
    assert cut.document["code"] == "records"
    assert patch(api, packed[:-3], kind="application/zlib").document["code"] == "not-zlib"
    assert patch(api, packed + b"x", kind="application/zlib").document["code"] == "not-zlib"


def test_what_unfolds_to_gigabytes_is_stopped_while_it_unfolds(api):
    bomb = zlib.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    answer = patch(api, bomb, kind="application/zlib")
    assert (answer.status, answer.document["code"]) == (413, "too-large")


def test_a_transfer_whose_digest_is_another_is_refused(api, transfer):
    """RFC 9530 §2, §5."""
    body = json.dumps(transfer(row(at="2026-05-05"))).encode()

    def digest(content, algorithm="sha256"):
        return f"sha-{algorithm[3:]}=:{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}:"

    def sent(header):
        return patch(api, body, query="?dry_run=true", headers={"content-digest": header})

    for good in (digest(body), digest(body, "sha512"), f"{digest(body, 'sha512')}, {digest(body)}", "md5=:AAAA:"):
        assert sent(good).status == 200, good
    for bad in (digest(b"x"), f"{digest(body)}, {digest(b'x', 'sha512')}"):
        assert sent(bad).document["code"] == "digest-mismatch"
    assert sent("sha-256=abc").document["code"] == "bad-digest"


def test_an_indicator_that_its_range_contradicts_is_stored_and_told(api, transfer):
    before = high_water(api)
    answer = patch(api, transfer(row(at="2026-05-06", indicator="HIGH")))
    assert answer.document["stored"] == 1
    assert [(one["code"], one["pointer"]) for one in answer.document["warnings"]] == [("reference-range", "/rows/0/9")]
    trail = api.get(f"{STUDY}/audit?after={before}").document["items"]
    told = {one["place"]["item"]: one["soft_checks"] for one in trail if "soft_checks" in one}
    assert told == {"I.LBNRIND": ["the indicator does not agree with the value and its reference range"]}, "its alone"


def test_only_external_datasets_take_rows(api, transfer):
    refused = api.request("PATCH", f"{STUDY}/datasets/IG.VS", transfer())
    assert (refused.status, refused.document["code"]) == (403, "not-external")
    assert api.request("PATCH", f"{STUDY}/datasets/IG.NONE", transfer()).status == 404


def test_a_site_or_form_limit_holds_and_tells_nothing_of_the_others(api, transfer):
    def token(**limits):
        return api.token("lab-data:write", details=[{"type": "cdms_study", "identifier": "KF.DEMO", **limits}])

    at_702 = token(sites=["702"])
    assert patch(api, transfer(row(subject="702-001", at="2026-05-07")), token=at_702).document["stored"] == 1
    answers = [
        patch(api, transfer(row(subject=subject, at="2026-05-07")), token=at_702)
        for subject in ("701-001", "never-was")
    ]  # fmt: skip
    assert {answer.status for answer in answers} == {422}
    assert answers[0].document["errors"] == answers[1].document["errors"]
    assert patch(api, transfer(), token=token(forms=["F.VS"])).status == 404
    assert patch(api, transfer(row(at="2026-05-08")), token=token(forms=["F.LB"])).document["stored"] == 1
    assert patch(api, transfer(), token=token(actions=["datasets:read"])).status == 404


def test_no_key_and_no_value_is_in_a_log_or_a_refusal(api, transfer):
    answer = patch(
        api, transfer(row(subject="secret-key"), row(result="secret-value-secret-value"), row(unit="secret-unit"))
    )
    assert answer.status == 422
    assert b"secret" not in answer.body
    assert "secret" not in api.log
    assert "701-001" not in api.log

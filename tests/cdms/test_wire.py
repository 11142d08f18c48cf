"""What holds at every route alike: entity tags, compression, allowances, keys for repeats."""

import fcntl
import gzip
import http.client
import threading
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.cdms import coding, preconditions
from keyfob.cdms.allowance import Allowance
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.routes import ROUTES
from keyfob.oauth.wire import Response

STUDY = "/v1/studies/KF.DEMO"
PAIN = {"items": [{"oid": "I.PAIN", "value": "3"}]}
XML = {"content-type": "application/xml"}


def diary(subject: str, repeat: object = 1) -> str:
    return f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk={repeat}"


READ = (
    "/v1/studies", STUDY, f"{STUDY}/sites", f"{STUDY}/sites/701", f"{STUDY}/metadata", f"{STUDY}/metadata/MDV.1",
    f"{STUDY}/subjects", f"{STUDY}/changes", f"{STUDY}/audit", "/v1/about", "/openapi.json",
)  # fmt: skip


@pytest.mark.parametrize("path", READ)
def test_what_a_reader_has_is_not_sent_again(shared_api, path):
    """RFC 9110 §13.1.2, §15.4.5."""
    first = shared_api.get(path)
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = shared_api.get(path, headers={"if-none-match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    assert shared_api.get(path, headers={"if-none-match": '"other"'}).body == first.body
    assert shared_api.get(path, headers={"if-match": '"other"'}).status == 412
    head = shared_api.request("HEAD", path)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", tag)
    assert head.headers["content-length"] == str(len(first.body))


def test_head_of_an_export_makes_none(shared_api):
    """RFC 9110 §9.3.2."""
    head = shared_api.request("HEAD", f"{STUDY}/clinical-data")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"].startswith("application/xml")
    assert "content-length" not in head.headers


@pytest.mark.parametrize("path", [f"{STUDY}/metadata", f"{STUDY}/clinical-data", "/openapi.json"])
def test_an_answer_is_compressed_for_who_takes_it(with_data, path):
    """RFC 9110 §8.4, §12.5.3; a compressed form has a tag of its own (§8.8.3.3), which is as good in a condition."""

    def text(body):
        return body if b"CreationDateTime" not in body else body.partition(b"<ClinicalData")[2]

    plain = with_data.get(path)
    packed = with_data.get(path, headers={"accept-encoding": "br;q=1, gzip;q=0.5"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert {plain.headers["vary"], packed.headers["vary"]} == {"accept-encoding"}
    assert text(gzip.decompress(packed.body)) == text(plain.body)
    assert len(packed.body) < len(plain.body) / 2
    for refused in ("gzip;q=0", "br", "*;q=0", "identity"):
        assert "content-encoding" not in with_data.get(path, headers={"accept-encoding": refused}).headers
    if "etag" in plain.headers:
        tag = packed.headers["etag"]
        assert tag != plain.headers["etag"]
        for known in (tag, plain.headers["etag"]):
            again = with_data.get(path, headers={"if-none-match": known, "accept-encoding": "gzip"})
            assert again.status == 304


@pytest.fixture(scope="module")
def with_data(shared_api, demo_study, tmp_path_factory):
    data = tmp_path_factory.mktemp("data") / "data.xml"
    data.write_bytes(demo_study("data"))
    shared_api.run("load", data)
    return shared_api


def test_a_compressed_body_is_what_it_was(shared_api, demo_study):
    body = demo_study("design")
    sent = {**XML, "content-encoding": "gzip"}
    for packed in (gzip.compress(body), gzip.compress(body[:999]) + gzip.compress(body[999:])):
        done = shared_api.request("PUT", f"{STUDY}/metadata/MDV.1", packed, sent)
        assert (done.status, done.document["document"]) == (200, "unchanged")


@pytest.mark.parametrize(
    ("coding", "body", "status", "code"),
    [
        ("gzip", b"plain", 400, "bad-coding"),
        ("gzip", gzip.compress(b"x" * 9999)[:-9], 400, "bad-coding"),
        ("gzip", gzip.compress(b"x") + b"more", 400, "bad-coding"),
        ("br", b"x", 415, "unsupported-coding"),
        ("gzip, gzip", b"x", 415, "unsupported-coding"),
        ("gzip", gzip.compress(bytes(17 * 1024 * 1024)), 413, "too-large"),
    ],
    ids=("plain", "cut", "more", "brotli", "twice", "bomb"),
)
def test_a_body_that_cannot_be_unpacked_is_refused(shared_api, coding, body, status, code):
    """RFC 9110 §12.5.3, §15.5.16: of a coding that is not known, the one that is is told."""
    refused = shared_api.post_odm("KF.DEMO", body, headers={"content-encoding": coding})
    assert (refused.status, refused.document["code"]) == (status, code)
    if status == 415:
        assert refused.headers["accept-encoding"] == "gzip"


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 700))
def test_unpacking_gives_what_was_packed_or_says_that_it_is_too_much(parts, bound):
    headers = [(b"content-encoding", b"gzip")]
    whole, packed = b"".join(parts), b"".join(map(gzip.compress, parts))
    if len(whole) <= bound:
        assert coding.decoded(headers, packed, max_bytes=bound) == whole
    else:
        with pytest.raises(ApiProblem):
            coding.decoded(headers, packed, max_bytes=bound)


def test_a_bomb_is_unpacked_no_further_than_its_bound():
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1024 * 1024)) for _ in range(256)), packer.flush()])
    with pytest.raises(ApiProblem) as refused:
        coding.decoded([(b"content-encoding", b"gzip")], bomb, max_bytes=1024)
    assert refused.value.status == 413


@given(st.binary(max_size=3000))
def test_a_compressed_answer_is_read_back(body):
    made = coding.compressed([(b"accept-encoding", b"gzip")], Response(200, (), body))
    is_packed = (b"content-encoding", b"gzip") in made.headers
    assert is_packed == (len(body) >= 1024)
    assert (gzip.decompress(made.body) if is_packed else made.body) == body


@pytest.mark.parametrize(
    ("field", "weakly", "strongly"),
    [
        ('"a"', True, True), ('W/"a"', True, False), ('"a.gzip"', True, True), ('"b", "a"', True, True),
        ('"b"', False, False), ("a", False, False), ('"b" "a"', False, False), ("*", True, True), ('"a', False, False),
    ],
)  # fmt: skip
def test_tags_are_compared_as_they_are_meant(field, weakly, strongly):
    """RFC 9110 §8.8.3.2."""
    assert preconditions.is_known([(b"if-none-match", field.encode())], '"a"') is weakly
    wanted = [(b"if-match", field.encode())]
    if strongly:
        preconditions.check_change(wanted, '"a"', what="it")
    else:
        with pytest.raises(ApiProblem):
            preconditions.check_change(wanted, '"a"', what="it")


def test_every_answer_tells_what_is_left(shared_api):
    """draft-ietf-httpapi-ratelimit-headers."""
    token = shared_api.token(client_id="counted")
    left = []
    for path in ("/v1/studies", "/v1/studies/NONE", f"{STUDY}/clinical-data", f"{STUDY}/changes?limit=0"):
        told = shared_api.get(path, token=token).headers
        assert told["ratelimit-policy"] == '"requests";q=12000;w=60'
        name, remaining, resets = told["ratelimit"].split(";")
        assert (name, resets[:2]) == ('"requests"', "t=")
        left.append(int(remaining.removeprefix("r=")))
    assert all(11_900 < one < 12_000 for one in left)
    for anonymous in ("/healthz", "/v1/studies", "/nothing"):
        assert "ratelimit-policy" in shared_api.get(anonymous, anonymous=True).headers
    too_long = shared_api.post_odm("KF.DEMO", b"", headers={"content-length": "100000000"})
    assert (too_long.status, "ratelimit-policy" in too_long.headers) == (413, True)


def test_who_asks_too_often_waits_and_nobody_else(new_api, demo_study, tmp_path):
    api = new_api()
    with (api.home / "keyfob.toml").open("a") as file:
        file.write("\n[limits]\nrequests_per_client_per_minute = 5\n")
    api.serve()
    greedy = api.token(client_id="greedy")
    answers = [api.get("/v1/studies", token=greedy) for _ in range(6)]
    assert [one.status for one in answers] == [200] * 5 + [429]
    assert [one.headers["ratelimit"].partition(";t=")[0] for one in answers] == [
        f'"requests";r={left}' for left in (4, 3, 2, 1, 0, 0)
    ]
    refused = answers[-1]
    assert (refused.document["code"], refused.headers["content-type"]) == (
        "too-many-requests", "application/problem+json",
    )  # fmt: skip
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert api.get("/v1/studies", token=api.token(client_id="other")).status == 200
    assert api.get("/healthz", anonymous=True).status == 200


def test_an_allowance_comes_back_with_time():
    allowance = Allowance(60)
    assert [allowance.take("a", 0.0)[1] for _ in range(61)] == [0] * 60 + [1]
    assert allowance.take("a", 1.0) == ((*allowance.policy, (b"ratelimit", b'"requests";r=0;t=60')), 0)
    assert allowance.take("b", 1.0)[0][-1] == (b"ratelimit", b'"requests";r=59;t=1')
    assert Allowance(0).take("a", 0.0) == ((), 0)


def unsafe(api, design):
    """A request to each route that changes something, twice the same; by method and template."""
    subject, other, third = (api.register("KF.DEMO", key, "701").document["subject_id"] for key in "abc")
    assert api.request("PUT", diary(third), PAIN, {"if-none-match": "*"}).status == 201
    odm = (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileType="Snapshot" FileOID="f" ODMVersion="1.3.2" '
        'CreationDateTime="2026-01-01T00:00:00Z"><ClinicalData StudyOID="KF.DEMO" MetaDataVersionOID="MDV.1"/></ODM>'
    )
    group = "/v1/studies/{study}/subjects/{subject_id}/events/{event}/forms/{form}/item-groups/{group}"
    new = design.replace(b"MDV.1", b"MDV.9")
    return {
        "POST /v1/studies/{study}/subjects": (f"{STUDY}/subjects", {"key": "d"}, {}),
        "PATCH /v1/studies/{study}/subjects/{subject_id}": (
            f"{STUDY}/subjects/{subject}", {"status": "completed", "reason": "done"}, {"if-match": '"1"'},
        ),
        f"PUT {group}": (diary(other), PAIN, {"if-none-match": "*"}),
        f"DELETE {group}": (diary(third), b"", {"if-match": '"1"', "keyfob-reason": "wrong person"}),
        "PUT /v1/studies/{study}/metadata/{version}": (f"{STUDY}/metadata/MDV.9", new, XML),
        "POST /v1/studies/{study}/clinical-data": (f"{STUDY}/clinical-data", odm.encode(), XML),
        "PATCH /v1/studies/{study}/datasets/{dataset}": (f"{STUDY}/datasets/IG.LB", {"rows": []}, {}),
    }  # fmt: skip


READS_BY_POST = "POST /v1/studies/{study}/subjects/lookup"


def test_a_request_with_a_key_is_done_once_also_after_a_restart(api, demo_study):
    """draft-ietf-httpapi-idempotency-key-header §2: at every route that changes something."""
    requests = unsafe(api, demo_study("design"))
    routes = {f"{route.method} {route.template}" for route in ROUTES if route.method != "GET"} - {READS_BY_POST}
    assert set(requests) == routes, "a new route needs a request here"
    first = {}
    for name, (path, body, headers) in requests.items():
        answer = first[name] = api.request(name.split()[0], path, body, {**headers, "idempotency-key": name})
        assert answer.status in (200, 201, 204), (name, answer.body)
        assert "idempotent-replay" not in answer.headers
    high_water = api.get(STUDY).document["high_water"]
    api.stop()
    api.serve()
    for name, (path, body, headers) in requests.items():
        again = api.request(name.split()[0], path, body, {**headers, "idempotency-key": name})
        assert (again.status, again.body) == (first[name].status, first[name].body)
        assert again.headers["idempotent-replay"] == "true"
        assert again.headers.get("etag") == first[name].headers.get("etag")
    for name, (path, _, headers) in requests.items():
        different = {"key": "e", "status": "withdrawn", "items": PAIN["items"], "reason": "other"}
        if name.startswith("DELETE"):
            headers, different = headers | {"keyfob-reason": "another"}, b""
        elif headers == XML:
            different = demo_study("design").replace(b"MDV.1", b"MDV.9") + b"\n"
            if "clinical" in name:
                different = requests[name][1] + b"\n"
        elif "status" in requests[name][1]:
            different = {"status": "withdrawn", "reason": "other"}
        elif "rows" in requests[name][1]:
            different = {"rows": [[]]}
        elif "key" in requests[name][1]:
            different = {"key": "e"}
        else:
            different = {"items": [{"oid": "I.PAIN", "value": "4"}]}
        other = api.request(name.split()[0], path, different, {**headers, "idempotency-key": name})
        assert (other.status, other.document["code"]) == (422, "idempotency-key-reused"), name
    assert api.get(STUDY).document["high_water"] == high_water
    assert api.run("audit", "verify", "KF.DEMO")["whole"] is True


def test_a_dry_run_neither_uses_nor_leaves_a_key(api):
    odm = unsafe(api, b"")["POST /v1/studies/{study}/clinical-data"][1]
    key = {"idempotency-key": "dry"}
    for query, replayed in (("?dry_run=true", None), ("", None), ("?dry_run=true", None), ("", "true")):
        answer = api.post_odm("KF.DEMO", odm, query=query, headers=key)
        assert (answer.status, answer.headers.get("idempotent-replay")) == (200, replayed)
        assert (answer.document["batch"] is None) == (query != "")


@pytest.mark.parametrize("key", ["", "x" * 257, "a\tb"])
def test_a_malformed_key_is_refused(shared_api, key):
    refused = shared_api.register("KF.DEMO", "never", headers={"idempotency-key": key})
    assert (refused.status, refused.document["code"]) == (400, "bad-idempotency-key")


@pytest.mark.on("sqlite")
def test_the_same_key_while_the_first_is_running_is_a_conflict(api):
    """draft-ietf-httpapi-idempotency-key-header §2.6; another client's key is another key."""
    key = {"idempotency-key": "one"}
    answers: list[object] = []

    def register(name, token):
        answers.append(api.register("KF.DEMO", name, headers=key, token=token))

    same = api.token(), api.token(client_id="cl_2")
    threads = [threading.Thread(target=register, args=one) for one in (*[("a", same[0])] * 3, ("b", same[1]))]
    with (api.home / "cdms.db.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another writer's process does
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(answers) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # between two looks at the condition
        for refused in answers[:2]:
            assert (refused.document["code"], refused.headers["retry-after"]) == ("still-running", "1")
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in answers) == [201, 201, 409, 409]
    again = api.register("KF.DEMO", "a", headers=key)
    assert (again.status, again.headers["idempotent-replay"]) == (201, "true")


def test_who_writes_may_say_which_of_its_people_did(api):
    """CDMS: who, by client, token, and the partner's own operator."""
    named = {"keyfob-operator": "Zoë Müller, data entry".encode()}
    made = api.register("KF.DEMO", "1", headers=named)
    (record,) = api.get(f"{STUDY}/audit?subject_id={made.document['subject_id']}").document["items"]
    assert (record["client_id"], record["operator"]) == ("cl_1", "Zoë Müller, data entry")
    assert record["token_id"]
    for wrong in (b"\xff", b"x" * 129, "a\u0085b".encode()):
        assert api.register("KF.DEMO", "2", headers={"keyfob-operator": wrong}).status == 400


def test_a_query_that_is_not_known_is_refused_everywhere(shared_api):
    for path in ("/healthz", "/v1/about", "/openapi.json", *READ):
        refused = shared_api.get(f"{path}?colour=red")
        assert (refused.status, refused.document["code"]) == (400, "bad-query")
    assert shared_api.request("POST", f"{STUDY}/subjects?colour=red", {"key": "never"}).status == 400


def test_every_method_that_a_resource_lacks_is_answered_with_those_that_it_has(shared_api):
    """RFC 9110 §15.5.6."""
    connection: http.client.HTTPSConnection = shared_api.connect()
    by_path: dict[str, set[str]] = {}
    for route in ROUTES:
        by_path.setdefault(route.template, set()).add(route.method)
    for template, methods in by_path.items():
        offered = methods | ({"HEAD"} if "GET" in methods else set())
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - offered:
            connection.request(method, template.replace("{", "x").replace("}", ""))
            response = connection.getresponse()
            response.read()
            assert (response.status, set(response.getheader("allow").split(", "))) == (405, offered), template
    connection.close()

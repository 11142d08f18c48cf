"""Study designs over HTTP: a draft until it is live, and then never changed again."""

import pytest

STUDY = "/v1/studies/KF.DEMO"
XML = {"content-type": "application/xml"}


@pytest.fixture(scope="module")
def design(demo_study):
    """The demonstration's design as another version, with another word in it."""

    def make(version: str, word: str = "Headache") -> bytes:
        changed = demo_study("design").replace(b"MDV.1", version.encode())
        return changed.replace(b"Pain on a scale", word.encode() + b" on a scale")

    return make


def put(api, version, body, query="", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.request("PUT", f"{STUDY}/metadata/{version}{query}", body, XML | named)


def test_a_draft_changes_until_it_is_live_and_never_again(api, design):
    first, second = design("MDV.2"), design("MDV.2", "Ache")
    made = put(api, "MDV.2", first, keyfob_reason="protocol amendment 1 – Übersetzung".encode())
    assert (made.status, made.document["state"], made.document["document"]) == (201, "draft", "created")
    assert put(api, "MDV.2", first).document["document"] == "unchanged"
    assert api.get(f"{STUDY}/metadata").headers["etag"] != made.headers["etag"], "the live one is another"
    assert put(api, "MDV.2", second).status == 428
    assert put(api, "MDV.2", second, if_match='"x"').status == 412
    changed = put(api, "MDV.2", second, if_match=made.headers["etag"])
    assert (changed.status, changed.document["state"], changed.document["document"]) == (200, "draft", "replaced")
    assert api.get(f"{STUDY}/metadata/MDV.2").body == second
    live = put(api, "MDV.2", second, "?state=live")
    assert (live.status, live.document["state"], live.document["document"]) == (200, "live", "unchanged")
    assert api.get(STUDY).document["metadata_version"] == "MDV.2"
    high_water = api.get(STUDY).document["high_water"]
    assert put(api, "MDV.2", second, "?state=live").document["state"] == "live"
    refused = put(api, "MDV.2", first, if_match=live.headers["etag"])
    assert (refused.status, refused.document["code"]) == (409, "version-exists")
    assert put(api, "MDV.3", design("MDV.3"), "?state=live").document["state"] == "live"
    former = put(api, "MDV.2", first, if_match=live.headers["etag"])
    assert (former.status, former.document["code"]) == (409, "version-exists")
    assert put(api, "MDV.2", second).document["state"] == "superseded"
    assert put(api, "MDV.2", second, "?state=live").document["code"] == "superseded"
    assert api.get(STUDY).document["high_water"] == high_water + 2
    trail = api.get(f"{STUDY}/audit?limit=1000").document["items"]
    assert [(one["action"], one["version"]) for one in trail if one.get("version", "MDV.1") != "MDV.1"] == [
        ("load", "MDV.2"), ("load", "MDV.2"), ("live", "MDV.2"), ("load", "MDV.3"), ("live", "MDV.3"),
    ]  # fmt: skip
    assert "protocol amendment 1 – Übersetzung" in [one.get("reason") for one in trail]


def test_a_draft_that_the_operator_loaded_becomes_live(api, design, tmp_path):
    path = tmp_path / "design.xml"
    path.write_bytes(design("MDV.2"))
    assert api.run("load", path, "--draft")["loaded"][0]["designs"][0]["state"] == "draft"
    assert api.run("load", path, "--draft")["loaded"][0]["designs"][0]["state"] == "unchanged"
    assert api.run("load", path)["loaded"][0]["designs"][0]["state"] == "live"
    assert api.run("load", path)["loaded"][0]["designs"][0]["state"] == "unchanged"
    assert api.get(STUDY).document["metadata_version"] == "MDV.2"


@pytest.mark.parametrize(
    ("change", "query", "headers", "status", "code"),
    [
        ((b"MDV.1", b"MDV.2"), "", {}, 422, "other-version"),
        ((b'"KF.DEMO"', b'"KF.OTHER"'), "", {}, 422, "other-study"),
        ((b"<MetaDataVersion", b"<Other"), "", {}, 400, "not-xml"),
        ((b"x", b"x"), "?state=gone", {}, 400, "bad-query"),
        ((b"x", b"x"), "", {"content-type": "application/json"}, 415, "unsupported-media-type"),
        ((b"x", b"x"), "", {"if-none-match": "*"}, 412, "precondition-failed"),
        ((b"x", b"x"), "", {"keyfob-reason": "x" * 501}, 400, "bad-header"),
    ],
)
def test_a_design_that_cannot_be_is_refused(shared_api, demo_study, change, query, headers, status, code):
    body = demo_study("design").replace(*change)
    refused = shared_api.request("PUT", f"{STUDY}/metadata/MDV.1{query}", body, XML | headers)
    assert (refused.status, refused.document["code"]) == (status, code)


def test_who_is_limited_to_sites_or_forms_changes_no_design(shared_api, demo_study):
    for limit in ({"sites": ["701", "702"]}, {"forms": ["F.DM"]}):
        details = [{"type": "cdms_study", "identifier": "KF.DEMO", **limit}]
        body, token = demo_study("design"), shared_api.token(details=details)
        refused = shared_api.request("PUT", f"{STUDY}/metadata/MDV.1", body, XML, token=token)
        assert (refused.status, refused.document["code"]) == (403, "not-granted")


NAMES = (b'OID="MDV.9"', b'OID="SE.VISIT"', b'OID="F.VS"', b'OID="IG.VS"', b'OID="701"')


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [b"/", b"\\", b"&#x85;"], ids=("slash", "backslash", "control"))
def test_what_stands_in_paths_has_a_name_that_can(shared_api, design, name, bad):
    """Two readers would read `%2F` as two things: no path has one, so no name that paths have may need one."""
    # Also where it is referred to: `FormOID="F.VS"`.
    refused = put(shared_api, "MDV.9", design("MDV.9").replace(name, name[:-1] + bad + b'x"'))
    assert (refused.status, refused.document["code"]) == (422, "bad-oid")

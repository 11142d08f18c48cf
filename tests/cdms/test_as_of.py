"""What an export says of a number of the change feed is, to the byte, what it said when the study was there."""

import re

STUDY = "/v1/studies/KF.DEMO"
EXPORT = f"{STUDY}/clinical-data"
DIARY = "events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=1"


def same(document: bytes) -> bytes:
    return re.sub(rb'CreationDateTime="[^"]*"', b"", document)


def test_an_old_number_gives_what_was_exported_then(api, demo_study, tmp_path):
    """Changes, nulls, removals, what comes again, a transfer, a new subject, a new design: all of it is undone."""
    seen: dict[int, bytes] = {}
    whole = api.token()
    limited = api.token(details=[{"type": "cdms_study", "identifier": "KF.DEMO", "sites": ["702"]}])

    def look() -> None:
        document = api.get(EXPORT, token=whole).body
        seen[api.get(STUDY, token=whole).document["high_water"]] = same(document)

    def put(items: list[dict[str, object]], tag: dict[str, str], reason: str = "mended") -> dict[str, str]:
        body = {"items": items, "reason": reason}
        answer = api.request("PUT", f"{subject}/{DIARY}", body, tag, token=whole)
        assert answer.status in (200, 201), answer.body
        look()
        return {"if-match": answer.headers["etag"]}

    look()
    (tmp_path / "data.xml").write_bytes(demo_study("data"))
    api.run("load", tmp_path / "data.xml")
    look()
    made = api.register("KF.DEMO", "new", "701", token=whole)
    subject = f"{STUDY}/subjects/{made.document['subject_id']}"
    look()
    tag = put([{"oid": "I.PAIN", "value": "3"}, {"oid": "I.SLEEP", "value": "Y"}], {"if-none-match": "*"})
    tag = put([{"oid": "I.PAIN", "value": "4"}, {"oid": "I.SLEEP", "value": "Y"}], tag)
    tag = put([{"oid": "I.PAIN", "null": True}], tag)
    removed = api.request("DELETE", f"{subject}/{DIARY}", b"", tag | {"keyfob-reason": "twice"}, token=whole)
    assert removed.status == 204, removed.body
    look()
    put([{"oid": "I.PAIN", "value": "5"}], {"if-none-match": "*"})
    moved = api.request(
        "PATCH", subject, {"site": "702", "reason": "moved"}, {"if-match": made.headers["etag"]}, token=whole
    )
    assert moved.status == 200, moved.body
    look()
    before_move = sorted(seen)[-2]
    (tmp_path / "design.xml").write_bytes(demo_study("design").replace(b"MDV.1", b"MDV.2"))
    api.run("load", tmp_path / "design.xml")
    look()
    assert len(seen) == 10
    assert len(set(seen.values())) == 10
    for seq, document in seen.items():
        assert same(api.get(f"{EXPORT}?as_of_seq={seq}", token=whole).body) == document, seq
    # Whoever has it now sees its past, and not whose it was.
    past = api.get(f"{EXPORT}?as_of_seq={before_move}", token=limited).body.decode()
    (own,) = re.findall(r'<SubjectData SubjectKey="new">.*?</SubjectData>', past, re.DOTALL)
    assert 'Value="5"' in own
    assert "SiteRef" not in own
    assert "701" not in past

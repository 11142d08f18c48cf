"""However large a study is, an export of it needs the memory of a part.

By itself the test takes a few values of long texts, which show the difference as well. Of the million:

    KEYFOB_EXPORT_ITEMS=1000000 .venv/bin/python -m pytest -n 0 -s --timeout 1800 tests/cdms/test_memory.py
"""

import os
import re
import sys
from pathlib import Path

import pytest

ITEMS = int(os.environ.get("KEYFOB_EXPORT_ITEMS", "12000"))
IN_SUBJECT = 300
TEXT = "x" * (120_000_000 // ITEMS)
MOST = 200_000_000
GROWTH = 35_000_000
"""Bytes above what the server needs for one subject. All texts at once are 40,000,000."""
EXPORT = "/v1/studies/KF.DEMO/clinical-data"
FORMS = {
    "application/xml; odm=1.3.2": b"<ItemData ",
    "application/xml; odm=2.0": b"<ItemData ",
    "application/json": b'"itemOID"',
}


@pytest.fixture(scope="module")
def large(new_api, demo_study, tmp_path_factory):
    """ITEMS values, put into the tables directly: what an export reads is the same."""
    api = new_api()
    design = tmp_path_factory.mktemp("large") / "design.xml"
    design.write_bytes(demo_study("design"))
    api.run("load", design)
    subjects = counted(ITEMS // IN_SUBJECT)
    groups = counted(ITEMS // IN_SUBJECT * IN_SUBJECT // 3)
    api.sql(
        "INSERT INTO subject (id, study, key, key_folded, status, version, created_at) "
        f"{subjects} SELECT 'sub_' || i, 'KF.DEMO', 'K' || i, 'k' || i, 'enrolled', 1, 0 FROM n",
        "INSERT INTO item_group (id, subject, event, event_repeat, form, form_repeat, oid, oid_repeat, "
        f"metadata_version, version, removed) {groups} SELECT i, 'sub_' || ((i - 1) / {IN_SUBJECT // 3} + 1), "
        "'SE.AE', '', 'F.AE', '', 'IG.AE', i, 'MDV.1', 1, false FROM n",
        *(
            f"INSERT INTO item_value (item_group, oid, value, seq) {groups} SELECT i, '{oid}', '{value}', 1 FROM n"
            for oid, value in (("I.AETERM", TEXT), ("I.AESEV", "1"), ("I.AESER", "N"))
        ),
    )
    api.serve()
    return api


def counted(most: int) -> str:
    """A table `n` of the numbers from 1."""
    return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})"


def peak(api) -> int:
    """Bytes that the server's process had in memory at most."""
    status = Path(f"/proc/{api.processes[-1].pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def stream(api, path: str, accept: str) -> int:
    """How many items are in an export, which is read piece by piece."""
    word = FORMS[accept]
    connection = api.connect()
    connection.request("GET", path, headers={"authorization": f"Bearer {api.token()}", "accept": accept})
    response = connection.getresponse()
    assert response.status == 200
    found, rest = 0, b""
    while piece := response.read(1 << 20):
        whole = rest + piece
        found += whole.count(word)
        rest = whole[-len(word) + 1 :]
    connection.close()
    return found


def test_an_export_of_a_large_study_needs_no_large_memory(large):
    subject = large.get("/v1/studies/KF.DEMO/subjects?limit=1").document["items"][0]
    for accept in FORMS:
        one = f"/v1/studies/KF.DEMO/subjects/{subject['subject_id']}/clinical-data"
        assert stream(large, one, accept) == IN_SUBJECT
    before = peak(large)
    for accept in FORMS:
        assert stream(large, EXPORT, accept) == ITEMS // IN_SUBJECT * IN_SUBJECT
    after = peak(large)
    sys.stderr.write(f"{ITEMS} items: {before // 10**6} MB for one subject, {after // 10**6} MB for all\n")
    assert after < min(MOST, before + GROWTH)

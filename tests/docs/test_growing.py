"""The page on growing: its SQL on a real PostgreSQL, with tokens before and after it, and the trail walked."""

from pathlib import Path

from docs.test_documents import ROOT, blocks
from server.storage.conftest import NOW, fill, grant, open_store

PAGE = ROOT / "docs" / "how-to" / "operate" / "grow.md"


def test_the_trail_goes_on_in_parts(postgresql):
    ((_, text),) = [found for found in blocks(Path(PAGE).read_text(encoding="utf-8")) if found[0] == "sql"]
    url = postgresql.new_url()
    store = open_store(url)
    fill(store)
    store.record_grants([grant(n) for n in range(30)], NOW + 5)
    head = store.audit_head()
    store.close()
    # Its rights and its bounds, at the size of a test.
    for usual, here in (("OWNER TO issuer", "OWNER TO keyfob"), ("(20000000)", "(40)"), ("(40000000)", "(60)")):
        assert usual in text
        text = text.replace(usual, here)
    postgresql.sql(text, url.partition("?")[0].rpartition("/")[2])
    store = open_store(url)
    store.record_grants([grant(n) for n in range(30, 60)], NOW + 6)
    verdict = store.audit_verdict(expect=head)
    assert verdict.findings == ()
    assert store.audit_verdict(since=head).count == 30
    assert len(store.audit_tail(60)) == 60
    store.close()
    name = url.partition("?")[0].rpartition("/")[2]
    rows = postgresql.sql("SELECT tableoid::regclass, count(*) FROM audit_record GROUP BY 1 ORDER BY 1", name).split()
    assert len(rows) == 3, "each part has some"

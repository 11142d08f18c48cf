"""docs/reference/schema.md is what the tables are."""

import os
from pathlib import Path

from docs.schema_page import page
from keyfob.server.storage import schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "schema.md"


def test_the_page_of_the_schema_is_up_to_date():
    if os.environ.get("KEYFOB_WRITE_PAGES"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "KEYFOB_WRITE_PAGES=1 make docs writes it anew"


def test_every_table_and_every_column_is_on_it():
    text = page()
    for table in schema.metadata.sorted_tables:
        assert f"\n## {table.name}\n" in text
        section = text.partition(f"\n## {table.name}\n")[2].partition("\n## ")[0]
        for column in table.columns:
            assert f"| `{column.name}` |" in section

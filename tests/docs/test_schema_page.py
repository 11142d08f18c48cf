"""The pages of the schemas are what the tables are."""

import os
from pathlib import Path

import pytest

from docs.schema_page import PAGES, page, schema_of

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_of_a_schema_is_up_to_date(name):
    if os.environ.get("KEYFOB_WRITE_PAGES"):
        (FOLDER / name).write_text(page(name), encoding="utf-8")
    assert (FOLDER / name).read_text(encoding="utf-8") == page(name), "KEYFOB_WRITE_PAGES=1 make docs writes it anew"


@pytest.mark.parametrize("name", PAGES)
def test_every_table_and_every_column_is_on_it(name):
    text = page(name)
    for table in schema_of(name).metadata.sorted_tables:
        assert f"\n## {table.name}\n" in text
        section = text.partition(f"\n## {table.name}\n")[2].partition("\n## ")[0]
        for column in table.columns:
            assert f"| `{column.name}` |" in section

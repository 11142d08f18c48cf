"""docs/reference/declared-state.md and its schema are what the reader of the file knows."""

import json
import os
from pathlib import Path

from docs.declared_page import page
from keyfob.server.lifecycle import declaration_form

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_and_the_schema_of_the_declared_state_are_up_to_date():
    schema = json.dumps(declaration_form.schema(), indent=2) + "\n"
    for name, content in (("declared-state.md", page()), ("declared-state.schema.json", schema)):
        if os.environ.get("KEYFOB_WRITE_PAGES"):
            (REFERENCE / name).write_text(content, encoding="utf-8")
        assert (REFERENCE / name).read_text(encoding="utf-8") == content, "KEYFOB_WRITE_PAGES=1 make docs writes it"

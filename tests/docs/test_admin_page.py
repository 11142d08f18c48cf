"""docs/reference/admin-api.md is what the table of operations is."""

import os
from pathlib import Path

from docs.admin_page import page
from keyfob.server.admin.table import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "admin-api.md"


def test_the_page_of_the_admin_api_is_up_to_date():
    if os.environ.get("KEYFOB_WRITE_PAGES"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "KEYFOB_WRITE_PAGES=1 make docs writes it anew"


def test_every_operation_is_on_it():
    for one in OPERATIONS:
        assert f"`{one.path.removeprefix('/admin/v1')}` | `{one.scope}`" in page()

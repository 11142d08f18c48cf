"""docs/reference/settings.md is what the tables of the settings say."""

import os
from pathlib import Path

from docs.settings_page import page
from keyfob.cdms import settings as cdms
from keyfob.server import settings as server

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_of_the_settings_is_up_to_date():
    if os.environ.get("KEYFOB_WRITE_PAGES"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "KEYFOB_WRITE_PAGES=1 make docs writes it anew"


def test_every_setting_stands_on_it_once_for_each_program():
    for settings in (server.SETTINGS, cdms.SETTINGS):
        assert len({setting.name for setting in settings}) == len(settings)
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(server.SETTINGS) + len(cdms.SETTINGS)

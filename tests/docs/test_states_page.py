"""docs/reference/states.md is what the table of transitions says."""

import os
import re
from pathlib import Path

from docs.states_page import page
from keyfob.server.lifecycle import states

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "states.md"


def test_the_page_of_the_states_is_up_to_date():
    if os.environ.get("KEYFOB_WRITE_PAGES"):
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "KEYFOB_WRITE_PAGES=1 make docs writes it anew"


def test_every_transition_is_drawn_and_said_and_no_other():
    drawn = {
        (start, event, end)
        for start, end, events in re.findall(r"^    (\w+) --> (\w+): (.+)$", page(), re.MULTILINE)
        for event in events.split(", ")
    }
    said = set(re.findall(r"^\| (\w+) \| ([\w ]+) \| (\w+) \|", page(), re.MULTILINE))
    wanted = {(start.value, event.value, end.value) for (start, event), end in states.TRANSITIONS.items()}
    assert drawn == said == wanted

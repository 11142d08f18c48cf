"""docs/explanation/requirements.md names tests that are there, and one at least for each requirement."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "requirements.md"
NAMED = re.compile(r"^- `(tests/[\w/]+\.py)::(test_\w+)`$", re.MULTILINE)


def sections() -> dict[str, str]:
    parts = re.split(r"^## (R\d+):", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_requirement_has_a_section_and_names_a_test():
    assert list(sections()) == [f"R{number}" for number in range(1, 23)]
    assert [name for name, text in sections().items() if not NAMED.search(text)] == []


def test_every_test_that_is_named_is_there():
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(PAGE.read_text(encoding="utf-8"))
        if not (ROOT / file).is_file() or f"\ndef {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_whatever_looks_like_a_test_is_named_in_that_form():
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"::test_", text)) == len(NAMED.findall(text))

"""Every tagged requirement has a test that was seen to fail without it, and the table says what the code says."""

import ast

import pytest
from tests.standards.citations import Requirement, cited, citing, requirements, tags
from tests.standards.mutation import mutants
from tests.standards.not_applicable import NOT_APPLICABLE, SECTIONS, TITLES
from tests.standards.prove import says_no
from tests.standards.table import TABLE, is_current, read_proofs, write_table


def test_each_tagged_statement_has_a_test_that_fails_without_it():
    proofs, known = read_proofs(), citing()
    stale = [one.key for one in requirements() if not is_current(one, proofs, known)]
    assert not stale, "proven for another code or test than this one, or never: make standards"


def test_the_table_is_made_of_the_code():
    assert TABLE.read_text(encoding="utf-8") == write_table(requirements(), read_proofs(), citing()), "make standards"


def test_nothing_is_proven_that_is_not_there():
    assert set(read_proofs()) == {one.key for one in requirements()}


def test_no_section_of_a_listed_standard_is_forgotten():
    """Each is tagged, or cited by a test, or it is said why it does not apply."""
    found = {place for one in (*requirements(), *citing()) for place in one.places}
    explained = {
        (number, section.strip())
        for number, listed in NOT_APPLICABLE.items()
        for key in listed
        for section in key.split(",")
    }
    wanted = {
        (number, f"§{section}" if section[0].isdigit() else f"appendix {section}")
        for number, sections in SECTIONS.items()
        for section in sections.split()
    }
    assert sorted(wanted - found - explained) == []
    assert set(SECTIONS) | set(NOT_APPLICABLE) <= set(TITLES)


def tagged(source: str) -> list[Requirement]:
    return list(tags("x.py", source))


def test_a_tag_is_read_with_all_that_it_says():
    (one,) = tagged(
        "def f():\n    # RFC 6749 §3.2, appendix B, RFC 9110 §5.3: once\n    # and no more.\n    return 1\n"
    )
    assert one.places == ((6749, "§3.2"), (6749, "appendix B"), (9110, "§5.3"))
    assert (one.text, one.function) == ("once and no more", "f")


def test_several_tags_may_stand_above_one_statement():
    first, second = tagged("# RFC 1 §1: one.\n# RFC 2 §2: two.\nx = 1\n")
    assert (first.text, second.text) == ("one", "two")
    assert first.node is not None
    assert first.digest == second.digest


@pytest.mark.parametrize("source", ["# RFC 1 §1: above nothing.\n", "# RFC 1 §1: above a gap.\n\nx = 1\n"])
def test_a_tag_above_nothing_is_refused(source):
    with pytest.raises(ValueError, match="above no statement"):
        tagged(source)


@pytest.mark.parametrize("source", ["# See RFC 6749 §3.2: not a tag.\nx = 1\n", "# RFC 6749: no place.\nx = 1\n"])
def test_a_remark_is_no_tag(source):
    assert tagged(source) == []


def test_a_test_cites_in_many_words():
    assert set(cited("RFC 6749 §5.1, §3.3 and RFC 7518 §3; RFC 6749 appendix B reads both, not §9")) == {
        (6749, "§5.1"),
        (6749, "§3.3"),
        (7518, "§3"),
        (6749, "appendix B"),
    }


@pytest.mark.parametrize(
    ("source", "taken_away"),
    [
        ("if a > 1:\n    raise b\n", ["if False:\n    raise b\n"]),
        ("if a > 1:\n    b()\n", ["if False:\n    b()\n", "if True:\n    b()\n"]),
        ("if a == 1:\n    b()\n", ["if True:\n    b()\n", "if False:\n    b()\n"]),
        ("raise X(1)\n", ["pass\n"]),
        ("A = (1, 2)\n", ["A = ()\n"]),
        ("A = 'é' == b\n", ["A = True\n", "A = False\n"]),
        ("A = 5\n", ["A = 5001\n", "A = 0\n"]),
        ("A = True\n", ["A = False\n"]),
        ("A = None if b else c\n", ["A = c\n", "A = None\n"]),
        ("A = f(b if c else None)\n", ["A = f(b)\n", "A = f(None)\n"]),
        ("A = [f(b) for b in c]\n", ["A = c\n"]),
        ("A = {b: c for b, c in d.items() if c}\n", ["A = {b: c for b, c in d.items() if True}\n", "A = d.items()\n"]),
        ("A = b.replace('c', 'd')\n", ["A = b\n", "A = 'c'\n", "A = None\n"]),
        ("A = b.split('c')[0]\n", ["A = b\n"]),
        ("for a in b:\n    c\n", ["for a in ():\n    c\n"]),
    ],
)
def test_what_is_taken_away_leaves_a_program(source, taken_away):
    made = list(mutants(source, ast.parse(source).body[0]))
    assert made == taken_away
    for mutant in made:
        ast.parse(mutant)


@pytest.mark.parametrize(
    ("source", "taken_away"),
    [
        ("A = (\n    # RFC 1 §1: x.\n    (b, c),\n    d,\n)\n", "A = (\n    # RFC 1 §1: x.\n    *(),\n    d,\n)\n"),
        ("A = {\n    # RFC 1 §1: x.\n    'b': c,\n}\n", "A = {\n    # RFC 1 §1: x.\n    **{},\n}\n"),
        ("f(\n    # RFC 1 §1: x.\n    b=True,\n)\n", "f(\n    # RFC 1 §1: x.\n    b=False,\n)\n"),
        ("f(\n    # RFC 1 §1: x.\n    'POST',\n)\n", 'f(\n    # RFC 1 §1: x.\n    "x",\n)\n'),
        (
            "A = (\n    b\n    # RFC 1 §1: x.\n    and c == d\n)\n",
            "A = (\n    b\n    # RFC 1 §1: x.\n    and True\n)\n",
        ),
    ],
)
def test_one_element_is_taken_away_alone(source, taken_away):
    (one,) = tagged(source)
    assert next(mutants(source, one.node)) == taken_away


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        ("assert 1 == 2", True),
        ("Failed: DID NOT RAISE <class 'X'>", True),
        ("KeyError: 'scope'", True),
        ("joserfc.errors.BadSignatureError: bad_signature", True),
        ("TypeError: f() got an unexpected keyword", False),
        ("AttributeError: 'NoneType' object has no attribute 'alg'", False),
        ("SetupError: failed on setup", False),
        ("Failed: Timeout (>120.0s) from pytest-timeout.", False),
    ],
)
def test_a_crash_proves_nothing(reason, counts):
    assert says_no([reason]) is counts
    assert says_no([reason, "assert False"])
    assert not says_no([])

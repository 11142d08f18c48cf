"""Every tagged requirement has a test that was seen to fail without it, and the table says what the code says."""

import ast

import pytest
from tests.standards.citations import requirements, tests
from tests.standards.mutation import mutants
from tests.standards.table import TABLE, is_current, read_proofs, write_table


def test_each_tagged_statement_has_a_test_that_fails_without_it():
    proofs, known = read_proofs(), tests()
    stale = [one.key for one in requirements() if not is_current(one, proofs, known)]
    assert not stale, "proven for another code or test than this one, or never: make standards"


def test_the_table_is_made_of_the_code():
    assert TABLE.read_text(encoding="utf-8") == write_table(requirements(), read_proofs(), tests()), "make standards"


def test_nothing_is_proven_that_is_not_there():
    assert set(read_proofs()) == {one.key for one in requirements()}


@pytest.mark.parametrize(
    ("source", "taken_away"),
    [
        ("if a > 1:\n    b()\n", "if False:\n    b()\n"),
        ("raise X(1)\n", "pass\n"),
        ("A = (1, 2)\n", "A = ()\n"),
        ("A = 'é' == b\n", "A = True\n"),
        ("A = 5\n", "A = 5001\n"),
        ("for a in b:\n    c\n", "for a in ():\n    c\n"),
    ],
)
def test_what_is_taken_away_leaves_a_program(source, taken_away):
    made = list(mutants(source, ast.parse(source).body[0]))
    assert made[0] == taken_away
    for mutant in made:
        ast.parse(mutant)
        assert mutant != source

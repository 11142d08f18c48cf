"""`--study OID[:SITE,SITE]`: what it grants is exactly what it says, and a doubtful one grants nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import authorization_details
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.problem import Misuse
from keyfob.server.lifecycle import studies

names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=":,*"), min_size=1, max_size=20)


@given(names)
def test_a_name_alone_is_the_study_with_all_its_sites(name):
    assert studies.parse(name) == CdmsStudy(name, None, None, None)


@given(names, st.lists(names, min_size=1, max_size=6, unique=True))
def test_sites_after_the_colon_are_the_only_ones(name, sites):
    assert studies.parse(f"{name}:{','.join(sites)}") == CdmsStudy(name, frozenset(sites), None, None)


@pytest.mark.parametrize(
    "text",
    ["", ":", "S.1:", ":001", "S.1:001,", "S.1:,", "S.1:001,001", "A:B:1", "*", "*:001", " S.1", "S.1: 001", "S\n1"],
)
def test_a_doubtful_study_is_refused(text):
    """`A:B:1` could mean two things, an empty list of sites could be read as all: neither is guessed."""
    with pytest.raises(Misuse) as refused:
        studies.parse(text)
    assert refused.value.hint


@given(st.text(max_size=40))
def test_parsing_raises_nothing_but_misuse(text):
    try:
        found = studies.parse(text)
    except Misuse:
        return
    assert found.identifier != "*"
    assert found.sites is None or (found.sites and ":" in text)


@given(st.lists(st.text(max_size=400), max_size=12))
def test_details_can_always_be_written_and_read_again(texts):
    try:
        found = studies.details(texts)
    except Misuse:
        return
    assert found == () or authorization_details.parse(authorization_details.write(found)) == found


def test_nothing_named_is_no_study_at_all():
    assert studies.details([]) == ()


def test_all_studies_is_the_one_wildcard():
    assert studies.details([], every=True) == (CdmsStudy("*", None, None, None),)


def test_a_study_twice_is_refused():
    with pytest.raises(Misuse, match="twice"):
        studies.details(["S.1:001", "S.1:002"])


def test_more_than_four_kilobytes_are_refused():
    with pytest.raises(Misuse) as refused:
        studies.details([f"study-number-{number}" for number in range(200)])
    assert refused.value.code == "bad-details"

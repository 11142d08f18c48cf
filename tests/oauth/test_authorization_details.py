"""keyfob.oauth.authorization_details: RFC 9396, where a missing value never means all."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import authorization_details as details
from keyfob.oauth.authorization_details import ALL_STUDIES, CdmsStudy
from keyfob.oauth.errors import InvalidAuthorizationDetails

NAMES = st.sampled_from(["a", "b", "c"])
LIMITS = st.none() | st.frozensets(NAMES, min_size=1)
ELEMENTS = st.builds(CdmsStudy, st.sampled_from(["S.1", "S.2", ALL_STUDIES]), LIMITS, LIMITS, LIMITS)
DETAILS = st.lists(ELEMENTS, min_size=1, max_size=3, unique=True).map(tuple)


def study(identifier: str = "S.1", **limits: set[str]) -> CdmsStudy:
    return CdmsStudy(identifier, **{name: frozenset(limit) for name, limit in limits.items()})


@given(DETAILS)
def test_what_is_written_is_read_back(value: details.Details):
    assert details.parse(details.write(value)) == value
    assert details.read_claim(details.write_claim(value)) == value


KEYS = st.sampled_from(["type", "identifier", "sites", "forms", "actions", "locations", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("cdms_study") | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.text(max_size=100) | JSON.map(json.dumps) | st.lists(JSON, max_size=3).map(json.dumps))
def test_any_text_is_read_or_refused(text: str):
    with contextlib.suppress(InvalidAuthorizationDetails):
        details.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '["S.1"]',
        '[{"type": "cdms_study"}]',
        '[{"identifier": "S.1"}]',
        '[{"type": "payment", "identifier": "S.1"}]',
        '[{"type": "cdms_study", "identifier": ""}]',
        '[{"type": "cdms_study", "identifier": 1}]',
        '[{"type": "cdms_study", "identifier": "S\\u0000"}]',
        '[{"type": "cdms_study", "identifier": "S.1", "sites": []}]',
        '[{"type": "cdms_study", "identifier": "S.1", "sites": null}]',
        '[{"type": "cdms_study", "identifier": "S.1", "sites": "1"}]',
        '[{"type": "cdms_study", "identifier": "S.1", "sites": [1]}]',
        '[{"type": "cdms_study", "identifier": "S.1", "subjects": ["1"]}]',
        '[{"type": "cdms_study", "identifier": "S.1", "identifier": "*"}]',
        '[{"type": "cdms_study", "identifier": "' + "x" * 4096 + '"}]',
    ],
)
def test_what_could_be_misread_is_refused(text: str):
    """RFC 9396 §2, §5: unknown types and fields, malformed and empty values."""
    with pytest.raises(InvalidAuthorizationDetails):
        details.parse(text)


def test_a_claim_that_is_no_array_is_refused():
    """RFC 9396 §2, §9.1: an empty object must not be taken for an empty array, nor for all."""
    for value in ({}, "", None, "[]", 0):
        with pytest.raises(InvalidAuthorizationDetails):
            details.read_claim(value)


def all_questions():
    for one in ("S.1", "S.2", "S.9"):
        for name in ("a", "b", "z"):
            yield {"study": one, "scope": name, "site": name, "form": name}
            yield {"study": one, "scope": name, "site": "a", "form": "b"}


@given(DETAILS, DETAILS)
def test_narrowing_never_gives_more_than_was_granted_or_asked(requested: details.Details, granted: details.Details):
    try:
        effective = details.narrow(requested, granted)
    except InvalidAuthorizationDetails:
        return
    for question in all_questions():
        if details.permits(effective, **question):
            assert details.permits(granted, **question)
            assert details.permits(requested, **question)


@given(DETAILS)
def test_asking_for_nothing_gives_the_full_grant_and_asking_for_the_grant_gives_it(granted: details.Details):
    """RFC 9396 §6, §7."""
    assert details.narrow(None, granted) == granted
    effective = details.narrow(granted, granted)
    for question in all_questions():
        assert details.permits(effective, **question) == details.permits(granted, **question)


def test_more_than_the_grant_is_refused():
    """RFC 9396 §5, §6."""
    granted = (study(sites={"701"}, actions={"a"}),)
    for asked in (
        study("S.2"),
        study(ALL_STUDIES),
        study(sites={"702"}),
        study(sites={"701", "702"}),
        study(actions={"b"}),
    ):
        with pytest.raises(InvalidAuthorizationDetails):
            details.narrow((asked,), granted)
    with pytest.raises(InvalidAuthorizationDetails):
        details.narrow((study(),), ())


def test_what_multiplies_beyond_the_cap_is_refused_and_what_is_asked_twice_counts_once():
    """Every element asked for meets every one granted: two lists of 4 kB must not make a token of 300."""
    granted = tuple(study(actions={f"r{number}"}) for number in range(58))
    asked = tuple(study(sites={str(number)}) for number in range(60))
    with pytest.raises(InvalidAuthorizationDetails, match=str(details.MAX_BYTES)):
        details.narrow(asked, granted)
    assert details.narrow(asked[:1] * 60, granted[:2]) == (
        study(sites={"0"}, actions={"r0"}),
        study(sites={"0"}, actions={"r1"}),
    )


def test_an_absent_limit_takes_on_the_grants():
    granted = (study(sites={"701"}), study("S.2"))
    assert details.narrow((study(forms={"F"}),), granted) == (study(sites={"701"}, forms={"F"}),)


def test_elements_are_never_merged_across():
    """The site of one element does not open the study of another."""
    granted = (study("S.1", sites={"701"}), study("S.2", sites={"702"}))
    assert not details.permits(granted, study="S.1", scope="a", site="702")
    assert details.permits(granted, study="S.2", scope="a", site="702")
    assert details.sites_of(granted, study="S.1", scope="a") == {"701"}
    assert details.sites_of((study(), study(sites={"1"})), study="S.1", scope="a") is None
    assert details.sites_of(granted, study="S.3", scope="a") == frozenset()
    with_forms = (study(sites={"1"}, forms={"F.1"}), study(forms={"F.2", "F.3"}))
    assert details.forms_of(with_forms, study="S.1", scope="a") == {"F.1", "F.2", "F.3"}
    assert details.forms_of((*with_forms, study()), study="S.1", scope="a") is None
    assert details.forms_of(with_forms, study="S.3", scope="a") == frozenset()


def test_no_details_permit_nothing():
    assert not details.permits((), study="S.1", scope="a")
    assert details.studies_of((), scope="a") == frozenset()


def test_the_wildcard_is_every_study():
    granted = (study(ALL_STUDIES, actions={"a"}),)
    assert details.permits(granted, study="S.77", scope="a")
    assert not details.permits(granted, study="S.77", scope="b")
    assert details.studies_of(granted, scope="a") is None
    assert details.studies_of(granted, scope="b") == frozenset()
    assert details.narrow((study("S.5"),), granted) == (study("S.5", actions={"a"}),)

"""keyfob.cdms.odm.datatypes: ODM 1.3.2 §2.14, each type with what it takes and what it must not."""

import contextlib
import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.cdms.odm import datatypes

GOOD = {
    "integer": ["0", "-1", "+1", "007"],
    "float": ["1", ".94", "+1", "39.0", "-0.5", "1."],
    "double": ["1", "1E+5", "1.5e-3"],
    "boolean": ["true", "false", "1", "0"],
    "date": ["2024-02-29", "2025-12-31"],
    "time": ["00:00:00", "23:59:59.123", "12:00:00Z", "12:00:00+02:00"],
    "datetime": ["2024-02-29T12:00:00", "2024-02-29T12:00:00Z"],
    "partialDate": ["2024", "2024-02", "2024-02-29"],
    "partialTime": ["12", "12:30", "12:30:15"],
    "partialDatetime": ["2024", "2024-02", "2024-02-29T12", "2024-02-29T12:30"],
    "incompleteDate": ["2024--15".replace("--", "---"), "2024-02--", "-----"],
    "incompleteTime": ["12:-:-", "12:30:15"],
    "incompleteDatetime": ["2024-02--T12:-:-", "2024-02--"],
    "hexBinary": ["", "0aFF"],
    "base64Binary": ["", "YQ=="],
    "URI": ["https://example.org/x", "urn:oid:1.2"],
    "durationDatetime": ["P1Y", "PT5M", "-P1DT2H"],
    "text": ["", "any text ä\n"],
}
BAD = {
    "integer": ["", "1.0", "1e5", " 1", "١", "0x1", "-"],
    "float": ["", "1e5", "NaN", "INF", ".", "1,5"],
    "double": ["1e5", "1E5", "NaN", "INF", ""],
    "boolean": ["yes", "TRUE", ""],
    "date": ["2025-02-30", "2025-13-01", "2025-1-1", "2025", "0000-01-01", "2025-02-29"],
    "time": ["24:00:00", "12:60:00", "12:00", "12:00:60"],
    "datetime": ["2025-02-30T12:00:00", "2025-02-28", "2025-02-28 12:00:00"],
    "partialDate": ["2024-13", "2024-02-30", "24", "2024-00", ""],
    "partialTime": ["24", "12:60"],
    "partialDatetime": ["2024-02-30T12", "2024T12", "T12"],
    "hexBinary": ["0", "xy"],
    "base64Binary": ["YQ", "!"],
    "URI": ["no scheme", "http://a b"],
    "text": ["\x00", "\x0b", "\ud800", "\ufffe"],
}


@pytest.mark.parametrize(("data_type", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_what_a_type_takes(data_type: str, value: str):
    assert datatypes.DATA_TYPES[data_type](value)


@pytest.mark.parametrize(("data_type", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_what_a_type_refuses(data_type: str, value: str):
    assert not datatypes.DATA_TYPES[data_type](value)


@given(st.integers())
def test_every_integer_is_one(number: int):
    assert datatypes.DATA_TYPES["integer"](str(number)) == (len(str(abs(number))) <= 100)


@given(st.dates())
def test_every_day_is_a_date_and_the_others_are_not(day: datetime.date):
    assert datatypes.DATA_TYPES["date"](day.isoformat())
    assert datatypes.DATA_TYPES["partialDate"](day.isoformat()[:7])


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_every_decimal_is_a_float_of_the_same_value(number):
    text = format(number, "f")
    if datatypes.DATA_TYPES["float"](text):
        assert datatypes.number(text) == number
        assert datatypes.digits_after_point(text) == 3


@given(st.sampled_from(list(datatypes.DATA_TYPES)), st.text(max_size=40))
def test_any_text_is_judged_without_an_error(data_type: str, value: str):
    assert datatypes.DATA_TYPES[data_type](value) in (True, False)


@given(st.text(max_size=20))
def test_a_text_that_is_taken_can_be_written_as_xml(value: str):
    from lxml import etree

    element = etree.Element("a")
    if datatypes.is_text(value):
        element.set("b", value)
        with contextlib.suppress(ValueError):
            etree.fromstring(etree.tostring(element))
    else:
        assert re.search("[\x00-\x1f\ud800-\udfff\ufffe\uffff]", value)

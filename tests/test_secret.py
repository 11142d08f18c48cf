import copy
import json
import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.secret import Secret

VALUE = "correct-horse-battery"


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{0!r}".format, "{0!s:>40}".format, lambda s: f"{s:x^50}", lambda s: "%s" % s, ascii],  # noqa: UP031
)
def test_a_secret_never_shows_itself_as_text(show):
    assert VALUE not in show(Secret(VALUE))


@pytest.mark.parametrize("give_away", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, hash])
def test_a_secret_refuses_to_be_serialised(give_away):
    with pytest.raises(TypeError) as refused:
        give_away(Secret(VALUE))
    assert VALUE not in str(refused.value)


def test_a_secret_in_a_log_record_is_not_shown(caplog):
    logging.getLogger("keyfob").warning("secret %s", Secret(VALUE), extra={"field": Secret(VALUE)})
    assert VALUE not in caplog.text
    assert VALUE not in str(vars(caplog.records[0]))


@given(st.text(), st.text())
def test_secrets_compare_by_value_and_never_with_plain_text(one, other):
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
    assert Secret(one).reveal() == one

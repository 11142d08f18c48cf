"""Every notice says what to do next, breaks no header, and holds no gap."""

import json
import re

import pytest

from keyfob.server.notices import words
from keyfob.server.notices.notice import Notice, NoticeKind, Posted, Role
from keyfob.server.notices.post import FIRST_PAUSE, LONGEST_PAUSE, pause

FACTS = {
    "partner": "Ác'me {x}; rm -rf /",
    "client_id": "cl_1",
    "client_name": "sync {issuer}",
    "credential_id": "c1",
    "expires_at": 1_800_000_000,
    "rotation_at": None,
    "use_by": 1_800_000_000,
    "fingerprint": "F" * 40,
    "former": "E" * 40,
    "confirmed": "flag",
    "path": "/x.asc",
    "reason": "it is expired",
    "email": "new@acme.example",
    "to": "old@acme.example",
    "where": "https://git.example/x",
    "left": "another one works",
    "keys": "jwk-thumbprint",
    "announcement_id": "ann_1",
    "effective_at": 1_800_000_000,
    "by": "the partner",
    "successor": "c2",
    "allowance_id": "a1",
    "uses_left": 3,
    "jti": "j1",
    "resource": "https://api.example",
    "operator_name": "alice",
}
FOR_THE_OPERATOR_ALONE = (NoticeKind.TEST, NoticeKind.OPERATOR_KEY_LEAKED)


def test_every_kind_has_words_for_those_whom_it_concerns():
    for kind in NoticeKind:
        roles = {role for each, role in words.COVERED if each is kind}
        assert roles == ({Role.OPERATOR} if kind in FOR_THE_OPERATOR_ALONE else set(Role)), kind


@pytest.mark.parametrize(("kind", "role"), words.COVERED)
def test_a_notice_is_whole_and_names_the_next_step(kind, role):
    said = words.write(Notice(kind, "subject", role, 1, 7, "ptr_1", FACTS), issuer="https://id.example")
    assert "\n" not in said.summary and len(said.summary) < 200
    assert "?" not in said.text and not re.search(r"\{(?!x\}|issuer\})", said.text)
    assert "2027-01-15" in said.text or "expires_at" not in words.COVERED[kind, role].text
    assert re.search(r"keyfob|tell the operator|gpg --quick-set-expire F", said.text)
    # A name is one word for a shell, whatever it holds.
    assert "partner renew" not in said.text or "partner renew 'Ác'\"'\"'me {x}; rm -rf /'" in said.text
    body = Posted(Notice(kind, "s", role, 1, 0, None, FACTS), "https://id.example", said.summary).body()
    assert body.isascii() and json.loads(body)["facts"] == FACTS


def test_a_fact_that_is_not_there_is_a_gap_and_no_failure():
    said = words.write(Notice(NoticeKind.CREDENTIAL_EXPIRES, "s", Role.PARTNER, 1), issuer="https://id.example")
    assert "?" in said.text


def test_pauses_grow_to_an_hour():
    assert [pause(count) for count in (0, 1, 2, 9, 10, 500)] == [5, 10, 20, 2560, LONGEST_PAUSE, LONGEST_PAUSE]
    assert pause(0) == FIRST_PAUSE

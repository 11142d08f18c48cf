"""The rules for other scanners come from one definition; tests/interop plays those scanners."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from keyfob.client_secret import Prefix
from keyfob.partner.scan import rules
from keyfob.partner.scan.definition import DEFINITIONS, Kind

ROOT = Path(__file__).parents[3]


def test_each_kind_has_a_rule_everywhere(scan):
    assert [rule["id"] for rule in tomllib.loads(rules.gitleaks())["rules"]] == list(Kind)
    assert [one["secret_format"] for one in json.loads(rules.github())["patterns"]] == [d.pattern for d in DEFINITIONS]
    for definition in DEFINITIONS:
        assert definition.pattern in rules.detect_secrets()
        assert definition.pattern.startswith(definition.keyword)
    for name, made in rules.RULES.items():
        assert scan("--rules", name).document["text"] == made()


def test_this_projects_own_hook_is_the_one_that_is_made():
    assert (ROOT / ".pre-commit-hooks.yaml").read_text() == rules.pre_commit_hooks()


def test_a_real_token_and_real_secrets_fit_their_patterns(plant, new_token):
    planted = {
        Kind.CLIENT_SECRET: plant(Prefix.CLIENT_SECRET),
        Kind.INITIAL_ACCESS_TOKEN: plant(Prefix.INITIAL_ACCESS_TOKEN),
        Kind.REGISTRATION_ACCESS_TOKEN: plant(Prefix.REGISTRATION_ACCESS_TOKEN),
        Kind.ACCESS_TOKEN: new_token(60),
    }
    for definition in DEFINITIONS:
        fitting = [kind for kind, one in planted.items() if re.fullmatch(definition.pattern, one.text)]
        assert fitting == [definition.kind]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_each_pattern_is_one_that_every_engine_reads(definition):
    assert not re.search(r"\(\?[^:]|\\[dwsbBAZ]", definition.pattern)
    assert all(int(number) <= 1000 for number in re.findall(r"[{,](\d+)", definition.pattern))

"""The table of operations and the command line are two sides of one thing: neither has what the other lacks unsaid."""

import json

import click
import jsonschema
import pytest

from keyfob.problem import Misuse
from keyfob.server.admin.operation import Page
from keyfob.server.admin.operators import NewOperator
from keyfob.server.admin.table import BY_NAME, OPERATIONS
from keyfob.server.cli import cli
from keyfob.server.lifecycle.operators import SCOPES, SCOPES_OF
from keyfob.server.storage.records import Role

HERE_ALONE = {
    "init": "makes the home",
    "serve": "is the server",
    "check-config": "reads the home's settings",
    "backup": "copies the home's files",
    "move-store": "needs the home for itself",
    "operator keygen": "makes a private key, which stays where it is made",
    "alarm secret": "hands out a secret, which no answer holds",
    "node request": "makes the new machine's key, where there is no home yet",
    "node invite": "seals what is in the home's files",
    "node join": "makes the home",
    "key rewrap": "moves the home's own key-encryption key",
}
"""Commands that no server can do for somebody at a distance, and why."""

COMPOSED = {"import": ("partner.show", "resource.list")}
"""Commands that are no operation of their own, and what they ask a server for."""


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), {parameter.name for parameter in command.params}


COMMANDS = dict(commands(cli))


def test_each_command_is_an_operation_or_says_why_it_is_none():
    far = {name for name, parameters in COMMANDS.items() if "server" in parameters}
    assert far == {one.command for one in OPERATIONS} | set(COMPOSED)
    assert set(COMMANDS) - far == set(HERE_ALONE)
    assert {name for names in COMPOSED.values() for name in names} <= set(BY_NAME)


def test_each_operation_is_a_command():
    assert {one.command for one in OPERATIONS} <= set(COMMANDS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=[one.name for one in OPERATIONS])
def test_each_operation_says_all_that_the_router_needs(operation):
    assert operation.scope in SCOPES
    assert operation.method in ("GET", "POST", "PUT")
    assert set(operation.names) <= set(operation.schema()["properties"])
    if not operation.acts:
        assert operation.scope in SCOPES_OF[Role.AUDITOR], "an auditor reads everything"
    else:
        assert operation.scope not in SCOPES_OF[Role.AUDITOR], "and changes nothing"


def test_names_and_paths_are_each_ones_own():
    assert len(BY_NAME) == len(OPERATIONS)
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=[one.name for one in OPERATIONS])
def test_the_schema_of_an_input_stands_alone(operation):
    assert "$ref" not in json.dumps(operation.schema())
    jsonschema.Draft202012Validator.check_schema(operation.schema())


def test_an_integer_may_be_written_as_json_schema_lets_it():
    assert BY_NAME["client.list"].read({"limit": 7.0}) == Page(limit=7)


def test_what_an_operation_writes_it_reads():
    add = BY_NAME["operator.add"]
    asked = NewOperator(name="bob", role="auditor")
    assert add.write(asked) == {"name": "bob", "role": "auditor"}
    assert add.read(add.write(asked)) == asked


@pytest.mark.parametrize(
    "members",
    [{}, {"name": 1}, {"name": ""}, {"name": "b\0b"}, {"name": "bob", "x": 1}, {"name": "bob", "role": "king"}],
)
def test_other_input_is_refused_in_words_that_quote_nothing(members):
    with pytest.raises(Misuse) as refused:
        BY_NAME["operator.add"].read(members)
    assert refused.value.code in ("bad-input", "unknown-parameter", "nul-character")
    assert "king" not in str(refused.value)

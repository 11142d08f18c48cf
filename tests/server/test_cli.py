"""The program as a whole: what it offers, and that each command teaches by an example."""

import subprocess
import sys

import click
import pytest

from keyfob import __version__
from keyfob.server.cli import cli


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(cli))


def test_the_commands_are_those_that_work():
    assert set(COMMANDS) == {
        ("init",),
        ("serve",),
        ("status",),
        ("check-config",),
        ("resource", "add"),
        ("resource", "list"),
        ("partner", "add"),
        ("partner", "renew"),
        ("partner", "list"),
        ("partner", "show"),
        ("partner", "webhook"),
        ("partner", "suspend"),
        ("partner", "resume"),
        ("partner", "revoke"),
        ("partner", "delete"),
        ("client", "create"),
        ("client", "list"),
        ("client", "show"),
        ("client", "information"),
        ("client", "rotate"),
        ("client", "keys"),
        ("client", "change"),
        ("client", "suspend"),
        ("client", "resume"),
        ("client", "revoke"),
        ("client", "revoke-credential"),
        ("client", "delete"),
        ("client", "allow"),
        ("client", "usage"),
        ("client", "narrow"),
        ("apply",),
        ("export",),
        ("import",),
        ("announcement", "list"),
        ("announcement", "stop"),
        ("announcement", "hasten"),
        ("registration", "allow"),
        ("registration", "list"),
        ("registration", "withdraw"),
        ("registration", "renew"),
        ("key", "list"),
        ("key", "rotate"),
        ("key", "rewrap"),
        ("backup",),
        ("move-store",),
        ("node", "request"),
        ("node", "invite"),
        ("node", "join"),
        ("audit", "tail"),
        ("audit", "verify"),
        ("explain",),
        ("alarm", "secret"),
        ("alarm", "test"),
        ("operator", "add"),
        ("operator", "keygen"),
        ("operator", "key"),
        ("operator", "list"),
        ("operator", "suspend"),
        ("operator", "resume"),
        ("operator", "remove"),
        ("proposals",),
        ("approve",),
        ("reject",),
        ("notice", "list"),
        ("notice", "retry"),
        ("notice", "test"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_has_a_help_text_with_one_example(path):
    text = COMMANDS[path].help or ""
    assert text.count("Example:") == 1
    assert f"keyfob-server {' '.join(path)}" in text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_option_says_what_it_is_for(path):
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


READING = {
    *(("operator", "list"), ("operator", "keygen"), ("proposals",)),
    ("import",),
    ("announcement", "list"),
    ("client", "information"),
    ("check-config",),
    ("node", "request"),
    ("export",),
    *(("status",), ("notice", "list"), ("notice", "retry"), ("notice", "test")),
    *(("serve",), ("resource", "list"), ("partner", "list"), ("partner", "show"), ("client", "list")),
    *(
        ("client", "show"),
        ("client", "usage"),
        ("registration", "list"),
        ("key", "list"),
        ("audit", "tail"),
        ("audit", "verify"),
        ("explain",),
        ("alarm", "test"),
    ),
}
"""They change nothing, or nothing that an operator would have to answer for."""


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_act_takes_a_reason(path):
    names = {parameter.name for parameter in COMMANDS[path].params}
    assert ("reason" in names) is (path not in READING)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_act_can_be_seen_before_it_is_done_and_each_answer_is_a_document(path):
    names = {parameter.name for parameter in COMMANDS[path].params}
    assert "dry_run" in names or path in READING
    assert "as_json" in names or path == ("serve",)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path[-1] in ("revoke", "delete", "revoke-credential")])
def test_what_cannot_be_taken_back_is_shown_and_confirmed(path):
    names = {parameter.name for parameter in COMMANDS[path].params}
    assert names >= {"dry_run", "yes", "confirm", "as_json"}


def run(*arguments):
    script = "from keyfob.server.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)


def test_the_program_says_its_version():
    assert run("--version").stdout.strip().endswith(__version__)


def test_a_wrong_option_is_misuse_and_one_document():
    done = run("client", "list", "--nonsense", "--json")
    assert done.returncode == 2
    assert '"error": "usage"' in done.stdout
    assert "Traceback" not in done.stderr

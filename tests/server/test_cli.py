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
        ("resource", "add"),
        ("resource", "list"),
        ("partner", "add"),
        ("partner", "list"),
        ("partner", "show"),
        ("client", "create"),
        ("client", "list"),
        ("client", "show"),
        ("client", "rotate"),
        ("client", "keys"),
        ("client", "suspend"),
        ("client", "resume"),
        ("client", "revoke"),
        ("client", "allow"),
        ("key", "list"),
        ("key", "rotate"),
        ("backup",),
        ("move-store",),
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

"""The programs from outside: help that teaches, and what is said where their packages are not installed."""

import json
import subprocess
import sys

import click
import pytest

from keyfob.cdms.cli import cli as cdms
from keyfob.demo.stage import SERVER_PACKAGES
from keyfob.guard.cli import cli as guard
from keyfob.partner.cli import cli as partner
from keyfob.server.cli import cli as server

PROGRAMS = {"keyfob": partner, "keyfob-cdms": cdms, "keyfob-guard": guard, "keyfob-server": server}
LIGHT = f"import sys; sys.modules.update(dict.fromkeys({SERVER_PACKAGES})); "


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60)


def groups(command: click.Command, context: click.Context):
    if isinstance(command, click.Group):
        yield context
        for name, below in command.commands.items():
            yield from groups(below, click.Context(below, info_name=name, parent=context))


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_line_in_a_list_of_commands_is_cut(name):
    for context in groups(PROGRAMS[name], click.Context(PROGRAMS[name], info_name=name, terminal_width=80)):
        listed = context.get_help().partition("Commands:")[2]
        assert listed
        assert "..." not in listed, context.command_path


@pytest.mark.parametrize("module", ["partner", "cdms", "server"])
def test_h_is_help_and_a_program_alone_shows_its_help_and_nothing_else(module):
    script = f"from keyfob.{module}.cli import main; main()"
    shown = run(script, "-h")
    assert (shown.returncode, shown.stderr) == (0, "")
    alone = run(script)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert alone.stderr == shown.stdout
    assert run(script, "call" if module == "partner" else "init", "-h").returncode == 0


@pytest.mark.parametrize("program", ["server", "cdms", "guard"])
def test_a_program_without_its_packages_says_what_installs_them(program):
    script = LIGHT + f"from keyfob.programs import {program}; {program}()"
    done = run(script, "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"keyfob-{program}: the packages" in done.stderr
    assert f'pip install ".[{program}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(run(script, "--json").stdout)["error"] == "not-installed"


@pytest.mark.parametrize(
    "given", ["from keyfob.server.cli import cli; cli.commands['audit']", "from keyfob.cdms.cli import cli"]
)
def test_a_command_does_not_wait_for_what_only_a_server_or_an_upgrade_needs(given):
    done = run(
        f"{given}; import sys; sys.exit(str({{'alembic', 'keyfob.serving.listener', 'uvicorn'}} & set(sys.modules)))"
    )
    assert done.stderr.strip() == "set()"


def test_a_program_with_its_packages_runs():
    done = run("from keyfob.programs import server; server()", "--version")
    assert done.stdout.startswith("keyfob-server ")


def test_the_guard_and_the_demonstration_say_it_too():
    done = run(LIGHT + "import keyfob.guard")
    assert done.stderr.strip().endswith('python -m pip install ".[guard]"')
    done = run(LIGHT + "import runpy; sys.argv[1:] = []; runpy.run_module('keyfob.demo', run_name='__main__')")
    assert done.returncode == 2
    assert 'pip install ".[cdms]"' in done.stderr
    assert "Traceback" not in done.stderr

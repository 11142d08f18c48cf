"""A command of ours in this process, as people type it: its exit code and what it prints, without a start of its own.

For what a test does at the command line on its way to something else. That the programs start is tested where they do.
"""

import contextlib
import io
from dataclasses import dataclass

import click

from keyfob import command


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(cli: click.Command, program: str, *arguments: object) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command.run(cli, program, [str(argument) for argument in arguments])
        except SystemExit as ended:
            return Done(int(ended.code or 0), out.getvalue(), err.getvalue())

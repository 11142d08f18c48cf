"""`python -m keyfob.demo`: play the whole journey, or set it up and leave the servers running."""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import click

from keyfob import command, programs
from keyfob.ambient import monotonic
from keyfob.demo import partner_key, story
from keyfob.demo.stage import SERVER_PACKAGES, DemoFailed, Stage, playing
from keyfob.problem import Problem


@click.command()
@click.option(
    "--keep-running",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Set up in DIR (which must be new), leave both servers running, and print what to try.",
)
@click.option(
    "--transcript",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("demo-transcript.txt"),
    show_default=True,
    help="Where to write what was shown.",
)
def demo(keep_running: Path | None, transcript: Path) -> None:
    """Show Keyfob's main job on real sockets: an operator, a partner and a clinical data API on this machine."""
    if any(importlib.util.find_spec(name) is None for name in SERVER_PACKAGES):
        command.refuse("keyfob.demo", programs.not_installed("the demonstration", "cdms"))
    began = monotonic()
    with transcript.open("w", encoding="utf-8") as file:
        try:
            if keep_running is not None:
                _set_up(keep_running, file)
                return
            # Short: gpg's sockets must have a path of at most 107 bytes.
            with tempfile.TemporaryDirectory(prefix="kf-", dir=_short_folder()) as folder:
                _play(Path(folder).resolve(), file)
        except (DemoFailed, Problem) as failed:
            click.echo(f"\nthe demonstration failed: {failed}", err=True)
            sys.exit(1)
    click.echo(f"\ndone in {monotonic() - began:.0f} s; nothing is left running; transcript: {transcript}")


def _play(folder: Path, transcript: TextIO) -> None:
    with playing(folder, sys.stdout, transcript) as stage:
        try:
            scene = story.set_up(stage)
            story.work(stage, scene)
            story.refusals(stage, scene)
            story.rotation(stage, scene)
            story.evidence(stage, scene)
        finally:
            partner_key.stop_agent(stage)


def _set_up(folder: Path, transcript: TextIO) -> None:
    if folder.exists():
        raise DemoFailed(f"{folder} is there already: remove it, or name another folder")
    folder.mkdir(mode=0o700, parents=True)
    with playing(folder.resolve(), sys.stdout, transcript) as stage:
        try:
            scene = story.set_up(stage)
            _say_what_to_try(stage, scene)
            stage.wait()
        finally:
            partner_key.stop_agent(stage)


def _say_what_to_try(stage: Stage, scene: story.Scene) -> None:
    stage.say("\nBoth servers are running until you press Ctrl-C. In another terminal, try:\n")
    for line in story.next_commands(stage, scene):
        stage.say(f"  {line}")
    stage.say()


def _short_folder() -> str | None:
    return "/tmp" if os.name == "posix" and Path("/tmp").is_dir() else None  # noqa: S108  # made private by tempfile


if __name__ == "__main__":
    demo(prog_name="python -m keyfob.demo")

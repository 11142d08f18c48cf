"""`python -m keyfob.demo`: play the whole journey, or set it up and leave the servers running."""

import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import click

from keyfob import command, programs
from keyfob.ambient import monotonic
from keyfob.demo import kept, partner_key, story
from keyfob.demo.stage import SERVER_PACKAGES, DemoFailed, Stage, playing
from keyfob.problem import Misuse, Problem

_REMOVALS = 20


@click.command()
@click.option(
    "--keep-running",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Set up in DIR, or start again what is there; leave both servers running, and print what to try.",
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
    _end_by_signals()
    with _opened(transcript) as file:
        try:
            if keep_running is not None:
                _run(keep_running, file)
                return
            # Short: gpg's sockets must have a path of at most 107 bytes.
            with tempfile.TemporaryDirectory(prefix="kf-", dir=_short_folder()) as folder:
                _play(Path(folder).resolve(), file)
        except Misuse:
            raise
        except (DemoFailed, Problem) as failed:
            click.echo(f"\nthe demonstration failed: {failed}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("\nstopped before its end; nothing is left running", err=True)
            sys.exit(1)
    click.echo(f"\ndone in {monotonic() - began:.0f} s; nothing is left running; transcript: {transcript}")


def _end_by_signals() -> None:
    """A hangup and a termination end it as Ctrl-C does: servers, gpg's agent and private keys are cleared away."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        numbers.append(signal.SIGHUP)

    def end(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # one is enough: a second must not disturb the clearing
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, end)


def _opened(transcript: Path) -> TextIO:
    try:
        return transcript.open("w", encoding="utf-8")
    except OSError as failed:
        raise Misuse(
            "transcript", f"{transcript} cannot be written: {failed.strerror}", hint="name another: --transcript FILE"
        ) from None


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


def _run(folder: Path, transcript: TextIO) -> None:
    """Both servers until the user stops them: on what an earlier run left in `folder`, else set up anew."""
    known = kept.read(folder)
    if known is None:
        _make(folder)
    with playing(folder.resolve(), sys.stdout, transcript) as stage:
        try:
            if known is None:
                known = _set_up(stage)
            else:
                kept.start(stage)
            stage.say("\nBoth servers are running until you press Ctrl-C. In another terminal, try:\n")
            for line in kept.next_commands(stage, known):
                stage.say(f"  {line}")
            stage.say()
            stage.wait()
        finally:
            partner_key.stop_agent(stage)
    again = "make run" if "MAKELEVEL" in os.environ else f"python -m keyfob.demo --keep-running {folder}"
    click.echo(f"\nstopped; start again: {again}; remove: rm -r {folder}")


def _set_up(stage: Stage) -> kept.Kept:
    """What was made. What is broken off half-way is taken away, so that the next run can begin anew."""
    try:
        scene = story.set_up(stage)
        made = kept.Kept(scene.api, scene.client_id)
        kept.write(stage.folder, made)
    except BaseException:
        stage.stop()
        _take_away(stage)
        raise
    return made


def _take_away(stage: Stage) -> None:
    """The whole folder: again while gpg's agent, which starts on its own behind a broken-off command, writes in it."""
    for _ in range(_REMOVALS):
        partner_key.stop_agent(stage)
        shutil.rmtree(stage.folder, ignore_errors=True)
        if not stage.folder.exists():
            return


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as failed:
        raise Misuse(
            "folder",
            f"{folder} cannot be made: {failed.strerror}",
            hint="remove it if it is no longer needed, or name another: --keep-running DIR",
        ) from None


def _short_folder() -> str | None:
    return "/tmp" if os.name == "posix" and Path("/tmp").is_dir() else None  # noqa: S108  # made private by tempfile


if __name__ == "__main__":
    command.run(demo, "python -m keyfob.demo")

"""No secret in a variable of this process, or of another of this user's."""

import os
from collections.abc import Iterator
from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome
from keyfob.partner.doctor.leaks import judge, look_at_texts
from keyfob.partner.doctor.scene import Scene

_MAX = 4 * 1024 * 1024


def _look(scene: Scene) -> Outcome:
    own = [(f"${name}", value.encode("utf-8", "surrogateescape")) for name, value in scene.environ.items()]
    report = look_at_texts([*own, *_of_others(scene.processes, own=os.getpid())])
    return judge(
        report,
        now=scene.now,
        nothing=f"no variable of {report.files - len(own) + 1} processes holds one",
        mend="unset the variable, where it is set: a program gets a token by keyfob run, or opens the vault itself",
        # `keyfob run` gives a token on purpose, for minutes.
        live_token_fails=False,
    )


def _of_others(processes: Path, *, own: int) -> Iterator[tuple[str, bytes]]:
    for folder in processes.glob("[0-9]*"):
        if folder.name == str(own):
            continue
        try:
            with (folder / "environ").open("rb") as file:
                content = file.read(_MAX)
            if content:
                yield f"environment of process {folder.name}", content
        except OSError:
            continue  # another user's, or it has ended


CHECK = Check(
    "environment",
    "A variable is inherited by every child and lands in crash reports and the pages of build servers.",
    _look,
)

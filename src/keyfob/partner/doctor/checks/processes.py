"""No secret in the arguments of a running program."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome, unknown
from keyfob.partner.doctor.leaks import judge, look_at_texts
from keyfob.partner.doctor.scene import Scene

_PS = ("ps", "-axww", "-o", "pid=,command=")


def _look(scene: Scene) -> Outcome:
    try:
        lines = list(_from_proc(scene.processes) if scene.processes.is_dir() else _from_ps())
    except (OSError, subprocess.SubprocessError):
        return unknown("the list of processes cannot be read on this system")
    return judge(
        look_at_texts(lines),
        now=scene.now,
        nothing=f"no argument of {len(lines)} processes is one",
        mend="end the process, and give it what it needs by keyfob run or a pipe",
    )


def _from_proc(processes: Path) -> Iterator[tuple[str, bytes]]:
    for folder in processes.glob("[0-9]*"):
        try:
            yield f"arguments of process {folder.name}", (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended


def _from_ps() -> Iterator[tuple[str, bytes]]:
    listed = subprocess.run(_PS, capture_output=True, timeout=10, check=True).stdout  # noqa: S603
    for line in listed.splitlines():
        pid, _, command = line.strip().partition(b" ")
        yield f"arguments of process {pid.decode(errors='replace')}", command


CHECK = Check("processes", "Every user of a machine can read the arguments of every program that runs on it.", _look)

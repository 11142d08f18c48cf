"""No secret in the settings of other programs."""

from collections.abc import Iterator
from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome
from keyfob.partner.doctor.checks.shell_history import HISTORIES
from keyfob.partner.doctor.leaks import judge, look_at_files
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan.finding import Report
from keyfob.partner.scan.tree import files_below

_FOLDERS = (".config", ".aws", ".azure", ".docker", ".kube", ".ssh", ".netrc.d", ".bashrc.d", ".local/bin")


def _look(scene: Scene) -> Outcome:
    report = Report()
    whole = look_at_files(_files(scene.home, report), report)
    return judge(
        report,
        now=scene.now,
        nothing=f"none in {report.files} files of settings" + ("" if whole else ", and there are more of them"),
        mend="take it out of the file: a program opens the vault itself, or gets a token by keyfob run",
    )


def _files(home: Path, report: Report) -> Iterator[Path]:
    """The hidden files of the home itself, which .netrc, .curlrc and .profile are, and those of some folders."""
    try:
        yield from (path for path in sorted(home.glob(".*")) if path.is_file() and path.name not in HISTORIES)
    except OSError:
        return
    for name in _FOLDERS:
        if (home / name).is_dir():
            yield from files_below(home / name, report)


CHECK = Check("dotfiles", "Settings are copied to other machines, synchronised and shared.", _look)

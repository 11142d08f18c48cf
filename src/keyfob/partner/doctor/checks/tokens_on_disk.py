"""No token, and no secret in clear, in the folders where programs leave things."""

from collections.abc import Iterator
from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome
from keyfob.partner.doctor.leaks import judge, look_at_files
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan.finding import Report
from keyfob.partner.scan.tree import files_below


def _look(scene: Scene) -> Outcome:
    report = Report()
    whole = look_at_files(_files(scene, report), report)
    places = f"{scene.folder}, {scene.temporary} and the vault"
    return judge(
        report,
        now=scene.now,
        nothing=f"none in {report.files} files of {places}" + ("" if whole else ", and there are more of them"),
        mend="delete the file: a token is kept in memory, and asked for anew",
    )


def _files(scene: Scene, report: Report) -> Iterator[Path]:
    seen = set()
    for folder in (
        *([scene.vault_path] if scene.vault_path else []),
        scene.folder,
        scene.home / ".cache" / "keyfob",
        scene.temporary,
    ):
        for path in files_below(folder, report) if folder.is_dir() else ():
            if path not in seen:
                seen.add(path)
                yield path


CHECK = Check(
    "tokens-on-disk", "A token in a file works for whoever reads the file; in memory it ends with the program.", _look
)

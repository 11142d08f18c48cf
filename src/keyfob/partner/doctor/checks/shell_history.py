"""No secret was typed."""

from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome
from keyfob.partner.doctor.leaks import judge, look_at_files
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.scan.finding import Report

HISTORIES = (
    *(".bash_history", ".zsh_history", ".zhistory", ".histfile", ".history", ".sh_history", ".ksh_history"),
    *(".python_history", ".psql_history", ".mysql_history", ".sqlite_history", ".node_repl_history", ".lesshst"),
    *(".local/share/fish/fish_history", ".local/state/python_history", ".viminfo", ".local/share/nushell/history.txt"),
    ".local/share/powershell/PSReadLine/ConsoleHost_history.txt",
    "AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/ConsoleHost_history.txt",
)


def _look(scene: Scene) -> Outcome:
    named = scene.environ.get("HISTFILE")
    paths = {scene.home / name for name in HISTORIES} | ({Path(named)} if named else set())
    report = Report()
    look_at_files(sorted(paths), report)
    return judge(
        report,
        now=scene.now,
        nothing=f"none was typed: {report.files} histories of shells and consoles",
        mend="delete the line from the file: an editor, or history -d NUMBER",
    )


CHECK = Check("shell-history", "What was typed once lies in a file for years, and in each backup of it.", _look)

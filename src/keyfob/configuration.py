"""What `check-config` says: each setting's effective value and whence it comes, and every mistake; never a secret."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from keyfob.command import Result, table
from keyfob.settings import Fault, Source, Survey, file_path


def missing_files(found: Survey, home: Path, *, unused: Sequence[str] = ()) -> tuple[Fault, ...]:
    """A mistake for each file that is named and cannot be read; `unused`: settings that nothing looks at."""
    faults = []
    for one in found.effective:
        if one.setting.check is not file_path or not one.value or one.setting.name in unused:
            continue
        try:
            (home / str(one.value)).open("rb").close()
        except OSError as failed:
            message = f"{one.setting.name}: {home / str(one.value)} cannot be read: {failed.strerror}"
            faults.append(Fault(one.where or "default", "file-unreadable", message, one.setting.meaning))
    return tuple(faults)


def report(found: Survey, faults: Sequence[Fault], *, unknown: Sequence[str], secrets: Mapping[str, bool]) -> Result:
    """`unknown`: variables that are no settings. `secrets`: variables that hold one, and whether they are set."""
    shown = [
        (one, None if one.value is None else one.setting.shown(one.value), one.source, one.where)
        for one in found.effective
    ]
    document = {
        "problems": [
            {"where": fault.where, "code": fault.code, "message": fault.message, "hint": fault.hint} for fault in faults
        ],
        "settings": [
            {
                "name": one.setting.name,
                "variable": one.setting.variable,
                "value": value,
                "source": source.value,
                "where": where or None,
            }
            for one, value, source, where in shown
        ],
        "unknown_variables": list(unknown),
        "secrets": dict(secrets),
    }
    rows = [
        (one.setting.name, "-" if value is None else str(value), where if source is not Source.DEFAULT else "default")
        for one, value, source, where in shown
    ]
    lines = [table(("SETTING", "VALUE", "FROM"), rows)]
    lines += [f"{name} is {'set' if is_set else 'not set'}" for name, is_set in secrets.items()]
    lines += [f"warning: the variable {name} is no setting: ignored" for name in unknown]
    lines += [f"mistake: {fault}\n  hint: {fault.hint}" for fault in faults]
    lines.append(f"{len(faults)} mistakes" if len(faults) != 1 else "1 mistake")
    return Result(document, "\n".join(lines), exit_code=2 if faults else 0)

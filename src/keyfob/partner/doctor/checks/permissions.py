"""Nobody else may read the vault, or what opens it."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.keys import PASSPHRASE_FILE


def _look(scene: Scene) -> Outcome:
    if os.name != "posix":
        return unknown(
            "on this system the folder's access control list decides, which is not read here",
            f'icacls "{scene.vault_name}": it should name you, SYSTEM and Administrators alone',
        )
    vault = scene.vault_path
    if vault is not None and not vault.exists():
        return unknown("there is no vault here")
    paths = [*([] if vault is None else [vault, *sorted(vault.rglob("*"))]), *_openers(scene)]
    open_ones = [path for path in paths if _too_open(path)]
    replaceable = [folder for folder in ([] if vault is None else vault.absolute().parents) if _replaceable(folder)]
    if open_ones:
        return failed(
            f"{len(open_ones)} files or folders are open to others, or belong to them",
            f"chmod -R go-rwx {' '.join(str(path) for path in _roots(open_ones))}",
            map(str, open_ones[:10]),
        )
    if replaceable:
        folder = replaceable[0]
        return failed(
            f"others may put another vault in this one's place: they may write to {folder}", f"chmod o-w {folder}"
        )
    return passed(f"{len(paths)} files and folders are for their owner alone")


def _openers(scene: Scene) -> Iterator[Path]:
    """Key files, private keys and the passphrase's file, where they are."""
    entries = scene.entries()
    named = [one.opened_with for one in entries if one.keeping is Keeping.MESSAGE]
    named += [str(scene.key_file(one)) for one in entries if one.keeping is Keeping.FILE]
    for name in {*named, scene.environ.get(PASSPHRASE_FILE), f"{scene.vault_path}.key"}:
        with contextlib.suppress(PermissionError):  # who may not look there cannot have it open to others
            if name and Path(name).is_file():
                yield Path(name)


def _roots(paths: list[Path]) -> list[Path]:
    return [path for path in paths if not any(parent in paths for parent in path.parents)]


def _too_open(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False  # gone meanwhile
    others = not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & 0o077)
    return others or found.st_uid not in (os.geteuid(), 0)


def _replaceable(folder: Path) -> bool:
    mode = folder.stat().st_mode
    return bool(mode & 0o002) and not mode & stat.S_ISVTX


CHECK = Check("permissions", "What another user of this machine can read or replace is not yours alone.", _look)

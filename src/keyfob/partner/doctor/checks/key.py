"""Where each secret lies and under which key, and whether that key lies beside it."""

from pathlib import Path

from keyfob.openpgp import keys, sequoia
from keyfob.partner.doctor.check import Check, Outcome, failed, passed, unknown, warned, worst
from keyfob.partner.doctor.scene import Scene
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keys import PASSPHRASE_FILE
from keyfob.problem import Problem
from keyfob.secret import Secret

_MAX_KEY = 1024 * 1024
_AGAIN = "keyfob receive FILE --key passphrase (or --key aws-kms:ARN), with the newest message"


def _look(scene: Scene) -> Outcome:
    return worst((_judge(scene, entry) for entry in scene.entries()), otherwise=unknown("there is no credential here"))


def _judge(scene: Scene, entry: Entry) -> Outcome:
    where = f"{entry.credential_id} of {entry.client_id}"
    if repository := _repository(scene.vault_path):
        return failed(f"the vault lies in the git repository {repository}", f"mv {scene.vault_path} elsewhere")
    match entry.keeping:
        case Keeping.MESSAGE if entry.opened_with is not None:
            return _private_key(scene, Path(entry.opened_with), where)
        case Keeping.MESSAGE:
            return passed(f"{where}: the sealed message, opened by gpg with {entry.recipient_fingerprint[-16:]}")
        case Keeping.FILE:
            path = scene.key_file(entry)
            return _beside(scene, path, f"{where}: an envelope under the key file {path}")
        case Keeping.PASSPHRASE:
            named = scene.environ.get(PASSPHRASE_FILE)
            said = f"{where}: an envelope under a passphrase"
            return _beside(scene, Path(named), f"{said}, which lies in {named}") if named else passed(said)
        case _:
            return passed(f"{where}: an envelope under {entry.opened_with or entry.keeping}")


def _private_key(scene: Scene, path: Path, where: str) -> Outcome:
    said = f"{where}: the sealed message, opened by the private key {path}"
    try:
        with path.open("rb") as file:
            private_key = Secret(file.read(_MAX_KEY))
    except OSError as gone:
        return failed(f"{said}, which cannot be read: {gone.strerror}", "restore it, or: keyfob receive FILE")
    try:
        keys.certificate_of(private_key)
    except (Problem, ValueError) as damaged:
        return failed(f"{said}, which cannot be used: {damaged}", "restore it, or: keyfob receive FILE")
    try:
        sequoia.unlock(private_key, None)
    except sequoia.Refused:
        return passed(f"{said}, which has a passphrase")
    return _beside(scene, path, f"{said}, which has no passphrase")


def _beside(scene: Scene, path: Path, said: str) -> Outcome:
    try:
        device = path.stat().st_dev
        same = scene.vault_path is not None and device == scene.vault_path.stat().st_dev
    except OSError as gone:
        return failed(f"{said}, which cannot be read: {gone.strerror}", "restore it, or: keyfob receive FILE")
    if same:
        return warned(f"{said}, on the same disk: who takes the disk has both", _AGAIN)
    return passed(f"{said}, on another disk than the vault")


def _repository(path: Path | None) -> Path | None:
    if path is None:
        return None
    return next((folder for folder in path.absolute().parents if (folder / ".git").exists()), None)


CHECK = Check(
    "key",
    "A secret at rest is as safe as the key that it is encrypted under, and that must not lie beside it.",
    _look,
)

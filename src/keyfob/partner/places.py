"""Where a partner's vault lies when nobody has said so."""

import sys
from collections.abc import Mapping
from pathlib import Path

from keyfob.partner.vault.stores import Named
from keyfob.problem import Misuse


def default_vault(environ: Mapping[str, str]) -> Named:
    """KEYFOB_VAULT, else the platform's per-user data folder."""
    if named := environ.get("KEYFOB_VAULT"):
        return named
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "keyfob"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "keyfob"
    return Path(environ.get("XDG_DATA_HOME") or _home() / ".local" / "share") / "keyfob"


def _home() -> Path:
    """Raises Misuse: a container's user may have none."""
    try:
        return Path.home()
    except RuntimeError:
        raise Misuse(
            "no-vault", "this user has no home, so no vault", hint="name it: --vault or KEYFOB_VAULT"
        ) from None

"""What `--keep-running` leaves in its folder, from which both servers are started again."""

import json
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from keyfob import home
from keyfob.demo.stage import Stage
from keyfob.demo.story import CA
from keyfob.problem import Misuse

_FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the commands to try need to know; written last, so that what is there is whole."""

    api: str
    client_id: str


def read(folder: Path) -> Kept | None:
    """What an earlier run left in `folder`; None when there is no folder. Raises Misuse when it is another's."""
    if not folder.exists():
        return None
    try:
        found = json.loads((folder / _FILE).read_bytes())
        return Kept(str(found["api"]), str(found["client_id"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise Misuse(
            "folder",
            f"{folder} is there already, and no demonstration is in it",
            hint="name another folder, or remove it",
        ) from None


def write(folder: Path, kept: Kept) -> None:
    home.write_file(folder / _FILE, json.dumps(asdict(kept)).encode() + b"\n")


def start(stage: Stage) -> None:
    """Both servers, on what was set up before."""
    stage.start("operator", "keyfob-server", "serve", "--home", "operator")
    stage.start("api", "keyfob-cdms", "serve", "--home", "cdms")


def next_commands(stage: Stage, kept: Kept) -> list[str]:
    """What to try while both servers run: the settings of this set-up, then three commands."""
    folder = stage.folder
    beside = Path(sys.executable).parent
    path = "" if shutil.which("keyfob") else f' PATH="{beside}:$PATH"'
    ca, vault, operator = (shlex.quote(str(folder / name)) for name in (CA, "vault", "operator"))
    return [
        f"export KEYFOB_CA_FILE={ca} KEYFOB_VAULT={vault}{path}",
        f"keyfob call GET {kept.api}/v1/studies",
        f"keyfob-server client show {kept.client_id} --home {operator}",
        f"keyfob-server audit tail --home {operator}",
    ]

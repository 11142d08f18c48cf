"""Where sealed messages go on this machine: on the home before what they hold counts, from afar when they have come."""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyfob import home as homes
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import messages
from keyfob.server.commands.place import Place


@dataclass(frozen=True, slots=True)
class Tray:
    """An outlet (see `handoff`). `out`: the one file that was named; else each has a name of its own in `folder`."""

    out: Path | None = None
    folder: Path = Path()

    def __call__(self, name: str) -> Path:
        return self.out or self.folder / name

    def check(self, place: Place) -> None:
        """Before a server is asked, what its answer would find too late. Raises Misuse."""
        if place.server is None:
            return
        if self.out is not None and self.out.exists():
            raise Misuse("file-exists", f"{self.out} already exists", hint="name another file with --out")
        folder = self.folder if self.out is None else self.out.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Misuse("file-place", f"{folder} cannot be written", hint="name another place with --out")

    def take(self, place: Place, document: Mapping[str, Any]) -> Path | None:
        """The file of the message in `document`; None: there is none. Raises Misuse or Problem."""
        if messages.TEXT not in document:
            return None
        # The name is the server's: it leads nowhere else.
        path = self(Path(document[messages.NAME]).name)
        if place.server is not None:
            path = _free(path)
            try:
                homes.write_new_file(path, str(document[messages.TEXT]).encode("ascii"))
            except OSError as failed:
                raise Problem(
                    "file-not-written",
                    f"{path} cannot be written: {failed.strerror}: it was done, and its message is lost",
                    hint="make another one when there is room: client rotate, registration allow or renew",
                ) from failed
        return path


def without_message(document: Mapping[str, Any], path: Path | None) -> dict[str, Any]:
    """`document`, with the file in place of the message."""
    kept = {name: value for name, value in document.items() if name not in (messages.TEXT, messages.NAME)}
    return kept | ({} if path is None else {"sealed": str(path)})


def _free(path: Path) -> Path:
    """A message that is there once must not be lost for a name."""
    tried = (path.with_stem(f"{path.stem}.{number}") for number in itertools.count(2))
    return path if not path.exists() else next(one for one in tried if not one.exists())

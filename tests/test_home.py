"""keyfob.home: a folder comes to be whole or not at all, and a failure says why."""

import errno
import os
from pathlib import Path

import pytest

from keyfob import home
from keyfob.home import HomeKind
from keyfob.problem import Misuse, Problem


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, Problem, "home-place"),
        (errno.EROFS, Problem, "home-place"),
        (errno.ENOTEMPTY, Misuse, "home-exists"),
    ],
)
def test_only_a_folder_in_the_way_is_called_one(tmp_path, monkeypatch, number, kind, code):
    """The last rename fails as on a full or a read-only disk, or as behind another init."""
    rename = Path.replace

    def fail(source: Path, target: Path) -> Path:
        if target == tmp_path / "home":
            raise OSError(number, os.strerror(number))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(Problem) as refused:
        with home.building(tmp_path / "home", HomeKind.CDMS, installation_id="x"):
            pass
    assert (type(refused.value), refused.value.code) == (kind, code)
    assert code == "home-exists" or os.strerror(number) in refused.value.message
    assert list(tmp_path.iterdir()) == []

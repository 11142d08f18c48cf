"""A home comes whole or not at all, and a place where it cannot be is named."""

import errno
import os
from pathlib import Path

import pytest

from keyfob import home
from keyfob.home import HomeKind
from keyfob.problem import Misuse, Problem


def make(path: Path) -> None:
    with home.building(path, HomeKind.CDMS, installation_id="i"):
        pass


def test_a_home_is_made_once(tmp_path):
    make(tmp_path / "home")
    assert home.check(tmp_path / "home", HomeKind.CDMS).installation_id == "i"
    with pytest.raises(Misuse) as refused:
        make(tmp_path / "home")
    assert refused.value.code == "home-exists"


def test_a_place_where_no_home_can_be_is_named(tmp_path):
    file = tmp_path / "afile"
    file.touch()
    for place in (file, file / "home", file / "below" / "home"):
        with pytest.raises(Misuse) as refused:
            make(place)
        assert refused.value.message == f"{file} is a file, not a folder"
        with pytest.raises(Misuse) as refused:
            home.check(place, HomeKind.CDMS)
        assert refused.value.code == "no-home"
    with pytest.raises(Misuse) as refused:
        make(Path("/proc/nope"))
    assert "/proc/nope cannot be made" in refused.value.message


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    """As another user than root meets it."""

    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(Misuse) as refused:
        make(tmp_path / "home")
    assert "Permission denied" in refused.value.message


def test_a_disk_that_fills_up_leaves_no_trace(tmp_path):
    with pytest.raises(Problem) as refused, home.building(tmp_path / "home", HomeKind.CDMS, installation_id="i"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "No space left" in refused.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "variable"), [(HomeKind.SERVER, "KEYFOB_HOME"), (HomeKind.VAULT, "KEYFOB_VAULT")])
def test_another_programs_home_is_refused_with_the_variable_that_may_have_named_it(tmp_path, kind, variable):
    make(tmp_path / "home")
    for path in (tmp_path / "home", tmp_path / "none"):
        with pytest.raises(Misuse) as refused:
            home.check(path, kind)
        assert variable in refused.value.hint

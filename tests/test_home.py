"""keyfob.home: folders and files come whole or not at all, a failure says why, and nobody leads a writing elsewhere."""

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


def test_a_file_is_replaced_as_a_whole_with_the_mode_that_was_asked_for(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o666)
    home.write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    home.write_file(path, b"newer", mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [found.name for found in tmp_path.iterdir()] == ["x"]


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_laid_where_the_draft_went_by_its_process_is_not_followed(tmp_path):
    """In a shared folder somebody could have another file of ours overwritten."""
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / f".x.{os.getpid()}.new").symlink_to(victim)
    home.write_file(tmp_path / "x", b"secret")
    assert victim.read_text() == "keep"
    assert (tmp_path / "x").read_bytes() == b"secret"
    assert not (tmp_path / "x").is_symlink()


def test_what_cannot_be_written_leaves_no_trace(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "y").touch()
    with pytest.raises(OSError, match="x"):
        home.write_file(tmp_path / "x", b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["x"]


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

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

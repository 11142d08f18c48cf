"""keyfob.home: a file changes as a whole, and nobody who shares its folder can lead the writing elsewhere."""

import os

import pytest

from keyfob import home


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

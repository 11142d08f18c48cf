"""`keyfob scan` as it is typed."""

import contextlib
import gzip
import os
import socket
import subprocess

import pytest
from click.testing import CliRunner

from keyfob.partner.cli import cli
from keyfob.partner.scan import finding, tree
from keyfob.partner.scan.finding import Report
from keyfob.patience import Progress
from keyfob.problem import Misuse


def test_a_folder_is_walked_and_links_are_not_followed(tmp_path, secret, plant, scan):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "x").write_text(f"\n\n {secret.text}")
    outside = tmp_path.with_name(tmp_path.name + "-outside")
    outside.write_text(plant("kfs").text)
    (tmp_path / "link").symlink_to(outside)
    os.mkfifo(tmp_path / "pipe")
    said = scan(tmp_path)
    assert (said.found, said.fingerprints, said.exit_code) == ([("x", 3)], [secret.fingerprint], 1)
    assert scan(tmp_path / "pipe").document["files"] == 0, "a pipe is not waited for"


def test_a_name_that_is_no_text_and_folders_without_end_are_no_hindrance(tmp_path, secret, scan):
    (tmp_path / os.fsdecode(b"a\xff")).write_text(secret.text)
    said = scan(tmp_path)
    assert said.found == [("a\\udcff", 1)]
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert scan(tmp_path).fingerprints == [secret.fingerprint]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # the library's own way is by recursion


def test_a_file_of_nothing_but_secrets_does_not_fill_the_memory(tmp_path, secret, scan, monkeypatch):
    monkeypatch.setattr(finding, "MAX_FINDINGS", 3)
    (tmp_path / "x").write_text(f"{secret.text}\n" * 5)
    said = scan(tmp_path)
    assert (len(said.fingerprints), said.document["more"]) == (3, 2)


def test_a_secret_in_a_name_is_found_and_not_told_with_it(tmp_path, secret, plant, scan):
    other = plant("kfs")
    (tmp_path / f"export-{secret.text}.txt").write_text(other.text)
    said = scan(tmp_path)
    assert set(said.fingerprints) == {secret.fingerprint, other.fingerprint}
    assert secret.text not in said.output
    text = CliRunner().invoke(cli, ["scan", str(tmp_path)]).output
    assert secret.text not in text
    assert f"{tmp_path}/export-(a secret).txt:0:0: client secret" in text


def test_nothing_found_is_exit_0(tmp_path, scan):
    (tmp_path / "x").write_text("kfs_ is a prefix")
    said = scan(tmp_path)
    assert (said.exit_code, said.document["findings"], said.document["files"]) == (0, [], 1)


def test_standard_input_is_looked_into_archives_included(secret, scan):
    assert scan("-", given=b"x\n" + secret.body).found == [("-", 2)]
    assert scan("-", given=gzip.compress(secret.body)).fingerprints == [secret.fingerprint]


def test_an_expired_token_is_told_and_is_no_failure(tmp_path, new_token, scan):
    (tmp_path / "old").write_text(new_token(-10).text)
    said = scan(tmp_path)
    assert (said.exit_code, [one["expired"] for one in said.document["findings"]]) == (0, [True])
    (tmp_path / "new").write_text(new_token(100).text)
    assert scan(tmp_path).exit_code == 1


def test_a_known_one_is_passed_over_by_its_fingerprint(tmp_path, secret, scan):
    (tmp_path / "x").write_text(secret.text)
    said = scan(tmp_path, "--allow", secret.fingerprint)
    assert (said.exit_code, said.fingerprints) == (0, [])


def test_what_cannot_be_read_is_named(tmp_path):
    report = Report()
    tree.scan_file(tmp_path / "gone", report, max_unpacked=1)
    assert str(report.unread[0]) == f"{tmp_path}/gone: it cannot be read: No such file or directory"


def test_what_could_not_be_looked_into_fails_where_that_is_asked_for(tmp_path, scan):
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b\x08 nonsense")
    assert scan(tmp_path).exit_code == 0
    assert scan(tmp_path, "--strict").exit_code == 1


def test_a_person_is_told_where_and_what_next_and_never_the_secret(tmp_path, secret, new_token):
    (tmp_path / "x").write_text(f"{secret.text}\n{new_token(100).text}")
    done = CliRunner().invoke(cli, ["scan", str(tmp_path)])
    first = done.output.splitlines()[0]
    assert first == f"{tmp_path}/x:1:1: client secret of the credential Abcdefgh12 (fingerprint {secret.fingerprint})"
    assert "2 were found" in done.output
    assert "keyfob rotate" in done.output
    assert secret.text not in done.output
    assert "kfs_" not in done.output


def test_nothing_goes_over_the_network(tmp_path, secret, scan, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    (tmp_path / "x").write_text(secret.text)
    assert scan(tmp_path).exit_code == 1


@pytest.mark.parametrize("wrong", [("none-such",), ("--staged", "--history"), ("--staged", "a", "b")])
def test_misuse_is_told(wrong, scan):
    with pytest.raises(Misuse):
        scan(*wrong)


def test_how_far_it_is_is_known_from_the_first_block_to_the_last_object(tmp_path, monkeypatch):
    """What a person sees of it: tests/test_patience.py."""
    shares = []

    @contextlib.contextmanager
    def watched(_what):
        shown = Progress()
        yield shown
        shares.append(shown.share())

    real = tree.look_into

    def look_into(file, place, report, **options):
        real(file, place, report, **options)
        shares.append(report.reached)

    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    subprocess.run(["git", "-C", tmp_path, "add", "large"], check=True)
    (tmp_path / "archive.gz").write_bytes(gzip.compress(b"y" * 1000))
    monkeypatch.setattr("keyfob.partner.scan.command.progress", watched)
    monkeypatch.setattr(tree, "look_into", look_into)
    done = CliRunner().invoke(cli, ["scan", "--history", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert shares[-2:] == [1.0, 1.0], "of the files, and of the objects"
    sizes = [path.lstat().st_size for path in (tmp_path / "archive.gz", tmp_path / "large")]
    assert sum(sizes) in shares, "while the last of the two is still being read"
    assert tree.size_below(tmp_path / "none") == 0

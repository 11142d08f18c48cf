"""Real repositories: what was ever committed is found with its commit, what is staged before it is committed."""

import os
import subprocess

import pytest

from keyfob.partner.scan import git
from keyfob.partner.scan.finding import Report
from keyfob.problem import Misuse

WHO = ("-c", "user.name=A", "-c", "user.email=a@example", "-c", "commit.gpgsign=false")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()

    def run(*arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *WHO, "-C", str(folder), *arguments], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    folder.joinpath("README").write_text("hello\n")
    run("add", ".")
    run("commit", "--quiet", "--message=first")
    return folder, run


def test_a_secret_that_was_taken_out_again_is_found_with_the_commit_that_brought_it(repository, secret, scan):
    folder, run = repository
    (folder / "src").mkdir()
    (folder / "src" / "app é.env").write_text(f"\nSECRET={secret.text}\n")
    run("add", ".")
    run("commit", "--quiet", "--message=second")
    commit = run("rev-parse", "HEAD")
    run("rm", "--quiet", "src/app é.env")
    run("commit", "--quiet", "--message=third")
    assert scan(folder).document["findings"] == []
    said = scan(folder, "--history")
    (found,) = said.document["findings"]
    assert (found["path"], found["commit"], found["line"]) == ("src/app é.env", commit, 2)
    assert said.exit_code == 1
    assert secret.text not in said.output


def test_messages_other_branches_and_what_no_branch_reaches_are_history_too(repository, secret, plant):
    folder, run = repository
    other, third = plant("kfs"), plant("kfs")
    run("commit", "--quiet", "--allow-empty", f"--message=use {secret.text}")
    run("checkout", "--quiet", "-b", "other")
    (folder / "x").write_text(other.text)
    run("add", ".")
    run("commit", "--quiet", "--message=x")
    run("checkout", "--quiet", "main")
    (folder / "y").write_text(third.text)
    run("hash-object", "-w", "y")
    report = Report()
    git.scan_history(folder, report, max_unpacked=1 << 20)
    found = {one.match.fingerprint: str(one.place) for one in report.findings}
    assert found[secret.fingerprint].endswith(":(message)")
    assert found[other.fingerprint].endswith(":x")
    assert found[third.fingerprint].startswith("blob ")


def test_what_is_staged_is_found_and_what_is_not_staged_is_not(repository, secret, plant, scan):
    folder, run = repository
    (folder / "README").write_text(plant("kfs").text)
    (folder / "new\nline").write_text(secret.text)
    (folder / "same").write_text(secret.text)
    run("add", "new\nline", "same")
    (folder / "new\nline").write_text("taken out, but not staged so")
    said = scan("--staged", folder)
    assert said.fingerprints == [secret.fingerprint]
    assert said.exit_code == 1
    run("rm", "--cached", "--force", "--quiet", "new\nline", "same")
    assert scan("--staged", folder).exit_code == 0


def test_what_is_staged_before_the_first_commit_is_found(tmp_path, secret, scan):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "x").write_text(secret.text)
    subprocess.run(["git", "-C", str(tmp_path), "add", "x"], check=True)
    assert scan("--staged", tmp_path).fingerprints == [secret.fingerprint]


def test_no_program_of_the_repository_is_run(repository, secret, scan, tmp_path):
    """Whoever made a repository must not have his programs run by whoever looks into it."""
    folder, run = repository
    mark, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho x >> {mark}\n")
    program.chmod(0o755)
    (folder / ".gitattributes").write_text("* filter=x diff=x\n")
    (folder / "x").write_text(secret.text)
    run("add", ".")
    for name in (
        "gpg.program",
        "core.fsmonitor",
        "diff.x.textconv",
        "diff.x.command",
        "filter.x.smudge",
        "diff.external",
        "core.pager",
    ):
        run("config", name, str(program))
    assert scan("--staged", folder).exit_code == 1
    run("config", "log.showSignature", "true")
    run("-c", "core.fsmonitor=false", "-c", "filter.x.smudge=", "commit", "--quiet", "--message=x")
    signed = run("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    (tmp_path / "signed").write_text(signed + "\n")
    run("update-ref", "HEAD", run("hash-object", "-t", "commit", "-w", str(tmp_path / "signed")))
    mark.unlink(missing_ok=True)
    assert scan("--history", folder).exit_code == 1
    assert not mark.exists()


def test_a_folder_without_a_repository_is_misuse(tmp_path):
    with pytest.raises(Misuse) as refused:
        git.scan_history(tmp_path, Report(), max_unpacked=1)
    assert refused.value.code == "no-repository"


def test_what_a_repository_has_lost_is_named(repository, scan):
    folder, _ = repository
    for file in (folder / ".git" / "objects").rglob("??????????*"):
        file.chmod(0o600)
        file.write_bytes(b"nonsense")
    assert scan("--history", folder).not_scanned == ["the repository does not have it"] * 3

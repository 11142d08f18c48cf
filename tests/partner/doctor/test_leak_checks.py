"""Each place where a secret leaks: found there, told by its fingerprint, and not found where it is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from keyfob.partner.doctor import leaks
from keyfob.partner.doctor.check import Status

PLACES = {
    "shell-history": ("home", ".bash_history"),
    "dotfiles": ("home", ".netrc"),
    "tokens-on-disk": ("temporary", "token.txt"),
    "ci-files": ("folder", ".github/workflows/build.yml"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_secret_in_a_file_fails_an_expired_token_warns_and_nothing_passes(name, place, look, secret, new_token):
    folder, file = PLACES[name]
    path = getattr(place, folder) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("curl https://issuer.example\n")
    assert look(name).status is Status.PASS
    path.write_text(f"curl\nsecret={secret.text}\n")
    outcome = look(name)
    assert outcome.status is Status.FAIL
    assert (
        f"{path}:2:8: client secret of the credential Abcdefgh12 (fingerprint {secret.fingerprint})" in outcome.details
    )
    assert outcome.mend.startswith("keyfob rotate")
    assert secret.text not in repr(outcome)
    for lifetime, status in ((100, Status.FAIL), (-100, Status.WARN)):
        path.write_text(new_token(lifetime).text)
        assert look(name).status is status


def test_histfile_may_be_anywhere(look, secret, tmp_path):
    (tmp_path / "h").write_text(secret.text)
    assert look("shell-history", environ={"HISTFILE": str(tmp_path / "h")}).status is Status.FAIL


def test_settings_below_some_folders_count_too_and_a_history_is_told_once(place, look, secret):
    (place.home / ".config" / "x").mkdir(parents=True)
    (place.home / ".config" / "x" / "y.toml").write_text(secret.text)
    assert look("dotfiles").status is Status.FAIL
    (place.home / ".config" / "x" / "y.toml").write_text("")
    (place.home / ".zsh_history").write_text(secret.text)
    assert look("dotfiles").status is Status.PASS


def test_a_variable_of_this_process(look, secret, new_token):
    outcome = look("environment", environ={"X": f"a {secret.text}", "HOME": "/h"})
    assert outcome.status is Status.FAIL
    assert outcome.details[0].startswith("$X:1:3: client secret")
    assert look("environment", environ={"KEYFOB_ACCESS_TOKEN": new_token(100).text}).status is Status.WARN
    assert look("environment", environ={"X": "y"}).status is Status.PASS


@pytest.fixture
def program():
    """A real one, with an argument and a variable."""
    started = []

    def start(argument, variable):
        script = "print(flush=True); input()"
        command = [sys.executable, "-c", script, argument]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PLANTED": variable})
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.communicate(b"\n")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
def test_another_program_of_this_user(program, look, secret, plant, place):
    other = plant("kfs")
    running = program(secret.text, other.text)
    (place.processes / str(running.pid)).symlink_to(f"/proc/{running.pid}")
    for name, planted in (("processes", secret), ("environment", other)):
        outcome = look(name)
        assert outcome.status is Status.FAIL
        assert f"process {running.pid}" in outcome.details[0]
        assert planted.fingerprint in outcome.details[0]


def test_where_there_is_no_proc_ps_is_asked(program, look, secret, tmp_path):
    program(secret.text, "")
    outcome = look("processes", processes=tmp_path / "none")
    assert secret.fingerprint in "".join(outcome.details)


def test_the_history_of_the_repository_here(look, secret, place):
    assert look("git-history").status is Status.UNKNOWN
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example", "-C", str(place.folder)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=x"], check=True)
    assert look("git-history").status is Status.PASS
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", f"--message={secret.text}"], check=True)
    assert look("git-history").status is Status.FAIL


def test_there_is_an_end_to_looking_and_it_is_told(look, place, monkeypatch):
    monkeypatch.setattr(leaks, "MAX_FILES", 2)
    for number in range(3):
        (place.temporary / str(number)).write_text("x")
    assert "there are more of them" in look("tokens-on-disk").said

"""`keyfob run`, `status` and `completion`, as a person types them, at a real issuer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyfob.partner.cli import cli
from keyfob.partner.run_command import child_environment
from keyfob.partner.vault.entries import Keeping
from keyfob.problem import Misuse
from keyfob.secret import Secret

SHOW = "import json, os, sys; print(json.dumps(dict(os.environ))); sys.exit(7)"


@pytest.fixture
def ready(handoff, service):
    handoff.receive(handoff.message())
    return handoff


def keyfob(ready, service, *arguments, **more):
    script = "from keyfob.partner.cli import main; main()"
    environment = {"PATH": os.environ["PATH"], "KEYFOB_VAULT": str(ready.vault), "KEYFOB_CA_FILE": str(service.ca),
                   "KEYFOB_KEY_FILE": f"{ready.vault}.key", **more}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment, timeout=60
    )


def test_a_program_gets_a_token_and_never_the_secret_nor_what_opens_it(ready, service):
    done = keyfob(ready, service, "run", "--scope", "studies:read", "--", sys.executable, "-c", SHOW)
    assert done.returncode == 7, done.stderr
    seen = json.loads(done.stdout)
    assert seen["KEYFOB_ACCESS_TOKEN"] == "token-1"
    assert int(seen["KEYFOB_ACCESS_TOKEN_EXPIRES_AT"]) > 0
    assert [form["scope"] for form in service.asked] == ["studies:read"]
    assert not {"KEYFOB_VAULT", "KEYFOB_KEY_FILE"} & seen.keys()
    assert "kfs_" not in done.stdout + done.stderr
    assert "token-1" not in done.stderr


def test_what_vault_would_take_is_left_out_where_the_credential_is_under_a_key_there(ready, service, bao):
    ready.receive(ready.message(), keeping=Keeping.VAULT, key_name=bao.new_key())
    vaults = bao.environ | {"BAO_SECRET_ID_FILE": "f", "VAULT_ROLE_ID": "r"}
    done = keyfob(ready, service, "run", "--scope", "studies:read", "--", sys.executable, "-c", SHOW, **vaults)
    seen = json.loads(done.stdout)
    assert seen["KEYFOB_ACCESS_TOKEN"] == "token-1"
    assert {name for name in vaults if name in seen} == vaults.keys() - {"VAULT_TOKEN", "BAO_SECRET_ID_FILE"}
    ready.receive(ready.message(), keeping=Keeping.FILE)
    done = keyfob(ready, service, "run", "--scope", "studies:read", "--", sys.executable, "-c", SHOW, **vaults)
    assert vaults.keys() <= json.loads(done.stdout).keys(), "elsewhere it is none of our business"


def test_its_own_options_are_left_to_the_program(ready, service):
    done = keyfob(ready, service, "run", "--scope", "studies:read", "--env", "T", "--", "printenv", "--null", "T")
    assert done.stdout == "token-1\0"


def test_what_cannot_be_run_asks_for_no_token(ready, service):
    for wrong in (("--", "no-such-program"), ("--env", "A=B", "--", "true"), ()):
        done = keyfob(ready, service, "run", "--scope", "studies:read", *wrong)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert keyfob(ready, service, "run", "--scope", "studies:write", "--", "true").returncode == 1
    assert service.asked == []


def test_the_childs_environment_is_ours_without_what_opens_the_vault():
    ours = {"A": "1", "KEYFOB_PASSPHRASE_FILE": "f", "KEYFOB_CA_FILE": "ca", "KEYFOB_VAULT": "env:V", "V": "v"}
    theirs = child_environment(ours, Secret("t"), expires_at=9)
    assert theirs == {
        "A": "1",
        "KEYFOB_CA_FILE": "ca",
        "KEYFOB_ACCESS_TOKEN": "t",
        "KEYFOB_ACCESS_TOKEN_EXPIRES_AT": "9",
    }


@pytest.fixture
def status(ready, monkeypatch):
    monkeypatch.setenv("KEYFOB_VAULT", str(ready.vault))
    return lambda *arguments: CliRunner().invoke(cli, ["status", *arguments], catch_exceptions=False).stdout


def test_the_vault_is_shown_without_being_opened(ready, service, status, next_message):
    ready.receive(ready.message(**next_message(2, client_secret_expires_at=2000)), keeping=Keeping.MESSAGE)
    Path(f"{ready.vault}.key").unlink()
    (client,) = json.loads(status("--json"))["clients"]
    assert [one["credential_id"] for one in client["credentials"]] == ["credential2", "credential1"]
    newest = client["credentials"][0]
    assert (newest["expires_at"], newest["expired"], newest["key"]) == (2000, True, "message")
    assert client["credentials"][1]["expires_at"] is None
    text = status()
    assert "expired 1970-01-01 00:33:20Z" in text
    assert f"for      {service.url}/api" in text
    assert "before   credential1" in text
    assert service.asked == []


def test_a_damaged_file_is_named(ready, status):
    (path,) = ready.stored()
    path.write_text("{")
    assert f"damaged  {path}" in status()
    assert json.loads(status("--json"))["clients"][0]["damaged"] == [str(path)]


def test_without_a_vault_that_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("KEYFOB_VAULT", str(tmp_path / "none"))
    with pytest.raises(Misuse) as refused:
        CliRunner().invoke(cli, ["status"], catch_exceptions=False)
    assert refused.value.code == "no-vault"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_what_completes_our_commands(shell):
    done = CliRunner().invoke(cli, ["completion", shell], catch_exceptions=False)
    assert "_KEYFOB_COMPLETE" in done.stdout


def test_bash_really_completes_with_it(ready, service):
    folder = ready.folder / "bin"
    folder.mkdir()
    program = folder / "keyfob"
    script = "from keyfob.partner.cli import main; main()"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{script}' \"$@\"\n")
    program.chmod(0o755)
    made = keyfob(ready, service, "completion", "bash").stdout
    asking = 'COMP_WORDS=(keyfob sca); COMP_CWORD=1; _keyfob_completion keyfob sca; printf "%s\\n" "${COMPREPLY[@]}"'
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", f"{made}\n{asking}"], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["scan"], done.stderr

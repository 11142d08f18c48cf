"""The scanners of others, with the rules that are made for them, on secrets that were really issued."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keyfob import client_secret
from keyfob.ambient import system_entropy
from keyfob.partner.scan import rules

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".interop" / "venv" / "bin"
GITLEAKS = ROOT / "tests" / "interop" / "node" / "node_modules" / "@0xts" / "gitleaks-cli" / "bin" / "gitleaks"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


@pytest.fixture
def leaked(scene, tmp_path):
    """A folder with one file of an issued secret and token, and one of what only looks like them."""
    folder = tmp_path / "repository"
    folder.mkdir()
    token = str(scene.operator.token(scene.client).document["access_token"])
    secret = scene.client.client_secret.reveal()
    (folder / "leak.env").write_text(f"A={secret}\nB={token}\n")
    body = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    (folder / "alike.env").write_text(f"A={body}\nB=kfs_nothing\nC={token.replace('.', ',')}\n")
    return folder


def run(*command, cwd, status, env=ENVIRONMENT):
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_detect_secrets_finds_them_and_knows_the_checksum(leaked, tmp_path):
    plugin = tmp_path / "keyfob_plugin.py"
    plugin.write_text(rules.detect_secrets())
    done = run(VENV / "detect-secrets", "scan", "--all-files", "-p", plugin, ".", cwd=leaked, status=0)
    found = json.loads(done.stdout)["results"]
    ours = {(name, one["type"]) for name, several in found.items() for one in several if "Keyfob" in one["type"]}
    assert ours == {("leak.env", "Keyfob client secret"), ("leak.env", "Keyfob access token")}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not there")
def test_gitleaks_finds_them(leaked, tmp_path):
    config, report = tmp_path / "gitleaks.toml", tmp_path / "report.json"
    config.write_text(rules.gitleaks())
    command = ("node", GITLEAKS, "dir", ".", "--config", config, "--report-path", report, "--report-format", "json")
    run(*command, "--redact", "--no-banner", cwd=leaked, status=1)
    found = {(one["File"], one["RuleID"]) for one in json.loads(report.read_text()) if "keyfob" in one["RuleID"]}
    # It knows no checksum: what looks alike is found, too, and `keyfob scan` tells the two apart.
    assert found - {("alike.env", "keyfob-client-secret")} == {
        ("leak.env", "keyfob-client-secret"),
        ("leak.env", "keyfob-access-token"),
    }


def test_the_patterns_for_github_work_in_the_engine_that_it_uses(leaked):
    """GitHub's scanner is a service; its page names Hyperscan, which is played here, and how the parts are joined."""
    script = """
import hyperscan, json, sys
patterns = json.load(open(sys.argv[1]))["patterns"]
whole = [f"({p['before_secret']})({p['secret_format']})({p['after_secret']})".encode() for p in patterns]
database = hyperscan.Database()
database.compile(expressions=whole, ids=list(range(len(whole))), elements=len(whole))
found = set()
database.scan(open(sys.argv[2], "rb").read(), match_event_handler=lambda i, *_: found.add(i) and None)
print(json.dumps(sorted(patterns[i]["name"] for i in found)))
"""
    (leaked / "github.json").write_text(rules.github())
    done = run(VENV / "python", "-c", script, "github.json", "leak.env", cwd=leaked, status=0)
    assert json.loads(done.stdout) == ["Keyfob access token", "Keyfob client secret"]


def test_pre_commit_refuses_the_commit(leaked, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    program = f"{sys.executable} -c 'from keyfob.partner.cli import main; main()'"
    (programs / "keyfob").write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    (programs / "keyfob").chmod(0o755)
    environment = {
        **ENVIRONMENT,
        "PATH": f"{programs}:{VENV}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        **{f"GIT_{who}_{what}": f"a@{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    (leaked / ".pre-commit-config.yaml").write_text(rules.pre_commit())
    run("git", "init", "--quiet", cwd=leaked, status=0, env=environment)
    run(VENV / "pre-commit", "install", cwd=leaked, status=0, env=environment)
    run("git", "add", ".", cwd=leaked, status=0, env=environment)
    refused = run("git", "commit", "--message=x", cwd=leaked, status=1, env=environment)
    assert "leak.env:1:3: client secret of the credential" in refused.stdout + refused.stderr
    assert client_secret.make("Abcdefgh12", system_entropy(32)).reveal()[:4] not in refused.stdout + refused.stderr
    run("git", "rm", "--cached", "--quiet", "leak.env", cwd=leaked, status=0, env=environment)
    run("git", "commit", "--quiet", "--message=x", cwd=leaked, status=0, env=environment)

"""The documents tell the truth: their shell blocks run in one go, in one empty folder, and so does their Python."""

import contextlib
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import inside

ROOT = Path(__file__).parents[2]
STORY = (
    "docs/tutorial/first-call.md",
    "docs/tutorial/lab-data.md",
    "docs/how-to/partner/vault.md",
    "docs/reference/vault-format.md",
    "docs/how-to/operate/rotate.md",
    "docs/how-to/operate/back-up.md",
    "docs/how-to/operate/deploy.md",
    "docs/how-to/operate/hand-over.md",
    "docs/how-to/partner/receive.md",
    "docs/how-to/partner/call.md",
    "docs/how-to/partner/container.md",
    "docs/how-to/partner/rotate.md",
    "docs/how-to/partner/own-key.md",
    "docs/how-to/partner/gpg-and-curl.md",
    "docs/how-to/partner/scan.md",
    "docs/how-to/partner/doctor.md",
    "docs/how-to/operate/registration.md",
    "docs/how-to/partner/register.md",
    "docs/how-to/operate/client-certificates.md",
    "docs/how-to/operate/why-refused.md",
    "docs/how-to/operate/alarms.md",
    "docs/how-to/operate/operators.md",
    "docs/how-to/operate/notices.md",
    "docs/how-to/operate/settings.md",
    "docs/how-to/operate/declare.md",
    "docs/how-to/operate/leaks.md",
    "docs/how-to/operate/least-privilege.md",
    "docs/how-to/operate/withdraw.md",
    "docs/how-to/guard/protect-a-handler.md",
    "docs/how-to/guard/frameworks.md",
    "docs/how-to/guard/any-language.md",
    "README.md",
)
"""In the order in which a reader would follow them: each may use what those before it made."""
POSTGRESQL = ("docs/how-to/operate/postgresql.md", "docs/how-to/operate/nodes.md")
"""By themselves, beside a real PostgreSQL; the second page goes on where the first one ends."""
KMS = "docs/how-to/operate/kms.md"
"""By itself, with a server of AWS KMS."""

HANGS = 560
"""Seconds: the whole story takes about two minutes, on a busy machine a few times that."""
pytestmark = pytest.mark.timeout(HANGS + 20)

INSTALL = re.compile(
    r"make (demo|test)|python3 -m venv \.venv|\.venv/bin/python -m (pip install \"\.\[all\]\"|keyfob\.demo)"
)
PROGRAMS = {
    "keyfob-server": "keyfob.server.cli",
    "keyfob-cdms": "keyfob.cdms.cli",
    "keyfob-guard": "keyfob.guard.cli",
    "keyfob": "keyfob.partner.cli",
}


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def script(names: tuple[str, ...], places: dict[str, str]) -> str:
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p); wait' EXIT"]
    for name in names:
        lines.append(f"echo '== {name}'")
        for number, (language, content) in enumerate(blocks((ROOT / name).read_text(encoding="utf-8"))):
            if language == "python":
                # A block that begins with its file's name is used later by that name.
                named = re.match(r"# (\w+\.py)\n", content)
                file = named.group(1) if named else f"block-{number}.py"
                lines.append(f"cat > {file} <<'END'\n{content}END\npython {file}")
            elif language == "sh":
                # What a person waits for with her eyes: the server that was just started answers.
                lines.append(re.sub(r"> (\S+\.log) 2>&1 &$", r"\g<0>\nuntil_ready \1", content, flags=re.M))
    text = "\n".join(lines)
    for usual, free in places.items():
        text = text.replace(usual, free)
    waiting = """until_ready() {
  for _ in $(seq 3000); do grep -Eq '^ready|Uvicorn running' $1 && return; read -rt 0.01 <> <(:) || :; done
  cat $1; return 1
}"""
    return f"{waiting}\n{text}"


def play(text: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """The script's end, and with it the end of whatever it had started, also when it hangs."""
    command = ["bash", "-c", text]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=HANGS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture
def folder() -> object:
    # Short: gpg's sockets must have a path of at most 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="kd-")).resolve()
    yield made
    subprocess.run(
        ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(made / "gnupg")}, capture_output=True
    )
    shutil.rmtree(made)


@pytest.fixture
def environment(folder) -> dict[str, str]:
    """What the documents' commands find, in their folder."""
    programs = folder / "bin"
    programs.mkdir()
    for name, module in PROGRAMS.items():
        program = programs / name
        program.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from {module} import main; main()' \"$@\"\n")
        program.chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    (folder / "gnupg").mkdir(mode=0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KEYFOB_", "SSL_CERT"))}
    environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GNUPGHOME": str(folder / "gnupg"),
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "default",
    }
    # A link to the environment's Python would lose its packages: the venv is found by the path it is called by.
    (programs / "python").unlink()
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    return environment


def test_every_command_of_the_documents_runs(folder, environment, free_port_of):
    text = script(STORY, {usual: str(free_port_of()) for usual in ("8443", "8444", "9443", "9543", "9643", "9393")})
    done = play(text, folder, environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "== README.md" in done.stdout
    assert not re.search(r"kf[sir]_[0-9A-Za-z]{8}", done.stdout + done.stderr)


def test_the_pages_on_postgresql_and_nodes_run_beside_a_real_one(folder, environment, free_port_of, postgresql):
    """What is said of db.example holds of a host with a verified name; the administrator's part runs as theirs."""
    for language, content in blocks((ROOT / POSTGRESQL[0]).read_text(encoding="utf-8")):
        if language == "sql":
            postgresql.sql(content)
    shutil.copy(postgresql.ca, folder / "ca.pem")
    environment["PATH"] += f":{postgresql.programs}"
    # A name of this machine would not have to be verified: here it is.
    places = {
        "8443": str(free_port_of()),
        "8444": str(free_port_of()),
        "9443": str(free_port_of()),
        "db.example:5432": f"localhost:{postgresql.port}",
        "?sslrootcert": "?sslmode=verify-full&sslrootcert",
    }
    text = script(POSTGRESQL, places)
    done = play(text, folder, environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("whole: ") == 2
    assert "a long random one" not in done.stdout + done.stderr + (folder / "server.log").read_text()


def test_the_page_on_kms_runs_with_a_server_of_it(cloud, folder, environment, free_port_of):
    done = play(script((KMS,), {"8443": str(free_port_of())}), folder, environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"ES256 +next .* aws-kms:arn:aws:kms:eu-central-1:123456789012:key/", done.stdout)
    assert "BEGIN PRIVATE KEY" not in done.stdout + done.stderr


def test_every_other_shell_block_is_an_installation():
    """They are run by CI on a clean clone (`make`), or are what pip does with this project."""
    for document in [ROOT / "README.md", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for language, content in blocks(document.read_text(encoding="utf-8")):
            assert language in ("sh", "python", "console", "sql", "mermaid", "nginx", "caddyfile", "yaml", "json"), (
                document
            )
            if language == "console":
                for line in content.splitlines():
                    assert INSTALL.fullmatch(line), (document, line)


def test_every_page_with_commands_is_followed():
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if "```sh" in path.read_text()}
    assert pages <= {*STORY, *POSTGRESQL, KMS}


def test_the_page_for_those_who_want_nothing_of_ours_uses_nothing_of_ours():
    page = (ROOT / "docs/how-to/partner/gpg-and-curl.md").read_text()
    commands = "\n".join(content for _, content in blocks(page))
    begun = re.findall(r"(?:^|\||\$\(|[{;])\s*([a-z][\w-]*)(?=[ (])", re.sub(r"'[^']*'", "''", commands), re.MULTILINE)
    assert {"gpg", "curl", "jq"} <= set(begun) <= {"gpg", "curl", "jq", "cp", "cut", "login", "bearer"}, begun


def test_every_page_stands_in_the_index_under_its_title():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        title = page.read_text().partition("\n")[0].removeprefix("# ")
        assert name == "README.md" or f"- [{title}]({name})" in index, name


def test_every_link_leads_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document, target)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_teaches_its_commands(program):
    def said(*arguments: str) -> str:
        done = inside.run(importlib.import_module(PROGRAMS[program]).cli, program, *arguments, "--help")
        assert done.returncode == 0
        return done.stdout

    def walk(*path: str) -> None:
        text = said(*path)
        listed = text.partition("Commands:")[2]
        names = re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)
        if not names:
            assert "Example:" in text, path
        for name in names:
            walk(*path, name)

    walk()

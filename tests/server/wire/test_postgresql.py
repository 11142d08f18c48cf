"""A PostgreSQL of its own, that is ended and started again while tokens are asked for."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from urllib.parse import quote

import pytest

ENTRY = "from keyfob.server.cli import main; main()"


@pytest.fixture
def away(new_postgresql, new_operator, monkeypatch):
    """`operator`, `info` and the `cluster` that it stands on."""
    cluster = new_postgresql()
    monkeypatch.setenv("KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE", "0")
    operator = new_operator(cluster.new_url())
    yield operator, operator.client("steady"), cluster
    operator.stop()
    cluster.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["shut down", "crashed"])
def test_a_database_that_restarts_under_load_costs_503_for_a_while_and_no_record(away, under_load, until, how):
    operator, info, cluster = away
    operator.serve("--workers", "2")
    with under_load(operator, info) as answers:
        until(lambda: len(answers) > 30)
        cluster.stop(how)
        until(lambda: 503 in {status for status, _ in answers})
        assert operator.request("GET", "/readyz").status == 503
        assert operator.request("GET", "/healthz").status == 200
        cluster.start()
        seen = len(answers)
        until(lambda: [status for status, _ in answers[seen:]].count(200) > 30)
    assert {status for status, _ in answers} == {200, 503}
    until(lambda: operator.request("GET", "/readyz").status == 200)
    operator.stop()
    recorded = {record.get("request_id") for record in operator.audit(100_000)}
    assert {request_id for status, request_id in answers if status == 200} <= recorded
    assert operator.run("audit", "verify")["whole"] is True
    assert cluster.password not in operator.log


def test_two_nodes_are_one_issuer(postgresql, new_operator, free_port_of, under_load, until):
    """A node is a copy of the home: what one changes holds at the other from its next request on."""
    one = new_operator(postgresql.new_url())
    info = one.client("both")
    shutil.copytree(one.home, one.home.parent / "node" / "home")
    other = replace(one, home=one.home.parent / "node" / "home", port=free_port_of(), processes=[])
    one.serve()
    other.serve(ready=one.issuer)
    try:
        with under_load(one, info) as first, under_load(other, info) as second:
            until(lambda: len(first) > 30 and len(second) > 30)
        assert {status for status, _ in (*first, *second)} == {200}
        one.run("client", "suspend", info.client_id)
        assert other.token(info, scope="studies:read").status == 401
        other.run("client", "resume", info.client_id)
        assert one.token(info, scope="studies:read").status == 200
        records = other.audit(100_000)
    finally:
        other.stop()
    issued = [record["request_id"] for record in records if record["kind"] == "token_issued"]
    assert {request_id for _, request_id in (*first, *second)} <= set(issued)
    assert len(issued) == len(set(issued))
    assert one.run("audit", "verify")["whole"] is True


def refused(*arguments, environ=None, status=1):
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(environ or {})},
    )
    assert done.returncode == status, done
    assert done.stdout == ""
    return done.stderr


def test_what_keeps_a_program_from_its_database_is_said_with_a_hint(postgresql, tmp_path, tls_files, make_tls):
    other = make_tls(tmp_path / "other")
    init = ("init", "--home", tmp_path / "home", "--issuer", "https://localhost:8443", "--database")
    name = postgresql.new_url().split("/")[3].split("?")[0]
    wrong = tmp_path / "wrong"
    wrong.write_text("localhost:*:*:keyfob:guessed-by-nobody\n")
    wrong.chmod(0o600)
    for url, words in (
        (postgresql.url(name, sslrootcert=str(other.ca)), "certificate"),
        (postgresql.url(name, passfile=str(tmp_path / "none")), "pass file"),
        (postgresql.url(name, passfile=str(wrong)), "authentication failed"),
        (postgresql.url("absent"), "createdb"),
        (postgresql.url(name).replace(f":{postgresql.port}/", ":1/"), "is it running"),
    ):
        said = refused(*init, url)
        assert words in said, said
        assert "hint:" in said
        assert "Traceback" not in said
        assert "guessed-by-nobody" not in said
    assert not (tmp_path / "home").exists()
    assert postgresql.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0\n"


def test_a_password_from_the_environment_stands_nowhere(postgresql, tmp_path):
    url = postgresql.new_url()
    with_password = url.replace("keyfob@", f"keyfob:{quote(postgresql.password)}@").partition("&passfile")[0]
    environ = {"KEYFOB_DATABASE_URL": with_password}
    home = tmp_path / "home"
    run = [sys.executable, "-c", ENTRY]
    init = [*run, "init", "--home", str(home), "--issuer", "https://localhost:8443"]
    done = subprocess.run(init, capture_output=True, text=True, env={**os.environ, **environ}, check=True)
    verify = subprocess.run(
        [*run, "audit", "verify", "--home", str(home)], capture_output=True, env={**os.environ, **environ}, check=True
    )
    assert b"whole" in verify.stdout
    assert "postgresql://keyfob@localhost" in (home / "keyfob.toml").read_text()
    assert not [
        path for path in home.rglob("*") if path.is_file() and postgresql.password.encode() in path.read_bytes()
    ]
    assert postgresql.password not in done.stdout + done.stderr
    assert "pass file" in refused("audit", "verify", "--home", home)
    (home / "keyfob.toml").write_text(
        (home / "keyfob.toml").read_text().replace(str(url.partition("?")[0]), with_password.partition("?")[0])
    )
    said = refused("audit", "verify", "--home", home, status=2)
    assert "holds a password" in said
    assert postgresql.password not in said


def test_a_home_is_made_in_an_empty_database_or_not_at_all(postgresql, tmp_path):
    url = postgresql.new_url()
    init = ("init", "--issuer", "https://localhost:8443", "--database", url, "--home")
    subprocess.run([sys.executable, "-c", ENTRY, *init, str(tmp_path / "one")], capture_output=True, check=True)
    before = postgresql.dump(url.split("/")[3].split("?")[0])
    assert "is not empty" in refused(*init, tmp_path / "two", status=2)
    assert not (tmp_path / "two").exists()
    assert rows(postgresql.dump(url.split("/")[3].split("?")[0])) == rows(before)


def rows(dump):
    return [line for line in dump.splitlines() if line.startswith("INSERT")]

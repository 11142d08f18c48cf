"""`keyfob-cdms` at the command line: homes, designs, sites, and what each refusal says."""

import subprocess
import sys

import pytest

from keyfob.ambient import system_entropy
from keyfob.cdms import installation

LOCAL = "https://localhost:2"


def run(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from keyfob.cdms.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_loopback_api_takes_its_certificate_from_the_authority_beside(new_api, tls_files):
    api = new_api()
    assert (api.home / "tls" / "server.pem").exists()
    assert (api.home / "ca.pem").read_bytes() == tls_files.ca.read_bytes()
    assert (api.home / "keys" / "kek").stat().st_mode & 0o077 == 0
    described = (api.home / "resource.json").read_text()
    assert '"keyfob_scopes"' in described
    assert '"d":' not in described


def test_a_home_is_never_overwritten_and_another_programs_is_refused(new_api, tls_files, tmp_path):
    api = new_api()
    options = ("--issuer", "https://localhost:1", "--resource", "https://localhost:2", "--ca", tls_files.ca)
    assert run("init", "--home", api.home, *options)[0] == 2
    (tmp_path / "keyfob-home.json").write_text('{"kind": "keyfob-server", "version": 1, "installation_id": "x"}')
    status, words = run("load", "x.xml", "--home", tmp_path)
    assert status == 2
    assert "keyfob-server" in words
    assert run("serve", "--home", tmp_path / "none")[0] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--issuer", "http://a.example", "--resource", "https://localhost:2"), "--issuer"),
        (("--issuer", "https://a.example", "--resource", "https://localhost:2/"), "--resource"),
        (("--issuer", "https://a.example", "--resource", "https://localhost:2"), "--tls-cert"),
        (("--issuer", "https://a.example", "--resource", "https://api.example", "--ca", "CA"), "--tls-cert"),
        (("--issuer", "https://a.example", "--resource", "https://localhost:2", "--ca", "missing.pem"), "missing.pem"),
        (("--issuer", "https://a.example", "--resource", "https://localhost:2", "--tls-cert", "x"), "--tls-key"),
        (("--issuer", "https://a.example", "--resource", LOCAL, "--database", "mysql://u:p@h/d"), "sqlite"),
    ],
)  # fmt: skip
def test_an_init_that_cannot_be_names_what_is_missing_and_leaves_nothing(tmp_path, tls_files, options, words):
    named = [tls_files.ca if option == "CA" else option for option in options]
    status, said = run("init", "--home", tmp_path / "home", *named)
    assert status in (1, 2)
    assert words in said
    assert "u:p@h" not in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_database_elsewhere_comes_with_its_home_or_not_at_all(tmp_path, tls_files):
    place = tmp_path / "data.db"
    options = ("--issuer", "https://localhost:1", "--resource", LOCAL, "--ca", tls_files.ca)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")  # empty, but nothing that a home can be renamed over
    status, said = run("init", "--home", tmp_path / "link", *options, "--database", f"sqlite:///{place}")
    assert status == 2
    assert "already exists" in said
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "link"}
    assert run("init", "--home", tmp_path / "home", *options, "--database", f"sqlite:///{place}")[0] == 0
    content = place.read_bytes()
    assert not (tmp_path / "home" / "cdms.db").exists()
    installation.open(tmp_path / "home", environ={}, entropy=system_entropy).close()
    status, said = run("init", "--home", tmp_path / "other", *options, "--database", f"sqlite:///{place}")
    assert status == 2
    assert str(place) in said
    assert place.read_bytes() == content
    assert not (tmp_path / "other").exists()


def test_a_design_is_loaded_once_and_never_changes(new_api, demo_study, tmp_path):
    api = new_api()
    design = tmp_path / "design.xml"
    design.write_bytes(demo_study("design"))
    assert api.run("load", design)["loaded"][0]["designs"][0]["state"] == "live"
    assert api.run("load", design)["loaded"][0]["designs"][0]["state"] == "unchanged"
    design.write_bytes(demo_study("design").replace(b"Headache", b"x").replace(b"Did you sleep well?", b"Slept well?"))
    refused = api.run("load", design, status=1)
    assert refused["error"] == "version-exists"
    design.write_bytes(demo_study("design").replace(b"MDV.1", b"MDV.2"))
    assert api.run("load", design, "--draft")["loaded"][0]["designs"][0]["state"] == "draft"


def test_a_study_whose_oid_cannot_stand_in_a_url_needs_a_key(new_api, demo_study, tmp_path):
    api = new_api()
    design = tmp_path / "design.xml"
    design.write_bytes(demo_study("design").replace(b'"KF.DEMO"', b'"cdisc.com/PILOT"'))
    assert api.run("load", design, status=2)["error"] == "study-key"
    assert api.run("load", design, "--study-key", "../x", status=2)["error"] == "study-key"
    assert api.run("load", design, "--study-key", "PILOT 1")["loaded"][0]["designs"][0]["path_key"] == "PILOT 1"
    api.serve()
    assert api.get("/v1/studies/PILOT%201").document["oid"] == "cdisc.com/PILOT"
    made = api.register("PILOT 1", "1")
    assert made.headers["location"] == f"{api.resource}/v1/studies/PILOT%201/subjects/{made.document['subject_id']}"


def test_a_running_server_sees_at_once_what_is_loaded(api, demo_study, tmp_path):
    data = tmp_path / "data.xml"
    data.write_bytes(demo_study("data"))
    loaded = api.run("load", data)["loaded"][0]["data"][0]
    assert (loaded["stored"], loaded["subjects_registered"]) == (81, 4)
    assert len(api.get("/v1/studies/KF.DEMO/subjects").document["items"]) == 4
    assert api.run("load", data)["loaded"][0]["data"][0]["unchanged"] == 81


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-xml"),
        (b"<html/>", "not-odm"),
        (b'<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" FileOID="x" ODMVersion="1.3.2"/>', "nothing-to-load"),
        (b"DATA-WITHOUT-DESIGN", "unknown-oid"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_refused_whole(new_api, demo_study, tmp_path, content, code):
    api = new_api()
    path = tmp_path / "file.xml"
    path.write_bytes(demo_study("data") if content == b"DATA-WITHOUT-DESIGN" else content)
    refused = api.run("load", path, status=1)
    assert refused["error"] == code
    if content == b"":
        assert refused["message"].endswith("is not well-formed XML (document empty, column 1), line 1")


def test_every_mistake_of_a_file_is_shown_with_its_line(new_api, demo_study, tmp_path):
    api = new_api()
    design, data = tmp_path / "design.xml", tmp_path / "data.xml"
    design.write_bytes(demo_study("design"))
    data.write_bytes(demo_study("data").replace(b'Value="F"', b'Value="Q"'))
    api.run("load", design)
    refused = api.run("load", data, status=1)
    assert refused["error"] == "code-list"
    assert refused["message"].count("(line ") == 2
    assert api.run("load", tmp_path / "missing.xml", status=2)["error"] == "file-unreadable"


def test_a_site_is_added_and_renamed(api):
    assert api.run("site", "add", "KF.DEMO", "703", "Clinic")["state"] == "added"
    assert api.run("site", "add", "KF.DEMO", "703", "Clinic by the sea")["state"] == "known"
    assert api.get("/v1/studies/KF.DEMO/sites/703").document["name"] == "Clinic by the sea"
    assert api.run("site", "add", "NONE", "1", "x", status=2)["error"] == "unknown-study"
    # What XML cannot carry could never be exported.
    assert api.run("site", "add", "KF.DEMO", "704", "a\x01b", status=2)["error"] == "bad-site"
    assert api.run("audit", "verify", "KF.DEMO")["whole"] is True
    # An empty trail is whole: a typing error must not be taken for a proof.
    assert api.run("audit", "verify", "KF.DMEO", status=2)["error"] == "unknown-study"


def test_the_audit_finds_what_was_done_behind_the_apis_back(api, demo_study, tmp_path):
    is_sqlite = (api.home / "cdms.db").exists()
    # SQLite lets a forger put any type into any column.
    salt = "5" if is_sqlite else "'5'"
    read = "CAST({} AS TEXT)" if is_sqlite else "encode({}, 'escape')"
    write = "CAST({} AS BLOB)" if is_sqlite else "decode({}, 'escape')"
    payload = read.format("payload")
    other = write.format(f"replace({payload}, 'Headache', 'Nausea')")
    data = tmp_path / "data.xml"
    data.write_bytes(demo_study("data"))
    api.run("load", data)
    head = api.run("audit", "verify", "KF.DEMO")["head"]
    api.stop()
    # Who owns the database can take its triggers away.
    for name in ("audit_no_update", "audit_no_delete"):
        api.sql(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON audit")
    for statement in (
        f"UPDATE audit SET payload = {other} WHERE {payload} LIKE '%Headache%'",
        f"UPDATE audit SET payload = 'text', salt = {salt} WHERE seq = 20",
        "DELETE FROM audit WHERE seq = 20",
        "UPDATE audit SET at = at - 86400 WHERE seq = 20",
        "UPDATE audit SET seq = 10000 WHERE seq = 20",
        "UPDATE audit SET payload = NULL, salt = NULL",
    ):
        _, done = api.sql("CREATE TABLE kept AS SELECT * FROM audit", statement)
        assert done.rowcount >= 1
        assert api.run("audit", "verify", "KF.DEMO", status=1)["error"] == "audit-not-whole", statement
        api.sql("DELETE FROM audit", "INSERT INTO audit SELECT * FROM kept", "DROP TABLE kept")
    api.sql("DELETE FROM audit WHERE seq > 50")
    assert api.run("audit", "verify", "KF.DEMO", status=1)["error"] == "audit-not-whole"
    api.sql("UPDATE study SET seq = 50")
    assert api.run("audit", "verify", "KF.DEMO")["whole"] is True  # only what was noted elsewhere shows it now
    assert api.run("audit", "verify", "KF.DEMO", "--expect", head, status=1)["error"] == "audit-not-whole"


@pytest.mark.on("sqlite")
def test_a_home_without_its_database_is_not_made_anew(new_api):
    api = new_api()
    (api.home / "cdms.db").rename(api.home / "elsewhere")
    from keyfob.problem import Problem

    with pytest.raises(Problem) as refused:
        installation.open(api.home, environ={}, entropy=system_entropy)
    assert refused.value.code == "database-missing"
    assert not (api.home / "cdms.db").exists()


def test_the_schema_is_what_the_migrations_make():
    import sqlalchemy as sa
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from keyfob import database
    from keyfob.cdms.storage import schema

    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    made = database.Database(engine, begin_read="BEGIN", begin_write="BEGIN")
    database.upgrade(made, schema.TABLES.migrations)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    made.close()

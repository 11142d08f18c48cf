"""keyfob.postgresql: where a database may be, how it is reached, and what is said when it is not."""

import contextlib
import socket
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from databases import new_postgresql, postgresql  # noqa: F401  # fixtures
from keyfob.database import Unreachable
from keyfob.postgresql import Place, open_postgresql

WORD = st.text(min_size=1, max_size=12).filter(lambda text: "\x00" not in text and text.isprintable())
HOST = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z]{2,5})?", fullmatch=True),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=4).map(str),
)


@given(
    user=WORD,
    name=WORD,
    hosts=st.lists(st.tuples(HOST, st.sampled_from(["", "5432", "6543"])), min_size=1, max_size=3),
    path=st.sampled_from(["", "/etc/ca.pem", "/a b/c&d.pem"]),
)
def test_what_is_shown_is_read_as_the_same_place(user, name, hosts, path):
    ports = [port for _, port in hosts]
    parameters = {"user": user, "dbname": name, "host": ",".join(host for host, _ in hosts), "sslmode": "verify-full"}
    parameters |= ({"port": ",".join(ports)} if any(ports) else {}) | ({"sslrootcert": path} if path else {})
    assert Place.parse(str(Place(parameters))) == Place(parameters)


@given(st.text(max_size=80))
def test_any_text_is_a_place_or_is_refused_in_words_that_do_not_repeat_it(text):
    for url in (text, f"postgresql://{text}", f"postgresql://u:hush{text}@h/d", f"postgresql://u:1?hush{text}=2@h/d"):
        try:
            place = Place.parse(url)
        except ValueError as refused:
            assert "hush" not in str(refused)  # noqa: PT017  # either is right, and holds nothing
        else:
            assert "hush" not in str(place) + repr(place)


def test_a_password_is_apart_and_is_never_shown():
    for url in ("postgresql://u:h%75sh@localhost/d", "postgresql://u@localhost/d?password=hush"):
        place = Place.parse(url)
        assert place.password is not None
        assert place.password.reveal() == "hush"
        assert str(place) == "postgresql://u@localhost/d"
        assert "hush" not in repr(place)


@pytest.mark.parametrize(
    "host", ["db.example", "192.0.2.1", "[2001:db8::1]", "localhost.example", "localhost,db.example"]
)
def test_beyond_this_machine_the_certificate_is_always_verified(host):
    assert Place.parse(f"postgresql://u@{host}/d").parameters["sslmode"] == "verify-full"
    for weaker in ("disable", "allow", "prefer", "require", "verify-ca"):
        with pytest.raises(ValueError, match="only verify-full"):
            Place.parse(f"postgresql://u@{host}/d?sslmode={weaker}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@localhost/d",
        "postgresql://u@127.0.0.1:5433/d",
        "postgresql://u@[::1]/d",
        "postgresql://u@/d?host=/var/run/postgresql",
    ],
)
def test_on_this_machine_the_operator_chooses(url):
    assert Place.parse(url).is_local
    assert "sslmode" not in Place.parse(url).parameters


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@/d",
        "postgresql:///d",
        "postgresql://u@localhost",
        "postgresql://u@localhost/",
        "postgresql://u@localhost,/d",
        "postgresql://u@localhost:port/d",
        "postgresql://u@localhost/d?hostaddr=192.0.2.1",
        "postgresql://u@localhost/d?service=other",
        "postgresql://u@localhost/d?options=-c%20ssl=off",
        "postgresql://u@localhost/d?gssencmode=require",
        "mysql://u@localhost/d",
    ],
)
def test_what_names_no_one_place_or_would_lead_elsewhere_is_refused(url):
    with pytest.raises(ValueError):
        Place.parse(url)


def test_relative_files_start_at_the_folder():
    place = Place.parse("postgresql://u@db.example/d?sslrootcert=ca.pem&passfile=/p").under(Path("/home"))
    assert place.parameters["sslrootcert"] == "/home/ca.pem"
    assert place.parameters["passfile"] == "/p"


def opened(url):
    return contextlib.closing(open_postgresql(Place.parse(url), environ={}))


def test_no_variable_of_libpq_leads_elsewhere(postgresql, monkeypatch):  # noqa: F811
    url = postgresql.new_url()
    for name, value in {"PGHOSTADDR": "192.0.2.1", "PGSSLMODE": "disable", "PGOPTIONS": "", "PGDATABASE": "x"}.items():
        monkeypatch.setenv(name, value)
    with opened(url) as database:
        encrypted = sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert database.scalar(encrypted) is True


def test_an_idle_connection_that_died_is_replaced_without_a_word(postgresql):  # noqa: F811
    url = postgresql.new_url()
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyfob'"
    with opened(url) as database:
        for ask in (use_scalar, use_read, use_write):
            assert ask(database) == 1
            postgresql.sql(ending)
            assert ask(database) == 1


def use_scalar(database):
    return database.scalar(sa.select(sa.literal(1)))


def use_read(database):
    with database.read() as connection:
        return connection.execute(sa.select(sa.literal(1))).scalar_one()


def use_write(database):
    with database.write() as connection:
        return connection.execute(sa.select(sa.literal(1))).scalar_one()


def test_a_read_writes_nothing(postgresql):  # noqa: F811
    with opened(postgresql.new_url()) as database:
        with pytest.raises(sa.exc.InternalError, match="read-only"), database.read() as connection:
            connection.execute(sa.text("CREATE TABLE t (id integer)"))


def test_commits_are_durable_also_where_the_cluster_does_not_say_so(postgresql):  # noqa: F811
    url = postgresql.new_url()
    name = Place.parse(url).parameters["dbname"]
    shown = sa.text("SELECT current_setting('synchronous_commit')")
    for configured, used in (("off", "on"), ("local", "local"), ("remote_write", "remote_write")):
        postgresql.sql(f"ALTER DATABASE {name} SET synchronous_commit = {configured}")
        with opened(url) as database:
            assert database.scalar(shown) == used


def test_who_waits_for_another_s_lock_is_told_in_time(postgresql):  # noqa: F811
    url = postgresql.new_url()
    with (
        opened(url) as holder,
        contextlib.closing(open_postgresql(Place.parse(url), environ={}, patience=0.2)) as other,
    ):
        with holder.write() as connection:
            connection.execute(sa.text("CREATE TABLE t (id integer)"))
        with holder.write() as connection:
            connection.execute(sa.text("LOCK TABLE t"))
            with pytest.raises(Unreachable) as busy, other.write() as waiting:
                waiting.execute(sa.text("LOCK TABLE t"))
            assert busy.value.code == "database-busy"


def test_a_change_that_is_left_lying_lets_its_locks_go(postgresql):  # noqa: F811
    """As of a node that was cut off: the server ends it, and others go on."""
    url = postgresql.new_url()
    with opened(url) as database, database.read() as connection:
        said = connection.execute(sa.text("SELECT current_setting('idle_in_transaction_session_timeout')")).scalar_one()
    assert said == "15s"
    with opened(url) as left, opened(url) as other:
        with left.write() as connection:
            connection.execute(sa.text("CREATE TABLE t (id integer)"))
        with pytest.raises(Unreachable) as lost:
            leave_lying(left, meanwhile=lambda: take(other))
        assert lost.value.code == "database-away"


def leave_lying(database, *, meanwhile):
    with database.write() as connection:
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 50"))
        connection.execute(sa.text("LOCK TABLE t"))
        meanwhile()


def take(database):
    with database.write() as connection:
        connection.execute(sa.text("LOCK TABLE t"))


def test_a_database_in_another_encoding_is_refused(postgresql):  # noqa: F811
    postgresql.sql("CREATE DATABASE latin OWNER keyfob ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with opened(postgresql.url("latin")) as database:
        with pytest.raises(Exception, match="not in UTF8"), database.read():
            pass


def test_of_a_host_that_answers_nothing_only_the_first_to_ask_waits():
    """The others are told at once, for a time: the server that asks has other things to do."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        with opened(url) as database:
            with pytest.raises(Unreachable, match="cannot be reached"):
                use_scalar(database)
            with pytest.raises(Unreachable, match="a moment ago"):
                use_scalar(database)

"""keyfob.database: connections and turns, on a real file."""

import contextlib
import subprocess
import sys
import traceback
from importlib import resources

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from keyfob import database
from keyfob.problem import Problem


def test_who_finds_every_connection_taken_is_told_so(tmp_path):
    opened = database.open_sqlite(tmp_path / "some.db")
    with contextlib.ExitStack() as taken:

        def take_all() -> None:
            for _ in range(1000):
                taken.enter_context(opened.read())

        with pytest.raises(Problem) as busy:
            take_all()
        assert busy.value.code == "database-busy"
    with opened.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    opened.close()


def test_an_error_says_what_went_wrong_and_not_in_which_row(tmp_path):
    """It would come into a log."""
    with contextlib.closing(database.open_sqlite(tmp_path / "some.db")) as opened, opened.read() as connection:
        with pytest.raises(sa.exc.OperationalError) as failed:
            connection.exec_driver_sql("SELECT CAST('planted' || x'ff' AS TEXT) AS name").all()
        told = "".join(traceback.format_exception(failed.value))
        assert "Could not decode to UTF-8 column 'name'" in told
        assert "planted" not in told.replace("SELECT CAST('planted'", "")


@pytest.mark.parametrize("package", ["keyfob.server.storage", "keyfob.cdms.storage"])
def test_the_file_of_each_revision_begins_with_it_and_the_newest_comes_last(package):
    """So that the newest is known without Alembic."""
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    script = ScriptDirectory.from_config(config)
    files = sorted(file.name for file in (resources.files(package) / "migrations/versions").iterdir())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert [name[:4] for name in files if name.endswith(".py")] == revisions
    assert revisions[-1] == script.get_current_head()


def test_who_finds_the_schema_up_to_date_does_not_wait_for_alembic(tmp_path):
    """To import it takes longer than most commands."""
    opened = database.open_sqlite(tmp_path / "some.db")
    database.upgrade(opened, "keyfob.server.storage:migrations")
    opened.close()
    again = (
        "import pathlib, sys; from keyfob import database; opened = database.open_sqlite(pathlib.Path(sys.argv[1]));"
        "database.upgrade(opened, 'keyfob.server.storage:migrations'); opened.close();"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", again, tmp_path / "some.db"], check=True)

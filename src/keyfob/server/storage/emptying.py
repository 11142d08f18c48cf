"""Taking back what was made in a database that has not come to belong to anybody."""

import sqlalchemy as sa

from keyfob.database import Database
from keyfob.server.storage import schema
from keyfob.server.storage.reading import Reading


def take_back(made: Database, installation_id: str) -> None:
    """Drop our tables, unless another installation has come to be in them meanwhile."""
    with made.write() as connection:
        if Reading(connection).installation_id() in (installation_id, None):
            connection.execute(sa.text("DROP TABLE alembic_version"))
            schema.metadata.drop_all(connection)

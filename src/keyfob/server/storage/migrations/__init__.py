"""The way to the newest schema, one step a file. A step that has been released is never changed.

A step that only adds (a table, a column that may be empty or has a default, an index) says nothing: programs of the
version before go on beside it, also when they are started anew. Any other step calls `needs`: from then on they are
refused, and whoever upgrades stops all nodes first. So what goes is first left unused, for one version.
"""

import sqlalchemy as sa
from alembic import op


def needs(revision: str) -> None:
    """From this step on a program has to know `revision`."""
    op.execute(sa.text("UPDATE installation SET least_schema = :revision").bindparams(revision=revision))

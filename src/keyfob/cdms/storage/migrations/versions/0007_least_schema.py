"""From where on a program is new enough for the tables: those of the version before go on beside newer ones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # It only adds: the schema before it is enough.
    op.add_column("installation", sa.Column("least_schema", sa.Text(), server_default="0005", nullable=False))

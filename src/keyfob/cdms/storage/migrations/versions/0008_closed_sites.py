"""A site may be closed: no data are taken for its subjects any more."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("site", sa.Column("closed_at", sa.BigInteger(), nullable=True))

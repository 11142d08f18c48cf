"""Clients that authenticate by a key of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("client", sa.Column("jwks", sa.Text(), nullable=True))
    op.add_column("client", sa.Column("jwks_uri", sa.Text(), nullable=True))

"""Clients whose tokens are bound to a key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("client", sa.Column("dpop_bound", sa.Boolean(), nullable=False, server_default=sa.false()))

"""Credentials for an emergency: of a few hours, without a successor, and with an alarm for each use."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("credential", sa.Column("emergency", sa.Boolean(), nullable=False, server_default=sa.false()))

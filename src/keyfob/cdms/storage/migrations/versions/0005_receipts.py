"""Receipts are kept with their batches; the item groups of one definition are found in the order in which they came."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("batch", sa.Column("receipt", sa.Text(), nullable=True))
    op.create_index("ix_item_group_oid", "item_group", ["oid", "id"], unique=False)

"""Limits that nodes share, a lead that needs no lease, and from where on a program is new enough."""

import sqlalchemy as sa
from alembic import op

from keyfob.server.storage.migrations import needs

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("installation", sa.Column("least_schema", sa.Text(), server_default="0013", nullable=False))
    needs("0013")
    op.drop_table("lease")
    op.create_table(
        "spending",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process", "sequence", name=op.f("pk_spending")),
    )
    op.create_index(op.f("ix_spending_told_at"), "spending", ["told_at"], unique=False)

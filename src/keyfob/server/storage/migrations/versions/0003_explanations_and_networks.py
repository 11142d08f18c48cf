"""Why requests were refused, and from where clients may come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "explanation",
        sa.Column("error_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("error_id", name=op.f("pk_explanation")),
    )
    for column in ("at", "holder", "block"):
        op.create_index(op.f(f"ix_explanation_{column}"), "explanation", [column], unique=False)
    op.create_table(
        "client_network",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_network_client_id")),
        sa.PrimaryKeyConstraint("client_id", "network", name=op.f("pk_client_network")),
    )

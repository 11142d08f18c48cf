"""Which scopes are used, since when each is granted, and how a narrowing is undone."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("client_grant", sa.Column("granted_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "scope_use",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("client_id", "resource", "scope", "method", "route")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("count", "first_used_at", "last_used_at")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_scope_use_client_id")),
        sa.PrimaryKeyConstraint("client_id", "resource", "scope", "method", "route", name=op.f("pk_scope_use")),
    )
    op.create_table(
        "usage_reporter",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("resource", "reporter")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("sequence", "began_at", "until")),
        sa.PrimaryKeyConstraint("resource", "reporter", name=op.f("pk_usage_reporter")),
    )
    op.create_index(op.f("ix_usage_reporter_until"), "usage_reporter", ["until"], unique=False)
    op.create_table(
        "narrowing",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("narrowed_at", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_narrowing_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_narrowing")),
    )

"""Revocations, and signing keys with a purpose."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("signing_key", sa.Column("purpose", sa.Text(), nullable=False, server_default="access-tokens"))
    op.create_table(
        "revocation",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=True),
        sa.Column("cutoff", sa.BigInteger(), nullable=True),
        sa.Column("forget_at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_revocation_client_id")),
        sa.ForeignKeyConstraint(["resource"], ["resource.url"], name=op.f("fk_revocation_resource")),
        sa.PrimaryKeyConstraint("subject", "subject_id", name=op.f("pk_revocation")),
    )
    op.create_index(op.f("ix_revocation_forget_at"), "revocation", ["forget_at"], unique=False)

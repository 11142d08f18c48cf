"""Sealed messages that can be asked for again, links to them, and from where they were fetched and acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for column in ("delivered_from", "acknowledged_from"):
        op.add_column("credential_observation", sa.Column(column, sa.Text(), nullable=True))
    op.create_table(
        "kept_message",
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("armored", sa.Text(), nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_kept_message_credential_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_kept_message")),
    )
    op.create_index(op.f("ix_kept_message_keep_until"), "kept_message", ["keep_until"], unique=False)
    op.create_table(
        "handoff_link",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("fetches_left", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_handoff_link_credential_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_handoff_link")),
    )
    op.create_index(op.f("ix_handoff_link_expires_at"), "handoff_link", ["expires_at"], unique=False)

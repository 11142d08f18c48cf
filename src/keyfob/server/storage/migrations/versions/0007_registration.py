"""Clients that register themselves, and look after themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "registration_allowance",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("authorization_details", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("token_lifetime", sa.Integer(), nullable=False),
        sa.Column("dpop_bound", sa.Boolean(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("uses_left >= 0", name=op.f("ck_registration_allowance_uses_left")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_registration_allowance_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_allowance")),
    )
    op.create_index(
        op.f("ix_registration_allowance_partner_id"), "registration_allowance", ["partner_id"], unique=False
    )
    op.create_table(
        "client_registration",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("allowance_id", sa.Text(), nullable=False),
        sa.Column("described", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_registration_client_id")),
        sa.ForeignKeyConstraint(
            ["allowance_id"], ["registration_allowance.id"], name=op.f("fk_client_registration_allowance_id")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_registration")),
    )
    op.create_table(
        "registration_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client_registration.client_id"], name=op.f("fk_registration_token_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_token")),
        sa.UniqueConstraint("client_id", "generation", name=op.f("uq_registration_token_client_id")),
    )

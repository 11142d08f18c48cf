"""Changes that both sides are told of before they count; a webhook for each partner that wants one."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "announced_change",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=True),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.Column("takes_effect_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_announced_change_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announced_change")),
    )
    op.create_index(op.f("ix_announced_change_client_id"), "announced_change", ["client_id"], unique=False)
    op.add_column("partner", sa.Column("webhook", sa.Text(), nullable=True))
    op.add_column("partner", sa.Column("webhook_key", sa.LargeBinary(), nullable=True))

"""Clients that authenticate by a TLS certificate, and tokens that are bound to one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("client", sa.Column("tls_subject_field", sa.Text(), nullable=True))
    op.add_column("client", sa.Column("tls_subject", sa.Text(), nullable=True))
    op.add_column("client", sa.Column("certificate_bound", sa.Boolean(), nullable=False, server_default=sa.false()))

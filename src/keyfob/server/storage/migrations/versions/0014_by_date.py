"""Clients in the order of their creation, and credentials by their end, however many there are."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_index("ix_client_created_at_id", "client", ["created_at", "id"], unique=False)
    op.create_index("ix_credential_expires_at", "credential", ["expires_at"], unique=False)

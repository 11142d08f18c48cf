"""A subject's records are found among those of a study."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_audit_subject", "audit", ["study", "subject", "seq"], unique=False)

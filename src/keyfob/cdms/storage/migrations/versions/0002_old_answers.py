"""Old answers are found, to be forgotten."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index(op.f("ix_answer_at"), "answer", ["at"], unique=False)

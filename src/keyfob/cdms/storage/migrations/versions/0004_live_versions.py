"""Which designs are, or were, live: those never change. And the audit trail is only ever added to.

The triggers let one thing pass, the content of a record going away while its commitment stays: that is redaction, and a
chain in which no later record tells of it is not whole. Who owns the database can drop them; the keyed chain remains.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_REFUSED = "the audit trail is only ever added to"
_KEPT = ("study", "seq", "at", "subject", "commitment", "link")
_ERASED = "NEW.payload IS NULL AND NEW.salt IS NULL"
_SAME = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)
_SQLITE = f"""
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN NOT ({_ERASED} AND {_SAME})
BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END;;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END
""".replace("IS NOT DISTINCT FROM", "IS")
_POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$;;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
FOR EACH ROW WHEN (NOT ({_ERASED} AND {_SAME})) EXECUTE FUNCTION audit_is_append_only();;
CREATE TRIGGER audit_no_delete BEFORE DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
"""


def upgrade() -> None:
    op.add_column("metadata_version", sa.Column("live_at", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    version = sa.table("metadata_version", *map(sa.column, ("study", "oid", "live_at")))
    for study, oid, at in _made_live(connection):
        here = (version.c.study == study) & (version.c.oid == oid)
        connection.execute(sa.update(version).where(here).values(live_at=at))
    triggers = _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE
    for statement in triggers.split(";;"):
        connection.exec_driver_sql(statement)


def _made_live(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """As the audit trail tells it: study, version, and when."""
    audit = sa.table("audit", *map(sa.column, ("study", "seq", "at", "subject", "payload")))
    chosen = sa.select(audit.c.study, audit.c.at, audit.c.payload).where(audit.c.subject.is_(None))
    rows = connection.execute(chosen.order_by(audit.c.study, audit.c.seq)).all()
    events = [(row.study, row.at, json.loads(bytes(row.payload))) for row in rows if row.payload is not None]
    return [(study, event["version"], at) for study, at, event in events if event["action"] == "live"]

"""The tables, for SQLite and PostgreSQL alike. Dates are BIGINT seconds since 1970 UTC; ids and values are text.

An absent repeat key is an empty text, so that a place is unique. `seq` numbers are taken inside the transaction that
uses them, from the study's row: a reader that has seen one has seen all before it.
"""

import sqlalchemy as sa

from keyfob.database import new_metadata
from keyfob.databases import Tables

metadata = new_metadata()

# One row. `epoch` changes when the database comes back from a backup, so that no sequence number has two meanings.
installation = sa.Table(
    "installation",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("installation_id", sa.Text, nullable=False),
    sa.Column("epoch", sa.Text, nullable=False),
    # What a program has to know at least: of a later schema, one that only adds to it.
    sa.Column("least_schema", sa.Text, nullable=False, server_default="0005"),
    sa.CheckConstraint("id = 1", name="one"),
)

study = sa.Table(
    "study",
    metadata,
    sa.Column("oid", sa.Text, primary_key=True),
    sa.Column("path_key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("protocol", sa.Text, nullable=False),
    sa.Column("live_version", sa.Text),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
)

site = sa.Table(
    "site",
    metadata,
    sa.Column("study", sa.Text, sa.ForeignKey("study.oid"), primary_key=True),
    sa.Column("oid", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("closed_at", sa.BigInteger),  # since when; NULL: data are taken for its subjects
)

metadata_version = sa.Table(
    "metadata_version",
    metadata,
    sa.Column("study", sa.Text, sa.ForeignKey("study.oid"), primary_key=True),
    sa.Column("oid", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("loaded_at", sa.BigInteger, nullable=False),
    sa.Column("live_at", sa.BigInteger),  # since when; NULL: a draft, which alone may change
)

subject = sa.Table(
    "subject",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, sa.ForeignKey("study.oid"), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("key_folded", sa.Text, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("study", "key_folded"),
)

item_group = sa.Table(
    "item_group",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.Text, sa.ForeignKey("subject.id"), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("event_repeat", sa.Text, nullable=False),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("form_repeat", sa.Text, nullable=False),
    sa.Column("oid", sa.Text, nullable=False),
    sa.Column("oid_repeat", sa.Text, nullable=False),
    sa.Column("metadata_version", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("removed", sa.Boolean(name="removed"), nullable=False),
    sa.UniqueConstraint("subject", "event", "event_repeat", "form", "form_repeat", "oid", "oid_repeat"),
    sa.Index("ix_item_group_oid", "oid", "id"),  # a dataset's rows in the order in which they came
)

item_value = sa.Table(
    "item_value",
    metadata,
    sa.Column("item_group", sa.Integer, sa.ForeignKey("item_group.id"), primary_key=True, autoincrement=False),
    sa.Column("oid", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),  # as sent; NULL is IsNull
    sa.Column("unit", sa.Text),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

# Append-only. The chain covers salted commitments; a row without salt or payload was tampered with.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("study", sa.Text, sa.ForeignKey("study.oid"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("payload", sa.LargeBinary),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("link", sa.LargeBinary, nullable=False),
    sa.Index("ix_audit_subject", "study", "subject", "seq"),  # what became of a few of a study's many subjects
)

# Answers that are given again for ANSWERS_KEPT: by Idempotency-Key, or by the file itself where no key came.
answer = sa.Table(
    "answer",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),  # JSON
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
)

# What a partner sent, kept as source evidence: the document itself, its AuditRecords included.
batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, sa.ForeignKey("study.oid"), nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("file_oid", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zlib
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("receipt", sa.Text),  # JSON; empty for what came before receipts were kept
)

# DPoP proofs that were used (RFC 9449 §11.1), by the SHA-256 of key and `jti`: forgotten when they would work no more.
used_proof = sa.Table(
    "used_proof",
    metadata,
    sa.Column("sha256", sa.LargeBinary, primary_key=True),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

# An export holds its snapshot, and a connection, for as long as its reader takes. With four workers there is room in a
# server that lets a hundred in, as PostgreSQL does unless it is told otherwise.
TABLES = Tables(metadata, "keyfob.cdms.storage:migrations", connections=24, reader_pause=600)

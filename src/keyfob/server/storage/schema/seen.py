"""What was seen, asked and told: the tables that give nobody a right."""

import sqlalchemy as sa

from keyfob.server.storage.schema.base import metadata

credential_observation = sa.Table(
    "credential_observation",
    metadata,
    sa.Column("credential_id", sa.Text, sa.ForeignKey("credential.id"), primary_key=True),
    sa.Column("sealed_at", sa.BigInteger),
    sa.Column("delivered_at", sa.BigInteger),
    sa.Column("acknowledged_at", sa.BigInteger),
    sa.Column("first_used_at", sa.BigInteger),
    sa.Column("first_used_from", sa.Text),
    sa.Column("last_used_at", sa.BigInteger),
    sa.Column("last_used_from", sa.Text),
    sa.Column("delivered_from", sa.Text),
    sa.Column("acknowledged_from", sa.Text),
)

# A jti that a client presented works once (RFC 7523 §3, RFC 9449 §11.1). Ours need no row: they are 128 random bits.
presented_jti = sa.Table(
    "presented_jti",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),  # of a client, or of an operator
    sa.Column("jti", sa.Text, primary_key=True),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

# One chain per writer. A row without salt or payload was tampered with, and its commitment and link show it.
audit_record = sa.Table(
    "audit_record",
    metadata,
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("payload", sa.LargeBinary),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("link", sa.LargeBinary, nullable=False),
)

# Refused requests by the hour; client_id "" is every unknown one. `records` of them went to the audit one by one.
refusal_count = sa.Table(
    "refusal_count",
    metadata,
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
)

# Why requests were refused, for a day. `holder` and `block` are what the budgets count by; see explanations.py.
explanation = sa.Table(
    "explanation",
    metadata,
    sa.Column("error_id", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("client_id", sa.Text),
    sa.Column("holder", sa.Text, nullable=False, index=True),
    sa.Column("block", sa.Text, nullable=False, index=True),
    sa.Column("document", sa.Text, nullable=False),  # JSON: error, cause, address, facts
)

# An act that waits for a second operator. `asked` is what it will be performed with.
proposal = sa.Table(
    "proposal",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),  # JSON object
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("proposed_by", sa.Text, sa.ForeignKey("operator.id"), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("decided_by", sa.Text, sa.ForeignKey("operator.id")),
    sa.Column("decided_at", sa.BigInteger),
)

# Other keys of a client that its partner asked for, and that both sides are told of before they count.
announced_change = sa.Table(
    "announced_change",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), nullable=False, index=True),
    sa.Column("jwks", sa.Text),  # a JWK set
    sa.Column("jwks_uri", sa.Text),
    sa.Column("before", sa.Text, nullable=False),  # SHA-256 of the keys in whose place they come, in hex
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("announced_at", sa.BigInteger, nullable=False),
    sa.Column("takes_effect_at", sa.BigInteger, nullable=False),
    sa.Column("settled_at", sa.BigInteger),
)

# What was answered to an act with an Idempotency-Key, for a day. No secret: a message in it is sealed to a partner.
admin_answer = sa.Table(
    "admin_answer",
    metadata,
    sa.Column("operator_id", sa.Text, sa.ForeignKey("operator.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),  # SHA-256 of operation and input
    sa.Column("document", sa.Text),  # JSON; empty between the commit of the act and that of its answer
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)

# What is to be told to partner or operator. The id is made of what the notice is about: the same is never told twice.
notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("threshold", sa.Integer, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("partner_id", sa.Text),
    sa.Column("facts", sa.Text, nullable=False),  # JSON object
    sa.Column("attachment", sa.Text),  # a sealed message, armored
    sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("routed_at", sa.BigInteger, index=True),
)

# One row for each way that a notice goes. The channel "none" stands where no way was set.
notice_delivery = sa.Table(
    "notice_delivery",
    metadata,
    sa.Column("notice_id", sa.Text, sa.ForeignKey("notice.id"), primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("settled_at", sa.BigInteger),
)
sa.Index("ix_notice_delivery_waiting", notice_delivery.c.state, notice_delivery.c.next_at)

# What each process let through, second by second, of what is limited for all of them together: kept for two minutes.
spending = sa.Table(
    "spending",
    metadata,
    sa.Column("process", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("told_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("counted", sa.Text, nullable=False),  # JSON object: how many, for each name of a limit and whose it is
)

# What the guards of APIs told of the use of their scopes: sums, one row for each client, scope and route.
scope_use = sa.Table(
    "scope_use",
    metadata,
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("method", sa.Text, primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("first_used_at", sa.BigInteger, nullable=False),
    sa.Column("last_used_at", sa.BigInteger, nullable=False),
)

# Who told: one process of an API each, from when to when it saw everything, and which report was its last.
usage_reporter = sa.Table(
    "usage_reporter",
    metadata,
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("reporter", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("began_at", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False, index=True),
)

# The last narrowing of a client to what it used, so that it can be undone.
narrowing = sa.Table(
    "narrowing",
    metadata,
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), primary_key=True),
    sa.Column("narrowed_at", sa.BigInteger, nullable=False),
    sa.Column("before", sa.Text, nullable=False),  # JSON array of grants
    sa.Column("after", sa.Text, nullable=False),
)

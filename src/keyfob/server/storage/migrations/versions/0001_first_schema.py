"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "sequence", name=op.f("pk_audit_record")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "partner",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("fingerprint_confirmed_at", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint_confirmed_how", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        sa.UniqueConstraint("name", name=op.f("uq_partner_name")),
    )
    op.create_table(
        "refusal_count",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "reason", "client_id", name=op.f("pk_refusal_count")),
    )
    op.create_table(
        "resource",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("authorization_details_types", sa.Text(), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_resource")),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "client",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("auth_method", sa.Text(), nullable=False),
        sa.Column("token_lifetime", sa.Integer(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("authorization_details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("token_lifetime BETWEEN 1 AND 900", name=op.f("ck_client_token_lifetime")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_client_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )
    op.create_index(op.f("ix_client_partner_id"), "client", ["partner_id"], unique=False)
    op.create_index(
        "uq_client_live_name",
        "client",
        ["partner_id", "name"],
        unique=True,
        sqlite_where=sa.text("state != 'revoked'"),
        postgresql_where=sa.text("state != 'revoked'"),
    )
    op.create_table(
        "resource_scope",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["resource"], ["resource.url"], name=op.f("fk_resource_scope_resource")),
        sa.PrimaryKeyConstraint("resource", "scope", name=op.f("pk_resource_scope")),
    )
    op.create_table(
        "client_resource",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_resource_client_id")),
        sa.ForeignKeyConstraint(["resource"], ["resource.url"], name=op.f("fk_client_resource_resource")),
        sa.PrimaryKeyConstraint("client_id", "resource", name=op.f("pk_client_resource")),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=True),
        sa.Column("overlap", sa.BigInteger(), nullable=False),
        sa.Column("first_use_by", sa.BigInteger(), nullable=True),
        sa.Column("overlap_ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_credential_client_id")),
        sa.ForeignKeyConstraint(["replaces"], ["credential.id"], name=op.f("fk_credential_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        sa.UniqueConstraint("client_id", "generation", name=op.f("uq_credential_client_id")),
    )
    op.create_table(
        "presented_jti",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_presented_jti_client_id")),
        sa.PrimaryKeyConstraint("client_id", "jti", name=op.f("pk_presented_jti")),
    )
    op.create_index(op.f("ix_presented_jti_expires_at"), "presented_jti", ["expires_at"], unique=False)
    op.create_table(
        "client_grant",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id", "resource"],
            ["client_resource.client_id", "client_resource.resource"],
            name=op.f("fk_client_grant_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["resource", "scope"],
            ["resource_scope.resource", "resource_scope.scope"],
            name="fk_client_grant_resource_scope",
        ),
        sa.PrimaryKeyConstraint("client_id", "resource", "scope", name=op.f("pk_client_grant")),
    )
    op.create_table(
        "credential_observation",
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("first_used_at", sa.BigInteger(), nullable=True),
        sa.Column("first_used_from", sa.Text(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credential.id"], name=op.f("fk_credential_observation_credential_id")
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential_observation")),
    )
    op.create_table(
        "sealed_message",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("recipient_fingerprint", sa.Text(), nullable=False),
        sa.Column("signer_fingerprint", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name=op.f("fk_sealed_message_credential_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_message")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_sealed_message_credential_id")),
    )

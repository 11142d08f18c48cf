"""Who may do what: the tables whose change bumps the revision, and is in the audit."""

import sqlalchemy as sa

from keyfob.server.storage.schema.base import metadata

# One row: whose database this is, and a number that grows with each change of rights (no stale cache of any worker).
installation = sa.Table(
    "installation",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("installation_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # What a program has to know at least: of a later schema, one that only adds to it.
    sa.Column("least_schema", sa.Text, nullable=False, server_default="0013"),
    sa.CheckConstraint("id = 1", name="one"),
)

partner = sa.Table(
    "partner",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("certificate", sa.LargeBinary, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("fingerprint_confirmed_at", sa.BigInteger, nullable=False),
    sa.Column("fingerprint_confirmed_how", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("webhook", sa.Text),  # an https URL
    sa.Column("webhook_key", sa.LargeBinary),  # the envelope of the secret that signs what goes there
)

resource = sa.Table(
    "resource",
    metadata,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("authorization_details_types", sa.Text, nullable=False),  # JSON array
    sa.Column("jwks", sa.Text, nullable=False),
    sa.Column("added_at", sa.BigInteger, nullable=False),
)

resource_scope = sa.Table(
    "resource_scope",
    metadata,
    sa.Column("resource", sa.Text, sa.ForeignKey("resource.url"), primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
)

client = sa.Table(
    "client",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("partner_id", sa.Text, sa.ForeignKey("partner.id"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("auth_method", sa.Text, nullable=False),
    sa.Column("token_lifetime", sa.Integer, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("authorization_details", sa.Text, nullable=False),  # JSON array; [] is no study at all
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("jwks", sa.Text),  # a JWK set
    sa.Column("jwks_uri", sa.Text),
    sa.Column("dpop_bound", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tls_subject_field", sa.Text),  # which one of RFC 8705 section 2.1.2, by its name there
    sa.Column("tls_subject", sa.Text),
    sa.Column("certificate_bound", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("token_lifetime BETWEEN 1 AND 900", name="token_lifetime"),
)
sa.Index("ix_client_created_at_id", client.c.created_at, client.c.id)
# Among the living, a partner's client is known by its name; a revoked one gives its name free.
sa.Index(
    "uq_client_live_name",
    client.c.partner_id,
    client.c.name,
    unique=True,
    sqlite_where=client.c.state != "revoked",
    postgresql_where=client.c.state != "revoked",
)

client_resource = sa.Table(
    "client_resource",
    metadata,
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), primary_key=True),
    sa.Column("resource", sa.Text, sa.ForeignKey("resource.url"), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),  # 0 is the default resource
)

# A right exists only as a pair that the registry knows: a typo cannot be granted, not even by a bug above.
client_grant = sa.Table(
    "client_grant",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("granted_at", sa.BigInteger, nullable=False, server_default="0"),  # 0: before this was kept
    sa.ForeignKeyConstraint(["client_id", "resource"], ["client_resource.client_id", "client_resource.resource"]),
    sa.ForeignKeyConstraint(
        ["resource", "scope"],
        ["resource_scope.resource", "resource_scope.scope"],
        name="fk_client_grant_resource_scope",
    ),
)

# Rights only: state and dates. What was seen to happen is in credential_observation.
credential = sa.Table(
    "credential",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),  # 1, 2, 3: which came after which, also within one second
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),  # algorithm$pepper_id$hex
    sa.Column("not_before", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("replaces", sa.Text, sa.ForeignKey("credential.id")),
    sa.Column("overlap", sa.BigInteger, nullable=False),
    sa.Column("first_use_by", sa.BigInteger),
    sa.Column("overlap_ends_at", sa.BigInteger),
    sa.Column("emergency", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("client_id", "generation"),
)
sa.Index("ix_credential_expires_at", credential.c.expires_at)

sealed_message = sa.Table(
    "sealed_message",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("credential_id", sa.Text, sa.ForeignKey("credential.id"), nullable=False, unique=True),
    sa.Column("recipient_fingerprint", sa.Text, nullable=False),
    sa.Column("signer_fingerprint", sa.Text, nullable=False),
    sa.Column("issued_at", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # SHA-256 of the armored message, in hex
)

# The ciphertext of a message, for as long as it may be asked for again. What opens it is with the partner alone.
kept_message = sa.Table(
    "kept_message",
    metadata,
    sa.Column("credential_id", sa.Text, sa.ForeignKey("credential.id"), primary_key=True),
    sa.Column("armored", sa.Text, nullable=False),
    sa.Column("keep_until", sa.BigInteger, nullable=False, index=True),
)

# Links to kept messages: the hash alone, so that whoever reads the database cannot follow one.
handoff_link = sa.Table(
    "handoff_link",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),  # SHA-256 in hex
    sa.Column("credential_id", sa.Text, sa.ForeignKey("credential.id"), nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("fetches_left", sa.Integer, nullable=False),
)

signing_key = sa.Table(
    "signing_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False, server_default="access-tokens"),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("public_jwk", sa.Text, nullable=False),
    sa.Column("envelope", sa.LargeBinary, nullable=False),
    sa.Column("not_before", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

# What was withdrawn before its time. `sequence` is the revision that wrote it: it grows in the order of commits.
revocation = sa.Table(
    "revocation",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("subject_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id")),
    sa.Column("resource", sa.Text, sa.ForeignKey("resource.url")),
    sa.Column("cutoff", sa.BigInteger),
    sa.Column("forget_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

# A client with rows here is admitted from these networks only; one without, from anywhere.
client_network = sa.Table(
    "client_network",
    metadata,
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), primary_key=True),
    sa.Column("network", sa.Text, primary_key=True),
)

# Who acts for this installation. A key authenticates one operator: what it is called at the wire is its thumbprint.
operator = sa.Table(
    "operator",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("public_jwk", sa.Text),
    sa.Column("key_id", sa.Text),  # RFC 7638
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
# Among the living; a removed operator gives name and key free, and stays for those who read what it did.
for _column in (operator.c.name, operator.c.key_id):
    sa.Index(
        f"uq_operator_live_{_column.name}",
        _column,
        unique=True,
        sqlite_where=operator.c.state != "revoked",
        postgresql_where=operator.c.state != "revoked",
    )

# What lets a partner register clients by itself (RFC 7591), and how far; the token is an initial access token.
registration_allowance = sa.Table(
    "registration_allowance",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("partner_id", sa.Text, sa.ForeignKey("partner.id"), nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("token_hash", sa.Text, nullable=False),  # algorithm$pepper_id$hex
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("resources", sa.Text, nullable=False),  # JSON array; the first is the default
    sa.Column("authorization_details", sa.Text, nullable=False),  # JSON array; [] is no study at all
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("token_lifetime", sa.Integer, nullable=False),
    sa.Column("dpop_bound", sa.Boolean, nullable=False),
    sa.Column("uses_left", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.CheckConstraint("uses_left >= 0", name="uses_left"),
)

# A client that registered itself. After `ended_at` none of its registration tokens is good.
client_registration = sa.Table(
    "client_registration",
    metadata,
    sa.Column("client_id", sa.Text, sa.ForeignKey("client.id"), primary_key=True),
    sa.Column("allowance_id", sa.Text, sa.ForeignKey("registration_allowance.id"), nullable=False),
    sa.Column("described", sa.Text, nullable=False),  # JSON object: what is for people
    sa.Column("ended_at", sa.BigInteger),
)

# The chain of tokens by which such a client looks after itself (RFC 7592): each was given for the one named `parent`.
registration_token = sa.Table(
    "registration_token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, sa.ForeignKey("client_registration.client_id"), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("parent", sa.Integer),
    sa.Column("token_hash", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("used_at", sa.BigInteger),
    sa.UniqueConstraint("client_id", "generation"),
)

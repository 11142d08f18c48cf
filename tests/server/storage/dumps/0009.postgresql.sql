-- the head of its audit trail: 10:372b0c661dcf77ef267ea93b7462ba94119ad3b55cbc11aea392060a3c231467
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.audit_record (
    writer text NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    salt bytea,
    payload bytea,
    commitment bytea NOT NULL,
    link bytea NOT NULL
);
CREATE TABLE public.client (
    id text NOT NULL,
    partner_id text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    auth_method text NOT NULL,
    token_lifetime integer NOT NULL,
    profile text NOT NULL,
    authorization_details text NOT NULL,
    created_at bigint NOT NULL,
    jwks text,
    jwks_uri text,
    dpop_bound boolean DEFAULT false NOT NULL,
    tls_subject_field text,
    tls_subject text,
    certificate_bound boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_client_token_lifetime CHECK (((token_lifetime >= 1) AND (token_lifetime <= 900)))
);
CREATE TABLE public.client_grant (
    client_id text NOT NULL,
    resource text NOT NULL,
    scope text NOT NULL,
    is_default boolean NOT NULL
);
CREATE TABLE public.client_network (
    client_id text NOT NULL,
    network text NOT NULL
);
CREATE TABLE public.client_registration (
    client_id text NOT NULL,
    allowance_id text NOT NULL,
    described text NOT NULL,
    ended_at bigint
);
CREATE TABLE public.client_resource (
    client_id text NOT NULL,
    resource text NOT NULL,
    "position" integer NOT NULL
);
CREATE TABLE public.credential (
    id text NOT NULL,
    client_id text NOT NULL,
    generation integer NOT NULL,
    state text NOT NULL,
    secret_hash text NOT NULL,
    not_before bigint NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    replaces text,
    overlap bigint NOT NULL,
    first_use_by bigint,
    overlap_ends_at bigint
);
CREATE TABLE public.credential_observation (
    credential_id text NOT NULL,
    sealed_at bigint,
    delivered_at bigint,
    acknowledged_at bigint,
    first_used_at bigint,
    first_used_from text,
    last_used_at bigint,
    last_used_from text,
    delivered_from text,
    acknowledged_from text
);
CREATE TABLE public.explanation (
    error_id text NOT NULL,
    at bigint NOT NULL,
    client_id text,
    holder text NOT NULL,
    block text NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.handoff_link (
    token_hash text NOT NULL,
    credential_id text NOT NULL,
    expires_at bigint NOT NULL,
    fetches_left integer NOT NULL
);
CREATE TABLE public.installation (
    id smallint NOT NULL,
    installation_id text NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT ck_installation_one CHECK ((id = 1))
);
CREATE TABLE public.kept_message (
    credential_id text NOT NULL,
    armored text NOT NULL,
    keep_until bigint NOT NULL
);
CREATE TABLE public.lease (
    name text NOT NULL,
    holder text NOT NULL,
    held_until bigint NOT NULL
);
CREATE TABLE public.notice (
    id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    threshold integer NOT NULL,
    recipient text NOT NULL,
    partner_id text,
    facts text NOT NULL,
    attachment text,
    created_at bigint NOT NULL,
    routed_at bigint
);
CREATE TABLE public.notice_delivery (
    notice_id text NOT NULL,
    channel text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    next_at bigint NOT NULL,
    reason text,
    settled_at bigint
);
CREATE TABLE public.partner (
    id text NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    state text NOT NULL,
    certificate bytea NOT NULL,
    fingerprint text NOT NULL,
    fingerprint_confirmed_at bigint NOT NULL,
    fingerprint_confirmed_how text NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE public.presented_jti (
    client_id text NOT NULL,
    jti text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.refusal_count (
    hour bigint NOT NULL,
    reason text NOT NULL,
    client_id text NOT NULL,
    count bigint NOT NULL,
    records bigint NOT NULL
);
CREATE TABLE public.registration_allowance (
    id text NOT NULL,
    partner_id text NOT NULL,
    state text NOT NULL,
    token_hash text NOT NULL,
    scope text NOT NULL,
    resources text NOT NULL,
    authorization_details text NOT NULL,
    profile text NOT NULL,
    token_lifetime integer NOT NULL,
    dpop_bound boolean NOT NULL,
    uses_left integer NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT ck_registration_allowance_uses_left CHECK ((uses_left >= 0))
);
CREATE TABLE public.registration_token (
    id text NOT NULL,
    client_id text NOT NULL,
    generation integer NOT NULL,
    parent integer,
    token_hash text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    used_at bigint
);
CREATE TABLE public.resource (
    url text NOT NULL,
    authorization_details_types text NOT NULL,
    jwks text NOT NULL,
    added_at bigint NOT NULL
);
CREATE TABLE public.resource_scope (
    resource text NOT NULL,
    scope text NOT NULL,
    description text NOT NULL
);
CREATE TABLE public.revocation (
    subject text NOT NULL,
    subject_id text NOT NULL,
    client_id text,
    resource text,
    cutoff bigint,
    forget_at bigint NOT NULL,
    sequence bigint NOT NULL
);
CREATE TABLE public.sealed_message (
    id text NOT NULL,
    credential_id text NOT NULL,
    recipient_fingerprint text NOT NULL,
    signer_fingerprint text NOT NULL,
    issued_at bigint NOT NULL,
    digest text NOT NULL
);
CREATE TABLE public.signing_key (
    kid text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    public_jwk text NOT NULL,
    envelope bytea NOT NULL,
    not_before bigint NOT NULL,
    created_at bigint NOT NULL,
    purpose text DEFAULT 'access-tokens'::text NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0009');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\x6dc82e6d727d97adfe2ec3228b9ec67d', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\xbffa766a9377bc62b763df9b576c9e53e34fef05060fc85b7ca0685717cf51ad', '\xfe54cfcecfcf5e1657af10713bddf1df40ca5b1a6c3ce6a6b0d0ae236d48d168');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\xca92508970532f7d0be976b52e1f78da', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\xc477940c69f340095b3edc4a6463150d7bc2a1fd2e7889ec2e576119fc88dd40', '\x10b972c37a41917be439e57cac9fd62e3d05636b506974fd7b137463dcd61482');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\xbe253cd2c64225b48861acbbc8559969', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\x36ebad01dd8ca7873124cc0d247af025b4aea1dc252f9ef3efbec32983b0e349', '\x3db5cf847952345f0c6e92377d3420c12e292c31068f8fc71c2bc9bfd0d796fa');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\xcd6e9e623c3029603962237e2fa89e12', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\xc33f71f8f651b15ffd5fa234fa413d790cdc5624fe37fada7c89709f4fc449e2', '\x4da4600b92e9df1d2207e94984be8e06a582eb192dc9b62a6c572139472f4d38');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\xb4c39cf0d95fb730bd13b9c014bb0633', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\xea342c29e184cff576e2e51765f195fcf71c36038813195d3d6b8868969f049c', '\xa5a43486b5bd77ea53e56a406176119eb63a4bc3c5cd14c5eb1fb76471ba6e46');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\x2c81c2796e1a3b9919a3fe64dbeae9dd', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\xa2b1b8bb0ba391ffb55a4e9a998c0b4193a91f17b41c074e2629f6170b36e827', '\x43e40280982e5b7ab2c4a072a53339f50553e18495f31a116d6e4e176be197e8');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\x5a9ef76fe66c77eae9fb162ff08ad595', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x8a991799c6a83029f7c10489cacaf5e191e7c1b3a11f73e161146c60209b16d5', '\xe112261f2a6337a21ce26bf3b6a802ef42ff3c1b32e6a7a19b93f2921758c5de');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\xf0114abbdf015fd3ddb812e484ba7618', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\x705a82cf7b35af32d3e3ce33ab6d60d536f3b2d90c340429f8dd0fec21b13e2d', '\x6e2a7f6823a781ae861cac3d110faa1df3bfa22bff851e00daf1b9da491a3b22');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\xefc41c4b41507ad9400fa58d374acd18', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xd9be752b920215b10ad4024e33cf15ce37b2aac6b2725872786d11b2216bc667', '\x5b6c73475a77af5f45798b2fcc5a51f33e3d610438f5611e6cdd6e27748a218b');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\xeee03a6d600f971c4b9e7df50e2cc395', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x70f0b7a30da3dff9ca949f33979ca739a53b96aad1da195eb39dad5a4a5ae63b', '\x372b0c661dcf77ef267ea93b7462ba94119ad3b55cbc11aea392060a3c231467');
INSERT INTO public.client VALUES ('cl_1', 'ptr_1', 'sync', 'active', 'client_secret_basic', 300, 'default', '[{"type":"cdms_study","identifier":"S.1","sites":["001","002"]}]', 1800000000, NULL, NULL, false, NULL, NULL, false);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'a:read', true);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'b:read', false);
INSERT INTO public.client_resource VALUES ('cl_1', 'https://api.example', 0);
INSERT INTO public.credential VALUES ('credential1', 'cl_1', 1, 'active', 'hmac-sha256$1$00', 1800000000, 1810000000, 1800000000, NULL, 700, NULL, NULL);
INSERT INTO public.credential_observation VALUES ('credential1', 1800000000, NULL, NULL, 1800000005, '192.0.2.7', 1800000005, '192.0.2.7', NULL, NULL);
INSERT INTO public.installation VALUES (1, 'installation1', 3, 1800000000);
INSERT INTO public.partner VALUES ('ptr_1', 'Acme', 'a@acme.example', 'active', '\x61726d6f72', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 1800000000, 'flag', 1800000000);
INSERT INTO public.resource VALUES ('https://api.example', '["cdms_study"]', '{"keys": []}', 1800000000);
INSERT INTO public.resource_scope VALUES ('https://api.example', 'a:read', 'Read a');
INSERT INTO public.resource_scope VALUES ('https://api.example', 'b:read', '');
INSERT INTO public.sealed_message VALUES ('msg_credential1', 'credential1', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB', 1800000000, '0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO public.signing_key VALUES ('kid1', 'ES256', 'active', '{}', '\x007365616c6564ff', 1, 1, 'access-tokens');
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.audit_record
    ADD CONSTRAINT pk_audit_record PRIMARY KEY (writer, sequence);
ALTER TABLE ONLY public.client
    ADD CONSTRAINT pk_client PRIMARY KEY (id);
ALTER TABLE ONLY public.client_grant
    ADD CONSTRAINT pk_client_grant PRIMARY KEY (client_id, resource, scope);
ALTER TABLE ONLY public.client_network
    ADD CONSTRAINT pk_client_network PRIMARY KEY (client_id, network);
ALTER TABLE ONLY public.client_registration
    ADD CONSTRAINT pk_client_registration PRIMARY KEY (client_id);
ALTER TABLE ONLY public.client_resource
    ADD CONSTRAINT pk_client_resource PRIMARY KEY (client_id, resource);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT pk_credential PRIMARY KEY (id);
ALTER TABLE ONLY public.credential_observation
    ADD CONSTRAINT pk_credential_observation PRIMARY KEY (credential_id);
ALTER TABLE ONLY public.explanation
    ADD CONSTRAINT pk_explanation PRIMARY KEY (error_id);
ALTER TABLE ONLY public.handoff_link
    ADD CONSTRAINT pk_handoff_link PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT pk_installation PRIMARY KEY (id);
ALTER TABLE ONLY public.kept_message
    ADD CONSTRAINT pk_kept_message PRIMARY KEY (credential_id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT pk_lease PRIMARY KEY (name);
ALTER TABLE ONLY public.notice
    ADD CONSTRAINT pk_notice PRIMARY KEY (id);
ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT pk_notice_delivery PRIMARY KEY (notice_id, channel);
ALTER TABLE ONLY public.partner
    ADD CONSTRAINT pk_partner PRIMARY KEY (id);
ALTER TABLE ONLY public.presented_jti
    ADD CONSTRAINT pk_presented_jti PRIMARY KEY (client_id, jti);
ALTER TABLE ONLY public.refusal_count
    ADD CONSTRAINT pk_refusal_count PRIMARY KEY (hour, reason, client_id);
ALTER TABLE ONLY public.registration_allowance
    ADD CONSTRAINT pk_registration_allowance PRIMARY KEY (id);
ALTER TABLE ONLY public.registration_token
    ADD CONSTRAINT pk_registration_token PRIMARY KEY (id);
ALTER TABLE ONLY public.resource
    ADD CONSTRAINT pk_resource PRIMARY KEY (url);
ALTER TABLE ONLY public.resource_scope
    ADD CONSTRAINT pk_resource_scope PRIMARY KEY (resource, scope);
ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT pk_revocation PRIMARY KEY (subject, subject_id);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT pk_sealed_message PRIMARY KEY (id);
ALTER TABLE ONLY public.signing_key
    ADD CONSTRAINT pk_signing_key PRIMARY KEY (kid);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT uq_credential_client_id UNIQUE (client_id, generation);
ALTER TABLE ONLY public.partner
    ADD CONSTRAINT uq_partner_name UNIQUE (name);
ALTER TABLE ONLY public.registration_token
    ADD CONSTRAINT uq_registration_token_client_id UNIQUE (client_id, generation);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT uq_sealed_message_credential_id UNIQUE (credential_id);
CREATE INDEX ix_client_partner_id ON public.client USING btree (partner_id);
CREATE INDEX ix_explanation_at ON public.explanation USING btree (at);
CREATE INDEX ix_explanation_block ON public.explanation USING btree (block);
CREATE INDEX ix_explanation_holder ON public.explanation USING btree (holder);
CREATE INDEX ix_handoff_link_expires_at ON public.handoff_link USING btree (expires_at);
CREATE INDEX ix_kept_message_keep_until ON public.kept_message USING btree (keep_until);
CREATE INDEX ix_notice_created_at ON public.notice USING btree (created_at);
CREATE INDEX ix_notice_delivery_waiting ON public.notice_delivery USING btree (state, next_at);
CREATE INDEX ix_notice_routed_at ON public.notice USING btree (routed_at);
CREATE INDEX ix_presented_jti_expires_at ON public.presented_jti USING btree (expires_at);
CREATE INDEX ix_registration_allowance_partner_id ON public.registration_allowance USING btree (partner_id);
CREATE INDEX ix_revocation_forget_at ON public.revocation USING btree (forget_at);
CREATE UNIQUE INDEX uq_client_live_name ON public.client USING btree (partner_id, name) WHERE (state <> 'revoked'::text);
ALTER TABLE ONLY public.client_grant
    ADD CONSTRAINT fk_client_grant_client_id FOREIGN KEY (client_id, resource) REFERENCES public.client_resource(client_id, resource);
ALTER TABLE ONLY public.client_grant
    ADD CONSTRAINT fk_client_grant_resource_scope FOREIGN KEY (resource, scope) REFERENCES public.resource_scope(resource, scope);
ALTER TABLE ONLY public.client_network
    ADD CONSTRAINT fk_client_network_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.client
    ADD CONSTRAINT fk_client_partner_id FOREIGN KEY (partner_id) REFERENCES public.partner(id);
ALTER TABLE ONLY public.client_registration
    ADD CONSTRAINT fk_client_registration_allowance_id FOREIGN KEY (allowance_id) REFERENCES public.registration_allowance(id);
ALTER TABLE ONLY public.client_registration
    ADD CONSTRAINT fk_client_registration_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.client_resource
    ADD CONSTRAINT fk_client_resource_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.client_resource
    ADD CONSTRAINT fk_client_resource_resource FOREIGN KEY (resource) REFERENCES public.resource(url);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT fk_credential_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.credential_observation
    ADD CONSTRAINT fk_credential_observation_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT fk_credential_replaces FOREIGN KEY (replaces) REFERENCES public.credential(id);
ALTER TABLE ONLY public.handoff_link
    ADD CONSTRAINT fk_handoff_link_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);
ALTER TABLE ONLY public.kept_message
    ADD CONSTRAINT fk_kept_message_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);
ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT fk_notice_delivery_notice_id FOREIGN KEY (notice_id) REFERENCES public.notice(id);
ALTER TABLE ONLY public.presented_jti
    ADD CONSTRAINT fk_presented_jti_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.registration_allowance
    ADD CONSTRAINT fk_registration_allowance_partner_id FOREIGN KEY (partner_id) REFERENCES public.partner(id);
ALTER TABLE ONLY public.registration_token
    ADD CONSTRAINT fk_registration_token_client_id FOREIGN KEY (client_id) REFERENCES public.client_registration(client_id);
ALTER TABLE ONLY public.resource_scope
    ADD CONSTRAINT fk_resource_scope_resource FOREIGN KEY (resource) REFERENCES public.resource(url);
ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT fk_revocation_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT fk_revocation_resource FOREIGN KEY (resource) REFERENCES public.resource(url);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT fk_sealed_message_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);

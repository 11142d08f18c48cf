-- the head of its audit trail: 10:db5b43626eb6cfbf45cc1bfae10956f04f5b963f6f478c90fbf051c02531d6e2
CREATE TABLE public.admin_answer (
    operator_id text NOT NULL,
    key text NOT NULL,
    digest text NOT NULL,
    document text,
    expires_at bigint NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.announced_change (
    id text NOT NULL,
    client_id text NOT NULL,
    jwks text,
    jwks_uri text,
    before text NOT NULL,
    state text NOT NULL,
    announced_at bigint NOT NULL,
    takes_effect_at bigint NOT NULL,
    settled_at bigint
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
    is_default boolean NOT NULL,
    granted_at bigint DEFAULT '0'::bigint NOT NULL
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
    least_schema text DEFAULT '0013'::text NOT NULL,
    CONSTRAINT ck_installation_one CHECK ((id = 1))
);
CREATE TABLE public.kept_message (
    credential_id text NOT NULL,
    armored text NOT NULL,
    keep_until bigint NOT NULL
);
CREATE TABLE public.narrowing (
    client_id text NOT NULL,
    narrowed_at bigint NOT NULL,
    before text NOT NULL,
    after text NOT NULL
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
CREATE TABLE public.operator (
    id text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    state text NOT NULL,
    public_jwk text,
    key_id text,
    created_at bigint NOT NULL
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
    created_at bigint NOT NULL,
    webhook text,
    webhook_key bytea
);
CREATE TABLE public.presented_jti (
    client_id text NOT NULL,
    jti text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.proposal (
    id text NOT NULL,
    operation text NOT NULL,
    asked text NOT NULL,
    state text NOT NULL,
    proposed_by text NOT NULL,
    reason text,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    decided_by text,
    decided_at bigint
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
CREATE TABLE public.scope_use (
    client_id text NOT NULL,
    resource text NOT NULL,
    scope text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    count bigint NOT NULL,
    first_used_at bigint NOT NULL,
    last_used_at bigint NOT NULL
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
CREATE TABLE public.spending (
    process text NOT NULL,
    sequence bigint NOT NULL,
    told_at bigint NOT NULL,
    counted text NOT NULL
);
CREATE TABLE public.usage_reporter (
    resource text NOT NULL,
    reporter text NOT NULL,
    sequence bigint NOT NULL,
    began_at bigint NOT NULL,
    until bigint NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0013');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\xa5a6b2c74b295f7ef4c9810dbe34b6a1', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\x3086f266abe74ea27f55fe2560bd2fe635964bdf319c705c103ef520e59e74a3', '\xddd547ae4eb3a3c9173a1d917d4fc73adb63102d7a59c453e46f021cf9092240');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\x19485dabc6525a450cc4d00a27ad3255', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x9121153dd6c05b47963ef07ccdc8da145ecf4ac9b50f3829f9c6324874018ec3', '\xdde51e12cd5ad7bbba9dde4811912c17e2196c70150443511b56fa5987ddf7df');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\xac6cb0bbbe832cd126e5122d0cbc0da4', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\xeb6f21dca29896a7abdbacee8c0b6dd532e3972868ed1b8c9e9295f9ced3e14b', '\x77bc7d0b85f20e083cc0c2959e73531071261dac41a1ef7a3b06b93d2346aaca');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\x8f76be8270bfe7b165583a98983993ac', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\x8da503ca112b446108dafa4614b12cca8e76600d66471a62732568362b30f8dc', '\xcc356077e1b934d10bb158cdf0928d59991abdb71219a7746e6ff6acafec3d36');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\x164784c37b67550bfc411a94cf9a4e3d', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\xdff3467be345c3b0f6eeed78bd7fdc1766b4262bdd66cc9304cf0591847fae01', '\xf00fb0dfa29cf079f55d2954032f519c0e3f0ef474f90c022eb297331ae40527');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\xf8914a319ed96a9602e6e06869c15b77', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x61bbfc43f6c801559cd2ea7c5c4430c41f85c3c00be7d094156f4075587c901c', '\x532844ba09afb850ed3fc313c150a3c418294b68e5a0f5129f51f41d55ea9893');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\x1cdc13cbd3ea1f10baedca4645739b90', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xba9978f2cb701fc5d46bc336c1320315c891d2e1193ef52eb1575e1c63712bc4', '\xc8113c6e4801790a498e5a920257f2657755ce196b56e56bc09165858dc0c583');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\xfa013a322c3c9e9add371ddcffe2e9bb', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\x525b360499ac1c95ea9b935e571d2089e3e761649dc00d1a8172356f29ca2375', '\xb7324c0f1333c1238f35ce63f4c0712a303d6cabdb5ca69b77a7f3026b4654da');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\x67a4fcefc42bf4f8318f09a4d3de189d', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x0414d123ee5bda3fcc13589df5016c5b08ed7a63bca6af2d0b0549e27e76c95f', '\xfdf278de702d4557709f026f895e4620a960e56fcbc61f1d03b6ad38fcbfd461');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\xed7cf8b2fc41302e7cffbbb611087e7e', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x250fbf11a82c8d56b12f459fe30ed3fc9d57472d67e30664d7fc9c4b87e061e2', '\xdb5b43626eb6cfbf45cc1bfae10956f04f5b963f6f478c90fbf051c02531d6e2');
INSERT INTO public.client VALUES ('cl_1', 'ptr_1', 'sync', 'active', 'client_secret_basic', 300, 'default', '[{"type":"cdms_study","identifier":"S.1","sites":["001","002"]}]', 1800000000, NULL, NULL, false, NULL, NULL, false);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'a:read', true, 1800000000);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'b:read', false, 1800000000);
INSERT INTO public.client_resource VALUES ('cl_1', 'https://api.example', 0);
INSERT INTO public.credential VALUES ('credential1', 'cl_1', 1, 'active', 'hmac-sha256$1$00', 1800000000, 1810000000, 1800000000, NULL, 700, NULL, NULL);
INSERT INTO public.credential_observation VALUES ('credential1', 1800000000, NULL, NULL, 1800000005, '192.0.2.7', 1800000005, '192.0.2.7', NULL, NULL);
INSERT INTO public.installation VALUES (1, 'installation1', 3, 1800000000, '0013');
INSERT INTO public.partner VALUES ('ptr_1', 'Acme', 'a@acme.example', 'active', '\x61726d6f72', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 1800000000, 'flag', 1800000000, NULL, NULL);
INSERT INTO public.resource VALUES ('https://api.example', '["cdms_study"]', '{"keys": []}', 1800000000);
INSERT INTO public.resource_scope VALUES ('https://api.example', 'a:read', 'Read a');
INSERT INTO public.resource_scope VALUES ('https://api.example', 'b:read', '');
INSERT INTO public.sealed_message VALUES ('msg_credential1', 'credential1', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB', 1800000000, '0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO public.signing_key VALUES ('kid1', 'ES256', 'active', '{}', '\x007365616c6564ff', 1, 1, 'access-tokens');
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.admin_answer
    ADD CONSTRAINT pk_admin_answer PRIMARY KEY (operator_id, key);
ALTER TABLE ONLY public.announced_change
    ADD CONSTRAINT pk_announced_change PRIMARY KEY (id);
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
ALTER TABLE ONLY public.narrowing
    ADD CONSTRAINT pk_narrowing PRIMARY KEY (client_id);
ALTER TABLE ONLY public.notice
    ADD CONSTRAINT pk_notice PRIMARY KEY (id);
ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT pk_notice_delivery PRIMARY KEY (notice_id, channel);
ALTER TABLE ONLY public.operator
    ADD CONSTRAINT pk_operator PRIMARY KEY (id);
ALTER TABLE ONLY public.partner
    ADD CONSTRAINT pk_partner PRIMARY KEY (id);
ALTER TABLE ONLY public.presented_jti
    ADD CONSTRAINT pk_presented_jti PRIMARY KEY (client_id, jti);
ALTER TABLE ONLY public.proposal
    ADD CONSTRAINT pk_proposal PRIMARY KEY (id);
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
ALTER TABLE ONLY public.scope_use
    ADD CONSTRAINT pk_scope_use PRIMARY KEY (client_id, resource, scope, method, route);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT pk_sealed_message PRIMARY KEY (id);
ALTER TABLE ONLY public.signing_key
    ADD CONSTRAINT pk_signing_key PRIMARY KEY (kid);
ALTER TABLE ONLY public.spending
    ADD CONSTRAINT pk_spending PRIMARY KEY (process, sequence);
ALTER TABLE ONLY public.usage_reporter
    ADD CONSTRAINT pk_usage_reporter PRIMARY KEY (resource, reporter);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT uq_credential_client_id UNIQUE (client_id, generation);
ALTER TABLE ONLY public.partner
    ADD CONSTRAINT uq_partner_name UNIQUE (name);
ALTER TABLE ONLY public.registration_token
    ADD CONSTRAINT uq_registration_token_client_id UNIQUE (client_id, generation);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT uq_sealed_message_credential_id UNIQUE (credential_id);
CREATE INDEX ix_admin_answer_expires_at ON public.admin_answer USING btree (expires_at);
CREATE INDEX ix_announced_change_client_id ON public.announced_change USING btree (client_id);
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
CREATE INDEX ix_spending_told_at ON public.spending USING btree (told_at);
CREATE INDEX ix_usage_reporter_until ON public.usage_reporter USING btree (until);
CREATE UNIQUE INDEX uq_client_live_name ON public.client USING btree (partner_id, name) WHERE (state <> 'revoked'::text);
CREATE UNIQUE INDEX uq_operator_live_key_id ON public.operator USING btree (key_id) WHERE (state <> 'revoked'::text);
CREATE UNIQUE INDEX uq_operator_live_name ON public.operator USING btree (name) WHERE (state <> 'revoked'::text);
ALTER TABLE ONLY public.admin_answer
    ADD CONSTRAINT fk_admin_answer_operator_id FOREIGN KEY (operator_id) REFERENCES public.operator(id);
ALTER TABLE ONLY public.announced_change
    ADD CONSTRAINT fk_announced_change_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
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
ALTER TABLE ONLY public.narrowing
    ADD CONSTRAINT fk_narrowing_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.notice_delivery
    ADD CONSTRAINT fk_notice_delivery_notice_id FOREIGN KEY (notice_id) REFERENCES public.notice(id);
ALTER TABLE ONLY public.proposal
    ADD CONSTRAINT fk_proposal_decided_by FOREIGN KEY (decided_by) REFERENCES public.operator(id);
ALTER TABLE ONLY public.proposal
    ADD CONSTRAINT fk_proposal_proposed_by FOREIGN KEY (proposed_by) REFERENCES public.operator(id);
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
ALTER TABLE ONLY public.scope_use
    ADD CONSTRAINT fk_scope_use_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT fk_sealed_message_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);

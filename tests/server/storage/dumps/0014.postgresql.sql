-- the head of its audit trail: 10:cf07be8fa1eedc003b8b656ec4b288d6f968d8d567b43ec987578ef3fa55ba3e
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
INSERT INTO public.alembic_version VALUES ('0014');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\xfc8301793f2c0df03fc2e34748f1013d', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\xb9f454cdd53253c780cb7f7bd3488058d969c07f9bf1a1c52a35e7253efba4b3', '\x0cd92d69ae554d2ca8dc8e7046ce084eb255a0ce8d85963bf79675882b63cb44');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\x076d940f12411572739004c6d329d161', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x024e51078b259c4b025087f2b4e31be21e23d1cfe7b08dcc968fa6219f11107a', '\xaa2bb8d280a8b53703067ecbd82a2781955dd6766714be69efeb5f1dfffb1b51');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\xb4ae4b730d9ab46c39c61a09190dcc16', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\xd745e48707ee7a5f0a5b7d1f47e0b62c7ccd9fe9fbe96a9af2e934910db2f320', '\x46e72fcf3784373cfe3b3eee017409581566b6ba3f23dd740e3dffe16bed0c58');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\x0d1f11eca8e28c01a08e88678d1a8f3a', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\xfbb60e15941cc616cf2fded5571a5eedfa94800d6aa00288b45568e9cbebf150', '\x4d11efc01148430f708f34238bc16ebfd8b8af81f798277074d1a4b60fd1d3cf');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\x21c10e673f409872def3dec93b9db1b6', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\x53dd5a25dd81cf92f81629be683bd86dadfe18ffd2c699cd246d59984deb2296', '\x18ea0a10084e65a30b6336121a68da0bcd680fefccb5edaaf047fbb165d1023b');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\xef8ee2dbc7d0947590b44be5aecd3d3a', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x366e5a37ff0e845533ebc709a83ba192d0752d2da26345c0b7587275aefe5ea6', '\xc0fef3cec7c2c8d7742057c64f5d5f09c566d45cf8090ff0fd310524aed31c7f');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\x16f0c81d1a83be8c3a56081f2b6d6ea6', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x05a731e265617d8347c432ae885bcc2216b67d626601d55d73351e43c38521d0', '\xaca033ec553d58c4b3c05f4f80fd84a586c8fdc1f8cd5f1c0ddc893d074db8a1');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\x5758dee3d3ec6675314814762361ff8b', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\xe634dcf61ff114cb5fba220644395fe18a22db9324b9275171ba3d6e430a5e43', '\xb3abbffe70fc2bef0f81393f5f3af7f17bfe7b3052b030101e9315dd1f9f973c');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\xaa8414fdf031041370d4a0e82ad9d69a', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x3209fb8349cc65df5de69e2e5b0edc461d85b6ab2bc1f7d8430a00997f81944a', '\x58addd38e06f48b8224d9f86ec01d7a9e4025c4b987d3f91c982805b077b820a');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\x1d9bb0d40ffc5f5e17f991d024c29a25', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x298fd928378ab4006d4271c57751c71b96bc01202dac552aa93c0f15c9edf745', '\xcf07be8fa1eedc003b8b656ec4b288d6f968d8d567b43ec987578ef3fa55ba3e');
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
CREATE INDEX ix_client_created_at_id ON public.client USING btree (created_at, id);
CREATE INDEX ix_client_partner_id ON public.client USING btree (partner_id);
CREATE INDEX ix_credential_expires_at ON public.credential USING btree (expires_at);
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

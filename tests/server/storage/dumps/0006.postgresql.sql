-- the head of its audit trail: 10:04bb33f41783d165f11eec6b2aba3db2c6638be98c1c04a09aad7c4ee8fdf5fb
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
    last_used_from text
);
CREATE TABLE public.explanation (
    error_id text NOT NULL,
    at bigint NOT NULL,
    client_id text,
    holder text NOT NULL,
    block text NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.installation (
    id smallint NOT NULL,
    installation_id text NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT ck_installation_one CHECK ((id = 1))
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
INSERT INTO public.alembic_version VALUES ('0006');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\xa3bfbe10ba6740ccb5ab5b2f6b3a4c1d', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\xb58ff6df7748cf58c9caa0c48deab9d645256e84eb6d12cb0bea48381cd3b3cb', '\x97fcb275607775172545fff7ddca5fc22aff0c061ec1773dd29a8792b4e1ce6a');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\x177ac61262b8619491264fd539e712b6', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x6e9ab9865f14b2d6d38f0c664e224fe8c373093523b6e709dffad2d730083b11', '\xb711c05cfc3071cccfc5f476f109c7a88283cc3a25533a5fc8b4e2c4635a14ce');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\xf7b2d37e7a388a2c9b41f8ad90236d54', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\x1f180b72f8ae469b83396de8c585c3530696b01aa03d8bec678cec124632bbb8', '\xf444feb7949d8c3fafdea9f79025dcc19ac736e3f41c635950db81f0ec5012d9');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\x84a68103b0ce8d31ad3f218a87b1d782', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\xc542fa11143406e291379b70d4f4b4183184e2640eed132c8ab86ae542bbb636', '\x182591ee11e345344f3251d09554dc74bf0395f5088632b57600cbeef4ccccae');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\xe168d0a48f9d1f79cd5f195e91b0754c', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\x69aec3a156611d4118e701c7f143cc9a76e89f1a469246353c52df84450c2312', '\xa0bbc388c9da14d8bb39684b32fa5d04da90da55146f42e31d76cd2114001110');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\xc1576016a6e46b105545087be56be2f9', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x52d6338a6f391771a321575f2f37c0ad3d3bb29abdfc4a74c47ec1d607b16c56', '\xdc715155482bbd9c00ccd3f67efe53bae0e95e5d80a6311b194a0652487ef9a5');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\xd3bb9c398e8a2c39093a56a4bf180a2c', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xaecd506961ea101d42bc1bf755e8b1756a384b5f33f4af2091c5bd5ed52ebf51', '\x6e9e56855a5affc96a2af40c383fcb7e9b6f0f153f0fa387dc35c0298cf4d5b0');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\x8ba310c3ed2356d291fef2cfb698b990', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\x8f8e972eebd4b8247ec02a790ef7491dd4af84cd5967b60d79969544c623c43f', '\x598b325f5bd4b822bd18cabf0e7d0853eb09bc387adb07a7c25da0084f4bff71');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\x0286705bec69cb81a70fbad44b4d0570', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x34895c01a7b7aae67b209b45ecb4520856795190ba145217e0f6d935e88025cf', '\xce9b2c4742e9a9cdbbbbe2c6b3c4948e82cce530cfe2044b4284ebcde7bd92b7');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\x3cbee35db939facf0107beef288c969e', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xfee6e37ea570a46c54b441cbd97f6e4ccd256e938e7ce0ed1769c65d39cb837d', '\x04bb33f41783d165f11eec6b2aba3db2c6638be98c1c04a09aad7c4ee8fdf5fb');
INSERT INTO public.client VALUES ('cl_1', 'ptr_1', 'sync', 'active', 'client_secret_basic', 300, 'default', '[{"type":"cdms_study","identifier":"S.1","sites":["001","002"]}]', 1800000000, NULL, NULL, false, NULL, NULL, false);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'a:read', true);
INSERT INTO public.client_grant VALUES ('cl_1', 'https://api.example', 'b:read', false);
INSERT INTO public.client_resource VALUES ('cl_1', 'https://api.example', 0);
INSERT INTO public.credential VALUES ('credential1', 'cl_1', 1, 'active', 'hmac-sha256$1$00', 1800000000, 1810000000, 1800000000, NULL, 700, NULL, NULL);
INSERT INTO public.credential_observation VALUES ('credential1', 1800000000, NULL, NULL, 1800000005, '192.0.2.7', 1800000005, '192.0.2.7');
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
ALTER TABLE ONLY public.client_resource
    ADD CONSTRAINT pk_client_resource PRIMARY KEY (client_id, resource);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT pk_credential PRIMARY KEY (id);
ALTER TABLE ONLY public.credential_observation
    ADD CONSTRAINT pk_credential_observation PRIMARY KEY (credential_id);
ALTER TABLE ONLY public.explanation
    ADD CONSTRAINT pk_explanation PRIMARY KEY (error_id);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT pk_installation PRIMARY KEY (id);
ALTER TABLE ONLY public.partner
    ADD CONSTRAINT pk_partner PRIMARY KEY (id);
ALTER TABLE ONLY public.presented_jti
    ADD CONSTRAINT pk_presented_jti PRIMARY KEY (client_id, jti);
ALTER TABLE ONLY public.refusal_count
    ADD CONSTRAINT pk_refusal_count PRIMARY KEY (hour, reason, client_id);
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
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT uq_sealed_message_credential_id UNIQUE (credential_id);
CREATE INDEX ix_client_partner_id ON public.client USING btree (partner_id);
CREATE INDEX ix_explanation_at ON public.explanation USING btree (at);
CREATE INDEX ix_explanation_block ON public.explanation USING btree (block);
CREATE INDEX ix_explanation_holder ON public.explanation USING btree (holder);
CREATE INDEX ix_presented_jti_expires_at ON public.presented_jti USING btree (expires_at);
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
ALTER TABLE ONLY public.presented_jti
    ADD CONSTRAINT fk_presented_jti_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.resource_scope
    ADD CONSTRAINT fk_resource_scope_resource FOREIGN KEY (resource) REFERENCES public.resource(url);
ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT fk_revocation_client_id FOREIGN KEY (client_id) REFERENCES public.client(id);
ALTER TABLE ONLY public.revocation
    ADD CONSTRAINT fk_revocation_resource FOREIGN KEY (resource) REFERENCES public.resource(url);
ALTER TABLE ONLY public.sealed_message
    ADD CONSTRAINT fk_sealed_message_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);

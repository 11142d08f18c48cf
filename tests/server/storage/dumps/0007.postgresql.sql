-- the head of its audit trail: 10:7a91b86af7021f6d4cc44fe064f3aba620e7fcbc33d416644e7f26e86b68066e
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
INSERT INTO public.alembic_version VALUES ('0007');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\x62254443342e918c1390274136bee876', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\x805beeeeb367885def4c91cdf208aa72d6a65479d69350830e9575d371019a93', '\xe16f5ce99374d112e71a7e88ca4842d7e28d59522b38465914978e29a31447e5');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\xa8243d539af8d635b055b1b621e5c446', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x5c6a27293da18f5d31d9c9f5238fe60e2bed65f7ac4e41b11b3a8c5575485a55', '\x92ea3f9f28693bc3b17ec3b4ab8eb77fc5f5387fcbe4a2aa22e8c17c0dc540dd');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\x24f28c447975f8d8d67b784bbb6ef230', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\xf51de0c63dad3298eaeadf16401e13fb578b4d7c15f63b76bcb700a959a324c8', '\xf6dc3d40246a6e8d33579ffe9d8aa36b47a2c783f5d5b07014712f62b44ebe3b');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\xcc14ab9dcd1961dcf14ffec2e19f7b55', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\x7c7b620cbe1ff82347a90c1d76a1c06821077450e51d0c5f98319c3103bf02aa', '\xa61e8aee700be7bfec343af0643c6a2bf0c0985d1259857bd66483f1ffe44098');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\x7f93f3853c00a6e11a8f73f627b219f4', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\x4abec8ac9a9d70b1ba553aafe5cfe058fd7170c0b00e33e07ebea62202fc68e8', '\x741119f0f18e70f4c5ee6ecb0155f8a9d53c6ebd8e6cc9088a4fce82c77fb53e');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\x4cc8f210590e9ac7be7d15fe90627a78', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x2c02c0716c4e35715d515de87027fdfbfbbd9ca1204dcfd7cdd777c09096cb8c', '\xc34281f227d5d76a94c870d3f2c0cb7b5cc1fa51a89297615f51abb5175b4809');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\xfc65e7a099ea378039911afcaeffca17', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xb6025e457080df6869d004367f757aa09e552609bd9b6e7ebf907dcbb76a3a7e', '\xc42ea24f1f3e2c14b3056cc31cfb464657a0885f0998fa1eed15719ec2a8f10f');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\x26035018a299c14736ad9d601a903f46', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\x7e1b2fc3ad16bbf30a9992fe95247f44581c80e475a3a7936d5e2ca409719140', '\x2016310cfcb27878ad4f58867e5fd3aaf0360f09b7f8a40fb598418efcae3b52');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\xc1899a073b2d623d0a04b10f03a24e60', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x314e3202cbbc1fa3f18c49d775234f43bcf0deeab02002bde7885e8c310b2235', '\xe02d92830524b8d772b5f2c919327840521689463ec7eb7a9fcb5d4d3fc8293e');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\x09715db0b4b62f4118cd7c1bad174e16', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x601ac45efc04ff0bb050dbebdf1e454f2f6059287565bd32c224b1ec714a0286', '\x7a91b86af7021f6d4cc44fe064f3aba620e7fcbc33d416644e7f26e86b68066e');
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
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT pk_installation PRIMARY KEY (id);
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

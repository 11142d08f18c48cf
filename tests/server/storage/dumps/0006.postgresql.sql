-- the head of its audit trail: 10:eb9be8c3d3e9e0215039b3cae091396b6eb5c1da508454c68d1e7484e55fac15
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
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\x2a8ab409026f335990c92b119b506f71', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\x9cc89035eff83eaac115b01c197167c158569a16607a7cdf503252f7c35f5d2d', '\xa2bbd3cf1bef01a429a14acde6ae806aa5d464a5dc43daac9894c1bb5637d937');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\x0ab770b59a485c14bdc03acc0b0f994b', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x49be3a54091e7e3f17466bf32b37725d5fe5c107e4d1bbe57263dd49f8a7c61b', '\x45f3fda966c82c1d750b8ca1d6f97097aa1be28e252a4e955260549302b87aba');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\x688944af1694aa5643209f8ca112f722', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\xfa7fad19a96fd034a1140690a21cd30ab8c5816013867c07d9857e09131b1339', '\x7140a43efa64b57e618c93fc49e1600a54ceca8a758d00f9be20d232e5058800');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\x93e5e34761fa6e4a1bab6af87ab5a745', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\xb76be14038d69dbc97e35d94bda80e5ddf2287cb3525f58e6410acb86a3ea9e9', '\x3dc5837d42480e94fbd16fefae6e8e62f9b3029ff822e68c7dc0f6eb1856c0f7');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\x74b7d7b475ca88cded92724c5bc239fe', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\xfe52efa2bbbe3ef10318a3f9af1a9e78f5fd3a03e465d5a9604fbf97b5bd2ba3', '\xdd73a2418f6d7b542d185b400cff3ddc3e2727f34a9c54186c6292f782e997dc');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\x961dc3e38189bf2031a8118c60b13a78', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x7dc92bcdea596ceaa5ab47e1cc90eb80b01a4ef3b65e1b8f832146e1bbcc6ed4', '\x2044dafe099889280d643f6ce7637f5e2926b82b2cd5005dd3204a5b0dcd0055');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\x72541f20f2bae45337f7d3ffe49bcd42', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xb308d321480f20b0ffd9d590baa6b7940c684527629840a5068617027ad005c6', '\xe0d5cf246df295af03844a9e841284f42f67e9cd76004c91cb638ba8abae6121');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\x6347ef1d3d1a932abf54b408de8d934d', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\xef2ec3c721aa836d48ddb718d5df0a5b30054cd3ae190d81955f67ca1f79548d', '\xa62335fa83f278fb95daf685151a4be63f4e82b4c19bb96b1379f30af4080e1b');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\xfaf479ed77d1d1abc34b0a9e8d0f864f', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xd111a54664fa00ac0288def3f2370e1e903b6e25c1935cc5711a53f46e34840f', '\x9624f42aff52ae9c8e5eb53ad60ffb0ef217a84a265c5302e53a0e86f0f22a96');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\x96565d55841c9c652e2029a4eb5420e6', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xc5909237d8106cc744bbb9297ee60e701a488ee0650b410e1b25cffbf492f2b1', '\xeb9be8c3d3e9e0215039b3cae091396b6eb5c1da508454c68d1e7484e55fac15');
INSERT INTO public.client VALUES ('cl_1', 'ptr_1', 'sync', 'active', 'client_secret_basic', 300, 'default', '[{"type":"cdms_study","identifier":"S.1","sites":["001","002"]}]', 1800000000, NULL, NULL, false);
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
CREATE INDEX ix_handoff_link_expires_at ON public.handoff_link USING btree (expires_at);
CREATE INDEX ix_kept_message_keep_until ON public.kept_message USING btree (keep_until);
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
ALTER TABLE ONLY public.handoff_link
    ADD CONSTRAINT fk_handoff_link_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);
ALTER TABLE ONLY public.kept_message
    ADD CONSTRAINT fk_kept_message_credential_id FOREIGN KEY (credential_id) REFERENCES public.credential(id);
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

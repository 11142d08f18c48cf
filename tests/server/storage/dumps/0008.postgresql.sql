-- the head of its audit trail: 10:df353c99454b575eac47c7f3fa641bbcd0701c7d11d866e7ee5728135bccb1c2
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
INSERT INTO public.alembic_version VALUES ('0008');
INSERT INTO public.audit_record VALUES ('main', 1, 1800000000, '\x53ffe3adf88c548e42836cd2423a8631', '\x7b226163746f72223a226f70657261746f723a74657374222c22696e7374616c6c6174696f6e5f6964223a22696e7374616c6c6174696f6e31222c226b696e64223a22696e7374616c6c6174696f6e5f63726561746564227d', '\x809514f3f4a43f6219d396d45ee573a7a992dd7901b7fc73d48c70224ae80316', '\x946718836522d9c61e278e9908d7a7f9b705d5c6523c30ac3bb1359dd2ab64c9');
INSERT INTO public.audit_record VALUES ('main', 2, 1800000000, '\x5b3499752dbd5e95a3766e64e279cf71', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a227265736f757263655f6164646564222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65227d', '\x4ffce83d00f2fa7757e44a1b645c7c81c4d74f849492c2fbbbde5bfd116dc5e2', '\xd2580cb23227ed9a381974ef142beba8bb8b4fc2f372a69fa1682f0b7549b360');
INSERT INTO public.audit_record VALUES ('main', 3, 1800000000, '\x34b9a126f625df02eb60aca4edb03b36', '\x7b226163746f72223a226f70657261746f723a74657374222c226b696e64223a22706172746e65725f6164646564222c22706172746e65725f6964223a227074725f31227d', '\xee629fa512635f2170e1d04eb008fd8ffbd1025c40fb61c07a686642d71cbf2a', '\x912db5551895fe47951edbaf20d27086f765bceb884d148d53809b7c9046514b');
INSERT INTO public.audit_record VALUES ('main', 4, 1800000000, '\xc6583a8c6d58798c79c21cbd665e8295', '\x7b226163746f72223a226f70657261746f723a74657374222c22636c69656e745f6964223a22636c5f31222c226b696e64223a22636c69656e745f63726561746564227d', '\x06bb65f680a4177f7395c82276e8d3ef88e1be860a5b2c150a812e9e06b614c7', '\x6944edd56d877336367f8da42a4afd23c1b7be281441d2dbb7d00b23f10b9f5f');
INSERT INTO public.audit_record VALUES ('main', 5, 1800000000, '\xa7807643163ac441657dd17222c9f705', '\x7b226163746f72223a226f70657261746f723a74657374222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f7365616c6564227d', '\x3f558f923099de4a8a39afad641f102dc25bf42b3b70d63db15423de0d650b59', '\xf7be1fc8c10a41fb5d3770bd78e21c5b7e2d767103815494c273e2899356fed0');
INSERT INTO public.audit_record VALUES ('main', 6, 1800000000, '\x0fa41c301a40b70a4885216add9a62d2', '\x7b226163746f72223a226f70657261746f723a74657374222c226b6964223a226b696431222c226b696e64223a227369676e696e675f6b65795f63726561746564227d', '\x5df3db449841475eb9c46f6b11cf86b2a4616f0b966542397d4441baf42df01b', '\xaea1e70d94205fc9a36a31c50b1bf2e60a0cb76f4eeaa593b889d58eab1926b7');
INSERT INTO public.audit_record VALUES ('main', 7, 1800000005, '\x80c87b7a0581159281bc251f854cab16', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746930222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737430222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\xecf33f240e39c69a229fdcbf2bc7e22b61f22cd4bfd7e5442bfe63b4bce02b99', '\xa3d88780777ba4084539558202623dfb038b9d3f0069b1d5d2453e8c33b21507');
INSERT INTO public.audit_record VALUES ('main', 8, 1800000005, '\x9119f9d170c3df9ab9a643ad23d9d88c', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c226b696e64223a2263726564656e7469616c5f66697273745f75736564227d', '\x0d453c995524ec6926f3c44786e585ac8a3f87a6cc33b06aeda9fb62d39612c3', '\x70279b8572b01cd5ebd2f56b689262735ba6a14d290e46b205f979124cc52765');
INSERT INTO public.audit_record VALUES ('main', 9, 1800000005, '\xf450304a539804a5c7fdb3b792e190a3', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746931222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737431222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x18bc38da54edb7e6a15436af76455217a38bdd2e9d65dc05a1afb9c1d60a2817', '\xc71dee21fd036aa261211affad6c8fb44f3a2f93e81756cc9c386e7ce5547398');
INSERT INTO public.audit_record VALUES ('main', 10, 1800000005, '\x2fd98f7a6b8bf6ecfca98ca6c961587d', '\x7b226163746f72223a22636c69656e743a636c5f31222c2261646472657373223a223139322e302e322e37222c22617574686f72697a6174696f6e5f64657461696c73223a225b7b5c22747970655c223a5c2263646d735f73747564795c222c5c226964656e7469666965725c223a5c22532e315c222c5c2273697465735c223a5b5c223030315c222c5c223030325c225d7d5d222c22636c69656e745f6964223a22636c5f31222c2263726564656e7469616c5f6964223a2263726564656e7469616c31222c22657870697265735f6174223a313830303030303330302c226a7469223a226a746932222c226b6964223a226b696431222c226b696e64223a22746f6b656e5f697373756564222c22726571756573745f6964223a227265717565737432222c227265736f75726365223a2268747470733a2f2f6170692e6578616d706c65222c2273636f7065223a5b22613a72656164225d7d', '\x30e35448e9ed9b1e8cce70e12333d0523b354b266948991af29a78a3be03c986', '\xdf353c99454b575eac47c7f3fa641bbcd0701c7d11d866e7ee5728135bccb1c2');
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

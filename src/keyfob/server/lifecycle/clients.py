"""How a client comes to be, and how its state changes. Everything that was typed is checked before anything is made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.client_certificates import ClientCertificate, UnusableCertificate, as_jwks
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet
from keyfob.oauth import mutual_tls
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.oauth.mutual_tls import CertificateSubject
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse, Problem
from keyfob.server import networks, profiles
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import partners, revocations
from keyfob.server.lifecycle.names import check_name, near_miss
from keyfob.server.lifecycle.states import Event, after
from keyfob.server.notices.notice import BOTH, Fact, Notice, NoticeKind
from keyfob.server.settings import Settings
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import Client, ClientView, Partner, Profile, ResourceGrant, State
from keyfob.settings import https_url

DETAILS_TYPE = "cdms_study"
METHODS_WITH_KEYS = frozenset({Method.PRIVATE_KEY_JWT, Method.SELF_SIGNED_TLS_CLIENT_AUTH})
METHODS_WITHOUT_SECRET = METHODS_WITH_KEYS | METHODS_BY_CERTIFICATE
_NEEDS_TYPE = "the resource describes what it can limit in its resource.json"

_KINDS = {
    Event.SUSPEND: Kind.CLIENT_SUSPENDED,
    Event.RESUME: Kind.CLIENT_RESUMED,
    Event.REVOKE: Kind.CLIENT_REVOKED,
}


@dataclass(frozen=True, slots=True)
class Application:
    """What is asked for a client, by the operator or by itself. `resources`: the first is the default.

    `name` None: it is called by its id.
    """

    partner: str
    name: str | None
    scope: Scope
    resources: tuple[str, ...]
    default_scope: Scope | None
    details: Details
    token_lifetime: int
    auth_method: Method
    networks: tuple[str, ...] = ()
    jwks: str | None = None
    jwks_uri: str | None = None
    dpop_bound: bool = False
    profile: Profile = Profile.DEFAULT
    tls_subject: CertificateSubject | None = None
    certificate_bound: bool = False


def draft(reading: Reading, application: Application, *, now: int, entropy: Entropy) -> Client:
    """The client that `application` describes, all of it checked; nothing is written. Raises Misuse or Problem."""
    partner = partners.get(reading, application.partner)
    if partner.state is not State.ACTIVE:
        raise Problem("partner-not-active", f"the partner {partner.name} is {partner.state}")
    client_id = client_secret.new_id("cl_", entropy(partners.ID_BYTES))
    client = described(reading, application, client_id=client_id, partner_id=partner.id, now=now)
    check_free(reading, client)
    return client


def described(reading: Reading, application: Application, *, client_id: str, partner_id: str, now: int) -> Client:
    """The client that `application` describes, whoever else there is. Raises Misuse."""
    if application.name is not None:
        check_name(application.name, of="client")
    _check_keys(application)
    _check_certificates(application)
    client = Client(
        id=client_id,
        partner_id=partner_id,
        name=application.name or client_id,
        state=State.ACTIVE,
        auth_method=application.auth_method,
        token_lifetime=application.token_lifetime,
        profile=application.profile,
        grants=grants(reading, application),
        authorization_details=application.details,
        created_at=now,
        networks=application.networks,
        jwks=application.jwks,
        jwks_uri=application.jwks_uri,
        dpop_bound=application.dpop_bound,
        tls_subject=application.tls_subject,
        certificate_bound=application.certificate_bound,
    )
    profiles.check(client)
    return client


def check_free(reading: Reading, client: Client) -> None:
    """Raises Misuse when the partner has a client of that name which is not revoked."""
    for other in reading.clients(partner_id=client.partner_id):
        if other.name == client.name and other.id != client.id and other.state is not State.REVOKED:
            raise Misuse(
                "client-exists",
                f"the partner has a client {client.name!r} already: {other.id}",
                hint=f"give the new one another name, or: keyfob-server client rotate {other.id}",
            )


def add(change: Change, client: Client) -> None:
    """`client`, if what was checked in `draft` still holds inside this transaction: the last word against a race."""
    check_free(change.reading, client)
    if change.reading.partner_of(client).state is not State.ACTIVE:
        raise Problem("partner-not-active", "the partner was changed meanwhile: nothing was created")
    known = {resource.url: resource.scope for resource in change.reading.resources()}
    if any(not grant.scope <= known.get(grant.resource, frozenset()) for grant in client.grants):
        raise Problem("resource-changed", "a resource was changed meanwhile: nothing was created", hint="try again")
    change.add_client(client)
    change.record(
        Kind.CLIENT_CREATED,
        client_id=client.id,
        partner_id=client.partner_id,
        name=client.name,
        grants=[f"{grant.resource} {scopes.write(grant.scope)}" for grant in client.grants],
        authorization_details=write_details(client.authorization_details),
        auth_method=client.auth_method.value,
        token_lifetime=client.token_lifetime,
        networks=list(client.networks),
        thumbprints=thumbprints(client.jwks),
        jwks_uri=client.jwks_uri,
        dpop_bound=int(client.dpop_bound),
        tls_subject=None if client.tls_subject is None else f"{client.tls_subject.field} {client.tls_subject.value}",
        certificate_bound=int(client.certificate_bound),
        profile=client.profile.value,
    )
    if client.auth_method in METHODS_WITHOUT_SECRET:
        tell_keys(change, NoticeKind.CLIENT_ADDED, client, now=client.created_at)


def get(reading: Reading, client_id: str) -> ClientView:
    """Raises Misuse that names the nearest id. A pasted secret is not repeated: it is no id."""
    view = reading.find_client(client_id)
    if view is None:
        known = [client.id for client in reading.clients()]
        raise Misuse("unknown-client", "there is no client with that id", hint=near_miss(client_id, known))
    return view


def set_state(change: Change, client_id: str, event: Event, *, now: int) -> State:
    """Suspend, resume or revoke. Its credentials keep their own states; its tokens end. Raises Misuse or Problem."""
    view = get(change.reading, client_id)
    client = view.client
    state = after(client.state, event)
    change.set_client_state(client.id, state)
    if event is Event.RESUME:
        # While its partner is suspended nothing is issued, and what the suspension cut off stays so.
        if view.partner_state is State.ACTIVE:
            revocations.allow_again(change, client.id, now=now)
    else:
        revocations.of_client(change, client.id, now=now)
    change.record(_KINDS[event], client_id=client.id)
    return state


def set_keys(change: Change, client_id: str, *, jwks: str | None, jwks_uri: str | None, now: int) -> None:
    """Other keys for a client that has some, from the next request on; both sides are told. Raises Misuse."""
    client = get(change.reading, client_id).client
    check_keys(client, jwks)
    change.set_client_keys(client.id, jwks=jwks, jwks_uri=jwks_uri)
    change.record(Kind.CLIENT_KEYS_CHANGED, client_id=client.id, thumbprints=thumbprints(jwks), jwks_uri=jwks_uri)
    tell_keys(change, NoticeKind.CLIENT_KEYS_CHANGED, replace(client, jwks=jwks, jwks_uri=jwks_uri), now=now)


def tell_keys(change: Change, kind: NoticeKind, client: Client, *, now: int) -> None:
    """Both sides hear by which keys the client proves itself from now on."""
    facts = key_facts(client, change.reading.partner_of(client))
    subject = f"{client.id} {hashlib.sha256(str(facts['keys']).encode()).hexdigest()[:16]} {now}"
    change.notify(*(Notice(kind, subject, role, now, 0, client.partner_id, facts) for role in BOTH))


def key_facts(client: Client, partner: Partner) -> dict[str, Fact]:
    """For a notice: whose client it is, and by what it proves itself."""
    keys = client.jwks_uri or ", ".join(thumbprints(client.jwks))
    if client.tls_subject is not None:
        keys = f"a certificate of {client.tls_subject.value}"
    return {"partner": partner.name, "client_id": client.id, "client_name": client.name, "keys": keys}


def check_keys(client: Client, jwks: str | None) -> None:
    """Raises Misuse unless these could be the keys of `client`; None: it publishes them."""
    if client.auth_method not in METHODS_WITH_KEYS:
        how = "an authority's certificate" if client.auth_method in METHODS_BY_CERTIFICATE else "a secret"
        raise Misuse(
            "no-key-client",
            f"{client.id} authenticates by {how}",
            hint="make a client of its own for keys: client create --auth-method private_key_jwt",
        )
    if client.auth_method is Method.SELF_SIGNED_TLS_CLIENT_AUTH and jwks is not None:
        check_certificates(ClientKeys.parse(jwks.encode()))


def read_jwks(content: bytes, *, where: object) -> str:
    """A JWK set as it is stored; of certificates in PEM, the set of their keys. Raises Misuse that names the file."""
    if b"PRIVATE KEY-----" in content:
        raise Misuse(
            "private-key", f"{where} holds a private key", hint="it stays where it was made; send the certificate"
        )
    try:
        content = as_jwks(content) or content
    except ValueError as damaged:
        raise Misuse("bad-certificate", f"{where}: a certificate cannot be used", hint=str(damaged)) from None
    try:
        ClientKeys.parse(content)
    except MalformedKeySet as malformed:
        raise Misuse("bad-jwks", f"{where}: {malformed}", hint='a JWK set is {"keys": [{"kty": "EC", ...}]}') from None
    return content.decode()


def check_jwks_uri(url: str) -> str:
    """Raises Misuse."""
    try:
        return https_url(url)
    except ValueError as wrong:
        raise Misuse(
            "bad-jwks-uri", f"the jwks_uri {wrong}", hint="for example https://partner.example/jwks.json"
        ) from None


def thumbprints(jwks: str | None) -> list[str]:
    """RFC 7638: what the keys are called in the audit."""
    return [] if jwks is None else [key.thumbprint for key in ClientKeys.parse(jwks.encode()).keys]


def certificate_thumbprints(jwks: str | None) -> list[str]:
    """RFC 8705 §3.1: what the certificates among the keys are called in tokens."""
    if jwks is None:
        return []
    return [mutual_tls.thumbprint(one.certificate) for one in ClientKeys.parse(jwks.encode()).keys if one.certificate]


def check_certificates(keys: ClientKeys) -> None:
    """RFC 8705 §2.2.2: that each key of a client with self-signed certificates has its own. Raises Misuse."""
    hint = "add x5c to the key: a list with the base64 of the certificate's DER"
    for key in keys.keys:
        if key.certificate is None:
            raise Misuse("certificate-missing", f"the key {key.thumbprint} has no certificate (x5c)", hint=hint)
        try:
            certificate = ClientCertificate.read(key.certificate)
            certified = certificate.public_key_thumbprint
            certificate.check_alone()
        except UnusableCertificate as unusable:
            mend = "make it anew with keyUsage=digitalSignature: openssl req -x509 -addext keyUsage=digitalSignature"
            raise Misuse("bad-certificate", f"the certificate of {key.thumbprint}: {unusable}", hint=mend) from None
        # RFC 7517 §4.7: the first certificate is the key's own.
        if certified != key.thumbprint:
            raise Misuse("other-certificate", f"the certificate of {key.thumbprint} is another key's", hint=hint)


def _check_keys(application: Application) -> None:
    has_keys = (application.jwks is not None) + (application.jwks_uri is not None)
    if application.auth_method in METHODS_WITH_KEYS and has_keys != 1:
        raise Misuse(
            "keys-missing", "a client that signs needs its public keys", hint="add --jwks FILE, or --jwks-uri URL"
        )
    if application.auth_method is Method.TLS_CLIENT_AUTH and has_keys:
        raise Misuse(
            "keys-unused",
            "an authority vouches for the keys of a client of tls_client_auth",
            hint="leave --jwks and --jwks-uri out, or add --auth-method self_signed_tls_client_auth",
        )
    if application.auth_method not in METHODS_WITH_KEYS and has_keys:
        raise Misuse("keys-unused", "a client with a secret has no keys", hint="add --auth-method private_key_jwt")


def _check_certificates(application: Application) -> None:
    method = application.auth_method
    if method is Method.TLS_CLIENT_AUTH and application.tls_subject is None:
        raise Misuse(
            "subject-missing",
            "a client of tls_client_auth needs the name in its certificate",
            hint="add --tls-subject-dn, --tls-san-dns, --tls-san-uri, --tls-san-ip or --tls-san-email",
        )
    if method is not Method.TLS_CLIENT_AUTH and application.tls_subject is not None:
        raise Misuse(
            "subject-unused",
            f"a client of {method} is not known by a name in a certificate",
            hint="add --auth-method tls_client_auth",
        )
    if method is Method.SELF_SIGNED_TLS_CLIENT_AUTH and application.jwks is not None:
        check_certificates(ClientKeys.parse(application.jwks.encode()))
    if method in METHODS_BY_CERTIFICATE and application.certificate_bound and application.dpop_bound:
        raise Misuse(
            "bound-twice",
            "--dpop binds to a key instead of the certificate, --certificate-bound to the certificate",
            hint="leave one of them out: the tokens of this client are bound to its certificate by default",
        )


def check_asking(settings: Settings, application: Application) -> None:
    """Raises Misuse for a client that could never show its certificate."""
    is_by_certificate = application.auth_method in METHODS_BY_CERTIFICATE
    if not (is_by_certificate or application.certificate_bound):
        return
    if not settings.asks_for_certificates:
        raise Misuse(
            "certificates-off",
            "this server asks no client for a certificate",
            hint='set client_certificates = "ask" under [tls] in keyfob.toml, and start the server anew',
        )
    if application.auth_method is Method.TLS_CLIENT_AUTH and settings.client_ca is None:
        raise Misuse(
            "client-ca-missing",
            "no authority issues certificates to your clients yet",
            hint="name its certificate: client_ca under [tls] in keyfob.toml; or --auth-method "
            "self_signed_tls_client_auth",
        )


def set_networks(change: Change, client_id: str, wanted: tuple[str, ...]) -> None:
    """From where a client may come from now on; none is anywhere. Raises Misuse."""
    client = get(change.reading, client_id).client
    if client.state is State.REVOKED:
        raise Misuse("client-revoked", "the client is revoked: it comes from nowhere", hint="nothing was changed")
    change.set_client_networks(client.id, wanted)
    change.record(
        Kind.CLIENT_NETWORKS_CHANGED, client_id=client.id, networks=list(wanted), before=list(client.networks)
    )


def read_networks(texts: Sequence[str], *, option: str) -> tuple[str, ...]:
    """The allow-list that was typed, each network in its one way to be written. Raises Misuse."""
    found: list[str] = []
    for text in texts:
        try:
            network = networks.parse(text)
        except ValueError as wrong:
            hint = f"for example {option} 192.0.2.0/24"
            raise Misuse("bad-network", f"{option} {text!r} {wrong}", hint=hint) from None
        if network in found:
            raise Misuse("network-twice", f"{option} {network} is given twice", hint="name each network once")
        found.append(network)
    if len(found) > networks.MAX_NETWORKS:
        raise Misuse("many-networks", f"more than {networks.MAX_NETWORKS} networks", hint="name larger ones")
    return tuple(sorted(found))


def full_scope(client: Client) -> Scope:
    """Every scope that the client holds at any resource."""
    return frozenset(scope for grant in client.grants for scope in grant.scope)


def grants(reading: Reading, application: Application) -> tuple[ResourceGrant, ...]:
    """The rights that `application` asks for, as pairs that are registered. Raises Misuse."""
    known = {resource.url: resource for resource in reading.resources()}
    if len(set(application.resources)) != len(application.resources):
        raise Misuse("resource-twice", "a resource is given twice", hint="name each resource once")
    for url in application.resources:
        if url not in known:
            raise Misuse("unknown-resource", f"the resource {url} is not registered", hint=near_miss(url, known))
    chosen = [known[url] for url in application.resources]
    offered = frozenset(scope for resource in chosen for scope in resource.scope)
    for scope in sorted(application.scope - offered):
        raise Misuse("unknown-scope", f"no resource given has the scope {scope}", hint=near_miss(scope, offered))
    beyond = sorted((application.default_scope or frozenset()) - application.scope)
    if beyond:
        raise Misuse("bad-default-scope", f"{beyond[0]} is in --default-scope but not in --scope", hint="grant it, too")
    found = []
    for resource in chosen:
        held = application.scope & resource.scope
        if not held:
            raise Misuse(
                "resource-without-scope",
                f"none of the scopes belongs to {resource.url}",
                hint=near_miss(min(application.scope), resource.scope),
            )
        found.append(ResourceGrant(resource.url, held, (application.default_scope or frozenset()) & held or None))
    if application.details and not any(DETAILS_TYPE in one.authorization_details_types for one in chosen):
        raise Misuse("no-studies-there", "no resource given can be limited to studies", hint=_NEEDS_TYPE)
    return tuple(found)

"""For clients that have no secret, or will have none: from a key or a certificate of their own to an authorizer that
works, and how the issuer comes to know of other keys.

A composition root like opening.py. The issuer is named by the program; where its token endpoint is, it says itself
(RFC 8414), over verified TLS, once. Nothing is sent before the first call.
"""

import functools
import os
import ssl
from pathlib import Path

from keyfob import ambient, home, tls
from keyfob.change_request import ChangeRequest
from keyfob.issuer_clock import IssuerClock
from keyfob.oauth import scope as scopes
from keyfob.oauth import server_metadata
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.openpgp import keys as key_pairs
from keyfob.partner import client_key, first_token, safe_url
from keyfob.partner.asking import ask, read_jwks
from keyfob.partner.authorizer import Authorizer
from keyfob.partner.errors import Unreachable
from keyfob.partner.issuer import Issuer
from keyfob.partner.opening import AnyPath, default_keeper, new_keeper
from keyfob.partner.places import default_vault
from keyfob.partner.possession import Prover
from keyfob.partner.proving import Proving
from keyfob.partner.steps import Request, Transport
from keyfob.partner.token_source import TokenSource
from keyfob.partner.transport import HttpsTransport
from keyfob.partner.upgrading import Retired, Upgrade, Upgrader
from keyfob.partner.vault.entries import Keeping
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse
from keyfob.secret import Secret

_MAX_KEY_BYTES = 64 * 1024


def open_keyed(
    issuer: str,
    client_id: str,
    *,
    scope: str,
    resource: str,
    private_key: AnyPath,
    certificate: AnyPath | None = None,
    ca: AnyPath | None = None,
    dpop: bool = False,
) -> tuple[Authorizer, ssl.SSLContext]:
    """What a session is made of, for the client that signs with `private_key` (P-256, PKCS#8 PEM, mode 0600).

    With `certificate` (PEM, the chain after it) the connections prove it, to the issuer and to the API, and tokens are
    bound to it (RFC 8705); without, each request for a token is signed (RFC 7523), by the key that is in the file then:
    another one is taken up without a restart. `scope`: what the client is registered for. Raises Misuse or Problem for
    files that cannot be used.

    >>> from keyfob.partner import Session, open_keyed
    >>> with Session(*open_keyed("https://id.example", "cl_1", scope="studies:read", resource="https://api.example",
    ...                          private_key="client.key", certificate="client.pem")) as session:  # doctest: +SKIP
    ...     session.get("/v1/studies").json()
    """
    key_file = Path(private_key)
    context = tls.client_context(None if ca is None else Path(ca), environ=os.environ)
    _read_key(key_file)  # what is wrong with it is said now
    if certificate is not None:
        _present(context, Path(certificate), key_file)
    transport = HttpsTransport(context)
    held = scopes.parse(scope)

    @functools.cache
    def token_endpoint() -> str:
        return _find_token_endpoint(safe_url.check(issuer), transport)

    def open_credential() -> ClientInformation:
        pem = None if certificate is not None else _read_key(key_file)
        return ClientInformation(
            client_id=client_id,
            client_secret=None,
            client_id_issued_at=0,
            client_secret_expires_at=0,
            issuer=issuer,
            token_endpoint=token_endpoint(),
            scope=held,
            resource=(resource,),
            credential_id="certificate" if pem is None else f"key-{_kid(pem)}",
            message_id="",
            issued_at=0,
            recipient_fingerprint="",
            client_key=pem,
        )

    issuer_clock = IssuerClock(ambient.system_clock_precise)
    entropy = ambient.system_entropy
    asker = Issuer(
        issuer=issuer,
        client_id=client_id,
        open_credential=open_credential,
        proving=Proving(now=issuer_clock.now, entropy=entropy, by_certificate=certificate is not None),
        issuer_clock=issuer_clock,
        clock=ambient.monotonic,
        chance=ambient.chance,
        new_prover=lambda: Prover(client_key.generate(), now=issuer_clock.now, entropy=entropy),
        with_dpop=dpop,
    )
    source = TokenSource(asker, transport=transport, clock=ambient.monotonic)
    return Authorizer(source, resource=resource, held=held), context


def upgrade_to_key(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    private_key: AnyPath | None = None,
    key_file: AnyPath | None = None,
    keeping: Keeping | None = None,
    key_name: str | None = None,
    ca: AnyPath | None = None,
) -> Upgrade:
    """A key in `vault` in the place of the secret of `client`, believed by the issuer from the date that it says.

    `keeping`: by default as the secret is kept. Raises Problem: then nothing changed.
    """
    upgrader, client_id = _upgrader(
        client, vault, private_key=private_key, key_file=key_file, keeping=keeping, key_name=key_name, ca=ca
    )
    return upgrader.upgrade(client_id, now=ambient.system_clock())


def renew_key(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    private_key: AnyPath | None = None,
    key_file: AnyPath | None = None,
    ca: AnyPath | None = None,
) -> Upgrade:
    """Another key in `vault` beside the one of `client`, kept as that is, and used from the date that the issuer says.

    Open sessions take it up by themselves; the one before counts until `retire_keys`. Raises Problem: then nothing
    changed.
    """
    upgrader, client_id = _upgrader(client, vault, private_key=private_key, key_file=key_file, ca=ca)
    return upgrader.renew(client_id, now=ambient.system_clock())


def retire_keys(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    private_key: AnyPath | None = None,
    key_file: AnyPath | None = None,
    ca: AnyPath | None = None,
) -> Retired:
    """The keys before the one in use are to count no more, from the date that the issuer says. Raises Problem."""
    upgrader, client_id = _upgrader(client, vault, private_key=private_key, key_file=key_file, ca=ca)
    return upgrader.retire(client_id, now=ambient.system_clock())


def is_keyed(client: str | None, vault: AnyPath | None) -> bool:
    """Whether what the vault holds of the client, and counts now, is a key of its own. Nothing is opened."""
    folder = Vault.open(default_vault(os.environ) if vault is None else vault)
    client_id = folder.choose(client=client, url=None).client_id
    return folder.current(client_id, now=ambient.system_clock()).is_own_key


def _upgrader(
    client: str | None,
    vault: AnyPath | None,
    *,
    private_key: AnyPath | None,
    key_file: AnyPath | None,
    keeping: Keeping | None = None,
    key_name: str | None = None,
    ca: AnyPath | None,
) -> tuple[Upgrader, str]:
    """For which client, too."""
    environ = os.environ
    folder = Vault.open(default_vault(environ) if vault is None else vault)
    entry = folder.choose(client=client, url=None)
    named_key, named_file, authority = (None if path is None else Path(path) for path in (private_key, key_file, ca))
    chosen = keeping or entry.keeping
    if keeping is None:
        key_name = entry.opened_with
    if chosen is Keeping.MESSAGE:
        raise Misuse(
            "no-key-named", "a key is kept in an envelope, and not as a message", hint="--key file, passphrase, aws-kms"
        )
    keeper = default_keeper(folder, private_key=named_key, key_file=named_file, key_name=key_name)
    opened_with = entry.opened_with if entry.keeping is Keeping.MESSAGE else None
    transport = HttpsTransport(tls.client_context(authority, environ=environ))
    upgrader = Upgrader(
        vault=folder,
        keeper=keeper,
        prepared=keeper.prepare(chosen, others=folder.all_entries()),
        signer=keeper.opener(opened_with),
        transport=transport,
        new_key=client_key.generate,
        prove=functools.partial(
            first_token.ask,
            transport=transport,
            clock=ambient.monotonic,
            wall_clock=ambient.system_clock_precise,
            entropy=ambient.system_entropy,
        ),
    )
    return upgrader, entry.client_id


def ask_for_change(
    issuer: str,
    client_id: str,
    *,
    jwks: Path | None,
    add: Path | None,
    remove: str | None,
    jwks_uri: str | None,
    certificate: Path | None,
    stop: str | None,
    signer: str | None,
    private_key: Path | None,
    ca: Path | None,
) -> dict[str, object]:
    """What came of `keyfob keys`, signed by gpg's key `signer`, or by `private_key`. Raises Misuse or Problem."""
    opener = new_keeper(private_key).opener()
    if signer is None and private_key is not None:
        signer = key_pairs.certificate_of(Secret(private_key.read_bytes())).fingerprint
    if signer is None:
        raise Misuse(
            "signer-missing", "gpg must be told which key signs", hint="add --signer FPR, or --private-key FILE"
        )
    request = ChangeRequest(
        issuer=issuer,
        client_id=client_id,
        asked_at=ambient.system_clock(),
        jwks=None if jwks is None else read_jwks(jwks),
        add_keys=None if add is None else read_jwks(add),
        remove_keys=() if remove is None else (remove,),
        jwks_uri=jwks_uri,
        certificate=None if certificate is None else certificate.read_bytes(),
        stop=stop,
    )
    transport = HttpsTransport(tls.client_context(ca, environ=os.environ))
    return ask(request, signer=opener, fingerprint="".join(signer.split()).upper(), transport=transport)


def _find_token_endpoint(issuer: str, transport: Transport) -> str:
    response = transport.send(Request("GET", server_metadata.well_known(issuer)))
    try:
        if response.status != 200:
            raise MalformedMetadata(f"it is not there (HTTP {response.status})")
        # (RFC 8414 §3.3) what another issuer says of itself is not used.
        return server_metadata.read(response.body, issuer=issuer).token_endpoint
    except MalformedMetadata as broken:
        raise Unreachable(
            "no-metadata", f"the metadata of {issuer} cannot be used: {broken}", hint="check the issuer's address"
        ) from broken


def _read_key(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            pem = Secret(file.read(_MAX_KEY_BYTES))
    except OSError as failed:
        raise Misuse("private-key", f"{path} cannot be read: {failed.strerror}", hint="name the key's file") from None
    home.check_private(path)
    return pem


def _kid(pem: Secret) -> str:
    """What tells one key from the next; what is no key of ours is said where it is used."""
    try:
        return client_key.load(pem).kid[:16]
    except ValueError:
        return "unusable"


def _present(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    try:
        # An empty passphrase: OpenSSL would ask on a terminal for one, and a program would wait for ever.
        context.load_cert_chain(certificate, private_key, password="")
    except (OSError, ValueError):
        raise Misuse(
            "certificate",
            f"{certificate} and {private_key} are no usable certificate and private key",
            hint="both in PEM form, the key without a passphrase, and that of the first certificate",
        ) from None

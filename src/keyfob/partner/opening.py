"""From a folder and a client's name to an authorizer that works: the composition root of the partner's library.

Chooses the vault, the credential, the resource, and whom to trust. Nothing is decrypted and nothing is sent yet.
"""

import getpass
import os
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from keyfob import ambient, tls
from keyfob.issuer_clock import IssuerClock
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import seal
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.unseal import gpg_export
from keyfob.partner import client_key, explaining, leak_reporting, linking, scope_use, telling
from keyfob.partner.acknowledging import acknowledge
from keyfob.partner.authorizer import Authorizer
from keyfob.partner.broker.asking import Broker
from keyfob.partner.errors import VaultProblem
from keyfob.partner.explaining import Told
from keyfob.partner.issuer import Issuer
from keyfob.partner.places import default_vault
from keyfob.partner.possession import Prover
from keyfob.partner.proving import Proof, Proving
from keyfob.partner.receive import Operator, Receipt, receive
from keyfob.partner.rotating import Rotation, Rotator
from keyfob.partner.scope_use import GrantedScope
from keyfob.partner.telling import Notice
from keyfob.partner.token_source import Asker, TokenSource
from keyfob.partner.transport import HttpsTransport
from keyfob.partner.vault import stores
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keeping import Keeper
from keyfob.partner.vault.keys import Keys, check_unattended
from keyfob.partner.vault.stores import Named
from keyfob.partner.vault.vault import Vault, resource_of
from keyfob.patience import asking
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

_PATIENCE = 5  # seconds for what is only useful
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Binding:
    """An authorizer, the entry that it was opened from, and the TLS context for calls to the API.

    `left_out` names what of the client could not be read: one of them may be newer than the entry.
    """

    authorizer: Authorizer
    entry: Entry
    context: ssl.SSLContext
    left_out: tuple[str, ...]


def open_authorizer(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    resource: str | None = None,
    ca: AnyPath | None = None,
    dpop: bool = False,
    secret_in_body: bool = False,
) -> Authorizer:
    """The authorizer for an adapter, see keyfob.partner.adapters; the options are those of `Session.open`."""
    return open_binding(client, vault, resource=resource, ca=ca, dpop=dpop, secret_in_body=secret_in_body).authorizer


def open_binding(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    resource: str | None = None,
    url: str | None = None,
    private_key: Path | None = None,
    key_file: Path | None = None,
    ca: AnyPath | None = None,
    dpop: bool | None = False,
    secret_in_body: bool = False,
    broker: bool = True,
    tell: Callable[[Notice], None] = telling.log,
) -> Binding:
    """The binding for `resource`, for the resource that `url` belongs to, or for the client's first one.

    `dpop`: bind every token to a key of this session; False: where the client is registered so; None: never.
    `secret_in_body`: for a proxy that takes the Authorization header away. `broker`: ask the one of KEYFOB_BROKER.
    Raises Misuse or VaultProblem when it is not clear which credential is meant, or there is none.
    """
    environ = os.environ
    folder = Vault.open(default_vault(environ) if vault is None else vault)
    entry = folder.choose(client=client, url=resource or url)
    bound = _resource(entry, resource or url)
    keeper = default_keeper(folder, private_key=private_key, key_file=key_file)

    def open_current() -> ClientInformation:
        return keeper.open(folder.current(entry.client_id, now=ambient.system_clock()))

    def open_older(credential_id: str) -> ClientInformation | None:
        older = folder.older(entry.client_id, credential_id)
        return None if older is None else keeper.open(older)

    context = tls.client_context(None if ca is None else Path(ca), environ=environ)

    def new_prover() -> Prover:
        return Prover(client_key.generate(), now=issuer_clock.now, entropy=ambient.system_entropy)

    issuer_clock = IssuerClock(ambient.system_clock_precise)
    asker: Asker = Issuer(
        issuer=entry.issuer,
        client_id=entry.client_id,
        open_credential=open_current,
        open_older=open_older,
        proving=Proving(now=issuer_clock.now, entropy=ambient.system_entropy, secret_in_body=secret_in_body),
        issuer_clock=issuer_clock,
        clock=ambient.monotonic,
        chance=ambient.chance,
        new_prover=None if dpop is None else new_prover,
        with_dpop=dpop is True,
        tell=tell,
    )
    if broker and not dpop and (named := environ.get("KEYFOB_BROKER")):
        asker = Broker(Path(named), entry.issuer, entry.client_id, ambient.monotonic)
    source = TokenSource(asker, transport=HttpsTransport(context), clock=ambient.monotonic)
    authorizer = Authorizer(source, resource=bound, held=entry.scope)
    return Binding(authorizer, entry, context, folder.damaged(entry.client_id))


def explain(
    error_id: str,
    *,
    client: str | None = None,
    vault: Named | None = None,
    private_key: Path | None = None,
    key_file: Path | None = None,
    ca: Path | None = None,
) -> Told:
    """Why the issuer refused a request of the client, asked with its present credential. Raises Problem."""
    wanted = explaining.check_error_id(error_id)
    environ = os.environ
    folder = Vault.open(default_vault(environ) if vault is None else vault)
    entry = folder.choose(client=client, url=None)
    keeper = default_keeper(folder, private_key=private_key, key_file=key_file)
    information = _present(folder, entry.client_id, keeper)
    request = explaining.write_request(wanted, information, _prove(information))
    return explaining.read_response(wanted, HttpsTransport(tls.client_context(ca, environ=environ)).send(request))


def granted_scopes(folder: Vault, client_id: str, *, ask: bool, ca: Path | None) -> tuple[GrantedScope, ...]:
    """What the issuer says that `client_id` holds and used. `ask`: a person may be asked to open it. Raises Problem."""
    keeper = default_keeper(folder)
    if not ask:
        keeper = replace(keeper, keys=replace(keeper.keys, ask=None))
    information = _present(folder, client_id, keeper)
    request = scope_use.write_request(information, _prove(information))
    return scope_use.read_response(HttpsTransport(tls.client_context(ca, environ=os.environ)).send(request))


def _prove(information: ClientInformation) -> Proof:
    return Proving(now=ambient.system_clock, entropy=ambient.system_entropy).prove(information)


def _present(folder: Vault, client_id: str, keeper: Keeper) -> ClientInformation:
    """The credential that works now, of the issuer that the newest one is of. Raises Problem."""
    information = keeper.open(folder.current(client_id, now=ambient.system_clock()))
    if information.issuer != folder.current(client_id).issuer:
        raise VaultProblem("changed-issuer", "the vault's credential is now another issuer's", hint="start anew")
    return information


def rotate(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    private_key: AnyPath | None = None,
    key_file: AnyPath | None = None,
    ca: AnyPath | None = None,
) -> Rotation:
    """A new secret for `client` in the vault, proven by a token; the old one works on through the overlap.

    Several vaults of one client end with the same secret, and open sessions take it up by themselves. Raises Problem:
    then the old secret is still in use.
    """
    return _rotator(client, vault, private_key=private_key, key_file=key_file, ca=ca).rotate()


def finish_rotation(
    client: str | None = None,
    vault: AnyPath | None = None,
    *,
    private_key: AnyPath | None = None,
    key_file: AnyPath | None = None,
    ca: AnyPath | None = None,
) -> tuple[str, ...]:
    """End the overlap now: the ids of the credentials that no longer work, wherever they are used. Raises Problem."""
    return _rotator(client, vault, private_key=private_key, key_file=key_file, ca=ca).finish()


def _rotator(
    client: str | None,
    vault: AnyPath | None,
    *,
    private_key: AnyPath | None,
    key_file: AnyPath | None,
    ca: AnyPath | None,
) -> Rotator:
    environ = os.environ
    named = default_vault(environ) if vault is None else vault
    folder = Vault.open(named)
    chosen = folder.choose(client=client, url=None)
    if folder.current(chosen.client_id, now=ambient.system_clock()).is_own_key:
        raise Misuse(
            "has-key", f"{chosen.client_id} has a key of its own, and no secret", hint="renew_key, retire_keys"
        )
    named_key, named_file, authority = (None if path is None else Path(path) for path in (private_key, key_file, ca))

    def receive_beside(message: bytes, entry: Entry) -> Receipt:
        """Kept as the one before it is."""
        opened_with = {entry.keeping: Path(entry.opened_with)} if entry.opened_with else {}
        return receive_file(
            message,
            vault=named,
            keeping=entry.keeping,
            key_name=entry.opened_with,
            private_key=named_key or opened_with.get(Keeping.MESSAGE),
            key_file=named_file or opened_with.get(Keeping.FILE),
            ca=authority,
            certificate=None,
            fingerprint=None,
            confirm=lambda _: False,
        )

    return Rotator(
        vault=folder,
        client_id=chosen.client_id,
        open_entry=default_keeper(folder, private_key=named_key, key_file=named_file).open,
        receive=receive_beside,
        transport=HttpsTransport(tls.client_context(authority, environ=environ)),
        clock=ambient.monotonic,
        wall_clock=ambient.system_clock_precise,
        entropy=ambient.system_entropy,
    )


def default_keeper(
    vault: Vault, *, private_key: Path | None = None, key_file: Path | None = None, key_name: str | None = None
) -> Keeper:
    """The keeper of `vault` with this process's environment, randomness and terminal."""
    keys = _keys(key_file, vault.store.usual_key_file)
    return Keeper(installation_id=vault.installation_id, keys=keys, private_key=private_key, key_name=key_name)


def new_keeper(private_key: Path | None) -> Keeper:
    """Of no vault: to sign something."""
    return Keeper(installation_id="", keys=_keys(None, None), private_key=private_key)


def _keys(key_file: Path | None, usual_key_file: Path | None) -> Keys:
    return Keys(
        environ=os.environ,
        entropy=ambient.system_entropy,
        ask=ask_secret if attended() else None,
        key_file=key_file,
        usual_key_file=usual_key_file,
    )


def receive_file(
    message: bytes,
    *,
    vault: Named | None,
    keeping: Keeping | None,
    key_name: str | None = None,
    private_key: Path | None,
    key_file: Path | None,
    ca: Path | None,
    certificate: bytes | None,
    fingerprint: str | None,
    confirm: Callable[[Certificate], bool],
    acknowledging: bool = True,
) -> Receipt:
    """`keyfob.partner.receive` with this machine's vault, gpg, terminal and clock. Raises as it does, and Misuse.

    The issuer is told of it where the private key can sign and the issuer is there; else the receipt says why not.
    """
    environ = os.environ
    if not attended():
        keeping = check_unattended(keeping, environ)
    named = vault or default_vault(environ)
    keys = _keys(key_file, stores.usual_key_file(named))

    def keeper(installation_id: str) -> Keeper:
        return Keeper(installation_id=installation_id, keys=keys, private_key=private_key, key_name=key_name)

    opener = keeper("").opener()
    context = tls.client_context(ca, environ=environ)
    receipt = receive(
        message,
        vault=named,
        new_id=lambda: ambient.system_entropy(16).hex(),
        keeper=keeper,
        opener=opener,
        operator=Operator(
            certificate=certificate,
            fingerprint=fingerprint,
            confirm=confirm if attended() else None,
            gpg_export=gpg_export,
            transport=HttpsTransport(context),
        ),
        keeping=keeping or Keeping.MESSAGE,
        now=ambient.system_clock(),
    )
    if not acknowledging:
        return receipt
    told = HttpsTransport(context, timeout=_PATIENCE)
    try:
        acknowledge(receipt.entry, message, signer=opener, transport=told, now=ambient.system_clock())
    except Problem as why:
        return replace(receipt, not_acknowledged=why.message)
    return replace(receipt, not_acknowledged=None)


def export_sealed(
    vault: Vault, keeper: Keeper, certificate: Path, *, client: str | None
) -> tuple[bytes, dict[str, object]]:
    """The current credential, sealed to the certificate in that file, and what there is to tell. Raises Problem."""
    entry = vault.choose(client=client, url=None)
    recipient = certificates.check(certificates.read_file(certificate), now=ambient.system_clock())
    sealed = seal.encrypt(client_information.write(keeper.open(entry)), recipient=recipient)
    told = {"client_id": entry.client_id, "credential_id": entry.credential_id, "sealed_to": recipient.fingerprint}
    return sealed, dict(told)


def fetch_message(link: str, *, ca: Path | None) -> bytes:
    """The sealed message behind an operator's link. Raises UnsafeCall, Unreachable or MessageRefused."""
    return linking.fetch(link, HttpsTransport(tls.client_context(ca, environ=os.environ)))


def report_leak(
    text: str, *, issuer: str | None, vault: Named | None, where: str | None, ca: Path | None
) -> tuple[int, str]:
    """How many secrets of `text` were presented, and where. Raises Misuse, UnsafeCall, Unreachable or Problem."""
    found = leak_reporting.secrets_in(text)
    chosen = issuer.rstrip("/") if issuer else _only_issuer(vault or default_vault(os.environ))
    context = tls.client_context(ca, environ=os.environ)
    return len(found), leak_reporting.report(chosen, found, where=where, transport=HttpsTransport(context))


def _only_issuer(named: Named) -> str:
    found = Vault.find(named)
    known = set() if found is None else {entry.issuer for entry in found.all_entries()}
    if len(known) != 1:
        raise Misuse(
            "which-issuer",
            "it is not known who has issued the secret",
            hint=f"name its issuer: --issuer {' or '.join(sorted(known)) or 'https://...'}",
        )
    return known.pop()


def ask_secret(prompt: str) -> Secret:
    with asking():
        return Secret(getpass.getpass(prompt))


def attended() -> bool:
    """Whether somebody sits at a terminal who could be asked for something."""
    return sys.stdin is not None and sys.stdin.isatty()


def _resource(entry: Entry, url: str | None) -> str:
    if url is None:
        if not entry.resource:
            raise Misuse("no-resource", f"the client {entry.client_id} has no resource", hint="ask the operator")
        return entry.resource[0]
    bound = resource_of(entry, url)
    if bound is None:
        raise Misuse(
            "another-origin",
            f"the client {entry.client_id} has no credential for {url.partition('?')[0]}",
            hint=f"it is registered for: {', '.join(entry.resource)}",
        )
    return bound

"""For clients that have no secret: from a key or a certificate of the partner's own to an authorizer that works.

A composition root like opening.py. The issuer is named by the program; where its token endpoint is, it says itself
(RFC 8414), over verified TLS, once. Nothing is sent before the first call.
"""

import functools
import os
import ssl
from pathlib import Path

from keyfob import ambient, home, tls
from keyfob.oauth import scope as scopes
from keyfob.oauth import server_metadata
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.partner import client_key, safe_url
from keyfob.partner.authorizer import Authorizer
from keyfob.partner.errors import Unreachable
from keyfob.partner.issuer import Issuer
from keyfob.partner.issuer_clock import IssuerClock
from keyfob.partner.possession import Prover
from keyfob.partner.proving import Proving
from keyfob.partner.steps import Request, Transport
from keyfob.partner.token_source import TokenSource
from keyfob.partner.transport import HttpsTransport
from keyfob.problem import Misuse
from keyfob.secret import Secret

AnyPath = str | os.PathLike[str]
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
    bound to it (RFC 8705); without, each request for a token is signed (RFC 7523). `scope`: what the client is
    registered for. Raises Misuse or Problem for files that cannot be used.

    >>> from keyfob.partner import Session, open_keyed
    >>> with Session(*open_keyed("https://id.example", "cl_1", scope="studies:read", resource="https://api.example",
    ...                          private_key="client.key", certificate="client.pem")) as session:  # doctest: +SKIP
    ...     session.get("/v1/studies").json()
    """
    key_file = Path(private_key)
    context = tls.client_context(None if ca is None else Path(ca), environ=os.environ)
    pem = _read_key(key_file)
    if certificate is not None:
        _present(context, Path(certificate), key_file)
    transport = HttpsTransport(context)
    held = scopes.parse(scope)

    @functools.cache
    def open_credential() -> ClientInformation:
        return ClientInformation(
            client_id=client_id,
            client_secret=None,
            client_id_issued_at=0,
            client_secret_expires_at=0,
            issuer=issuer,
            token_endpoint=_find_token_endpoint(safe_url.check(issuer), transport),
            scope=held,
            resource=(resource,),
            credential_id="certificate" if certificate is not None else "key",
            message_id="",
            issued_at=0,
            recipient_fingerprint="",
            client_key=None if certificate is not None else pem,
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


def _find_token_endpoint(issuer: str, transport: Transport) -> str:
    response = transport.send(Request("GET", server_metadata.well_known(issuer)))
    try:
        if response.status != 200:
            raise MalformedMetadata(f"it is not there (HTTP {response.status})")
        # RFC 8414 §3.3: what another issuer says of itself is not used.
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

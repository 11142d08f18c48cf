"""Who vouches for a server that was not believed: read from the chain that it showed in the handshake that failed.

A proxy that inspects TLS shows a certificate by its own authority, and a person who reads its name knows what is in the
way. Nothing here makes a connection, or believes anything.
"""

import contextlib
import ssl

_ATTRIBUTE = "keyfob_shown_issuer"
_MAX_SHOWN = 200
_DER = 2  # _ssl.ENCODING_DER


def watch(context: ssl.SSLContext) -> None:
    """Have the handshakes of `context` that fail say whose chain they were shown."""
    context.sslsocket_class = _Socket
    context.sslobject_class = _Object


def find(error: BaseException | None) -> str | None:
    """The name of the issuer at the top of the chain that made `error`, or what it was raised from; else None."""
    while error is not None:
        if isinstance(found := getattr(error, _ATTRIBUTE, None), str):
            return found
        error = error.__cause__ or error.__context__
    return None


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as failed:
            _note(failed, self)
            raise


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as failed:
            _note(failed, self)
            raise


def _note(failed: ssl.SSLCertVerificationError, connection: ssl.SSLSocket | ssl.SSLObject) -> None:
    # It is only useful, and rests on what Python makes public from 3.13 on: whatever goes wrong here is no matter.
    with contextlib.suppress(Exception):
        from cryptography import x509

        chain = connection._sslobj.get_unverified_chain()  # type: ignore[union-attr]  # private until Python 3.13
        top = x509.load_der_x509_certificate(chain[-1].public_bytes(_DER))
        shown = "".join(character for character in top.issuer.rfc4514_string() if character.isprintable())
        setattr(failed, _ATTRIBUTE, shown[:_MAX_SHOWN])

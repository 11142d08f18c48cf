"""Whose request is it? The peer's address, or the one that the trusted proxy vouches for; nobody else's word counts."""

import functools
import ipaddress
import logging

from keyfob.oauth.wire import Headers, values

_log = logging.getLogger("keyfob.server")

_PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"client-cert", b"client-cert-chain"})
_HOUR = 3600


@functools.lru_cache(4096)
def _address(text: bytes) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip().decode("latin-1")))
    except ValueError:
        return None


class PeerReader:
    """`trusted_proxy`: the address of the proxy that ends TLS, or None."""

    def __init__(self, trusted_proxy: str | None) -> None:
        self._proxy = trusted_proxy
        self._warned_at: int | None = None

    def read(self, peer: str, headers: Headers, *, now: int) -> str | None:
        """The address that a request came from; None for whoever goes around the trusted proxy."""
        if self._proxy is None:
            self._warn_once_an_hour(headers, now)
            return peer
        if peer != self._proxy:
            return None
        # The last element is the one that our proxy wrote; what stands before it is the client's own word.
        return _address(b",".join(values(headers, b"x-forwarded-for")).rpartition(b",")[2]) or peer

    def _warn_once_an_hour(self, headers: Headers, now: int) -> None:
        if not any(name in _PROXY_HEADERS for name, _ in headers):
            return
        if self._warned_at is None or not 0 <= now - self._warned_at < _HOUR:
            self._warned_at = now
            _log.warning("proxy_headers_ignored: no proxy is trusted (if one ends TLS here, set http.trusted_proxy)")

"""Whose request is it? The peer's address, or the one that our proxies vouch for; nobody else's word counts."""

import functools
import ipaddress
import logging

from keyfob.oauth.trusted_proxies import TrustedProxies
from keyfob.oauth.wire import Headers, values

_log = logging.getLogger("keyfob.server")

_PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"client-cert", b"client-cert-chain"})
_HOUR = 3600
_MAX_HOPS = 8
"""Proxies of ours that a request may come through, one behind the other."""


@functools.lru_cache(4096)
def _address(text: bytes) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip().decode("latin-1")))
    except ValueError:
        return None


class PeerReader:
    """`proxies`: those that end TLS, or stand before one that does."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies
        self._warned_at: int | None = None

    def read(self, peer: str, headers: Headers, *, now: int) -> str | None:
        """The address that a request came from; None for whoever goes around the proxies."""
        if not self._proxies:
            self._warn_once_an_hour(headers, now)
            return peer
        if peer not in self._proxies:
            return None
        # RFC 9700 §4.13: the last element is what our proxy wrote, and while that is a proxy of ours, the one before it
        # is what that one wrote. What stands further left is the client's own word; no address says nothing.
        believed = peer
        for element in reversed(b",".join(values(headers, b"x-forwarded-for")).rsplit(b",", _MAX_HOPS)):
            address = _address(element)
            if address is None:
                break
            believed = address
            if address not in self._proxies:
                break
        return believed

    def _warn_once_an_hour(self, headers: Headers, now: int) -> None:
        if not any(name in _PROXY_HEADERS for name, _ in headers):
            return
        if self._warned_at is None or not 0 <= now - self._warned_at < _HOUR:
            self._warned_at = now
            _log.warning("proxy_headers_ignored: no proxy is trusted (if one ends TLS here, set http.trusted_proxy)")

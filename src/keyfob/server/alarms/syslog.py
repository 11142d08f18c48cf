"""RFC 5424: alarms and notices to a syslog daemon

Over its local socket, UDP (RFC 5426), TCP (RFC 6587 §3.4.1) or TLS (RFC 5425).

The message is JSON in ASCII. The facility is authpriv: on most systems only root reads that.
"""

import contextlib
import errno
import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from keyfob.server.alarms.courier import Message, NotDelivered

_AUTHPRIV = 10
_TIMEOUT = 10
_SCHEMES = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True)
class Address:
    """`scheme` is unix (then `host` is a path), udp, tcp or tls."""

    scheme: str
    host: str
    port: int


def parse_address(text: str) -> Address:
    """`unix:/dev/log`, `udp://HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`. Raises ValueError."""
    if text.startswith("unix:/"):
        return Address("unix", text.removeprefix("unix:"), 0)
    try:
        parts = urlsplit(text)
        found = Address(parts.scheme, parts.hostname or "", parts.port or 0)
    except ValueError:
        found = Address("", "", 0)
    rest = parts.path or parts.query or parts.fragment or parts.username if found.scheme else ""
    if found.scheme not in _SCHEMES or not found.host or not found.port or rest:
        raise ValueError("is none of unix:/PATH, udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT")
    return found


def write(message: Message, *, hostname: str, process_id: int) -> bytes:
    """RFC 5424 §6: the message, without a frame."""
    priority = _AUTHPRIV * 8 + message.severity
    at = datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    host = re.sub(r"[^\x21-\x7e]", "?", hostname)[:255] or "-"
    head = f"<{priority}>1 {at} {host} keyfob-server {process_id} {message.kind[:32]} - "
    return head.encode("ascii") + message.body()


class Syslog:
    """A connection for each alarm: they are rare, and a daemon may have been restarted since the last."""

    name = "syslog"

    def __init__(self, address: Address, context: Callable[[], ssl.SSLContext]) -> None:
        self._address = address
        self._context = context

    def deliver(self, message: Message) -> None:
        """One attempt. Raises NotDelivered. Over a datagram, what was sent counts as delivered."""
        written = write(message, hostname=socket.gethostname(), process_id=os.getpid())
        try:
            _SENDERS[self._address.scheme](self, written)
        except ssl.SSLCertVerificationError:
            raise NotDelivered("the daemon's certificate is not trusted (alarms.syslog_ca)", again=True) from None
        except OSError as failed:
            reason = failed.strerror or type(failed).__name__
            raise NotDelivered(f"the daemon cannot be reached ({reason})", again=True) from None

    def _send_local(self, message: bytes) -> None:
        try:
            _send(socket.AF_UNIX, socket.SOCK_DGRAM, self._address.host, message)
        except OSError as wrong_type:
            if wrong_type.errno != errno.EPROTOTYPE:
                raise
            _send(socket.AF_UNIX, socket.SOCK_STREAM, self._address.host, message + b"\0")

    def _send_datagram(self, message: bytes) -> None:
        found = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM)
        _send(found[0][0], socket.SOCK_DGRAM, found[0][4], message)

    def _send_stream(self, message: bytes) -> None:
        with socket.create_connection((self._address.host, self._address.port), _TIMEOUT) as plain:
            plain.sendall(_framed(message))
            plain.shutdown(socket.SHUT_WR)

    def _send_tls(self, message: bytes) -> None:
        with (
            socket.create_connection((self._address.host, self._address.port), _TIMEOUT) as plain,
            self._context().wrap_socket(plain, server_hostname=self._address.host) as connection,
        ):
            connection.sendall(_framed(message))
            # close_notify (RFC 5425 §4.4): whether the daemon answers it is its own business.
            with contextlib.suppress(OSError):
                connection.unwrap()


def _framed(message: bytes) -> bytes:
    """RFC 6587 §3.4.1, RFC 5425 §4.3: octet counting."""
    return f"{len(message)} ".encode() + message


def _send(family: int, kind: int, address: object, message: bytes) -> None:
    with socket.socket(family, kind) as local:
        local.settimeout(_TIMEOUT)
        local.connect(address)  # type: ignore[arg-type]  # as getaddrinfo gave it, or a path
        local.sendall(message)


_SENDERS: dict[str, Callable[[Syslog, bytes], None]] = {
    "unix": Syslog._send_local,
    "udp": Syslog._send_datagram,
    "tcp": Syslog._send_stream,
    "tls": Syslog._send_tls,
}

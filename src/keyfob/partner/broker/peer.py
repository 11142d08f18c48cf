"""Who is at the other end of a Unix socket, as the kernel says: only this very user is spoken to.

The mode of the socket's file is not enough: a folder may be wider than it was meant to be, and a name may be taken by
somebody else before the broker takes it.
"""

import os
import socket
import struct

from keyfob.problem import Problem

_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7)


def check_possible() -> None:
    """Raises Problem on a system without Unix sockets (Windows), or where the kernel does not say who is at one."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "SO_PEERCRED"):
        raise Problem(
            "no-peer-credentials",
            "this system has no Unix sockets that say who is at the other end: there is no broker here",
            hint="let each program ask for its own tokens: unset KEYFOB_BROKER",
        )


def check(connection: socket.socket) -> None:
    """Raises Problem for another user, root too, and where the kernel does not say."""
    check_possible()
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid != os.getuid():
        raise Problem("another-user", f"the user {uid} is at the broker's socket, not you", hint="name your own broker")

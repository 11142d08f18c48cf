"""Who is at the other end of a Unix socket, as the kernel says: only this very user is spoken to.

The mode of the socket's file is not enough: a folder may be wider than it was meant to be, and a name may be taken by
somebody else before the broker takes it.
"""

import os
import socket
import struct

from keyfob.problem import Problem

_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7)


def check(connection: socket.socket) -> None:
    """Raises Problem for another user, root too, and where the kernel does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        raise Problem("no-peer-credentials", "this system does not say who is at a socket", hint="do without a broker")
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    if uid != os.getuid():
        raise Problem("another-user", f"the user {uid} is at the broker's socket, not you", hint="name your own broker")

"""A process that holds keys leaves no image of its memory behind, and lets nobody but root look into it.

A core dump holds every secret that a process has had, and a disk keeps it for ever. Each of our programs forbids it
first of all, and a process that it forks takes that along; what it starts (`keyfob run`) is itself again.
"""

import os
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """From now on no core dump of this process is written, wherever the system would put one.

    On Linux no other process of this user can attach to it either, or read its memory or environment: prctl(2),
    PR_SET_DUMPABLE. Elsewhere the size of a dump is limited to 0; on Windows nothing is done. Raises OSError.

    >>> from keyfob.partner import forbid_core_dumps
    >>> forbid_core_dumps()  # doctest: +SKIP
    """
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "core dumps cannot be forbidden")
    elif os.name == "posix":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))

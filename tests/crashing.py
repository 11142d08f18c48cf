"""Programs that crash, and whether the kernel kept their memory."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def core_limit_raised() -> Iterator[bool]:
    """What is started meanwhile may leave a core dump of any size; False where the machine does not let it."""
    soft, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    try:
        yield most != 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, most))


def crash(process: "subprocess.Popen[str]") -> bool:
    """End it as a fault of its own would: whether the kernel wrote a core dump, wherever it writes them."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)

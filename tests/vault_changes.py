"""Changes of a vault in a process of its own that is killed on the way: what it does, and where it can die.

Run as a program it waits with everything imported, and forks for each change that it is told: so one costs
milliseconds. The fork dies before its n-th step: a flush, rename, link or removal of a file, or a write of SQLite's;
or, where a database is far away, when its n-th message leaves, which arrives then or does not.
"""

import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from keyfob.partner.vault import keys

STEPS = ("fsync", "replace", "rename", "link", "unlink", "rmdir")


class Changes:
    """Has changes made by forks of one process."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        with errors.open("w") as told:
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True
            )

    def make(
        self,
        what: str,
        named: str,
        options: dict[str, str],
        *,
        environ: dict[str, str] | None = None,
        dies_at: int | None = None,
        wire: "Wire | None" = None,
    ) -> bool:
        """Whether it came to its end; else it was killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        told = {"what": what, "named": named, "options": options, "environ": environ or {}, "dies_at": dies_at}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if wire is not None:
            wire.victim = pid
            wire.is_known.set()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), self._errors.read_text()[-3000:]
        return status == 0

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def serve() -> None:
    import boto3  # noqa: F401
    import hvac  # noqa: F401
    import keyring  # noqa: F401
    import psycopg  # noqa: F401

    import keyfob.partner.opening
    import keyfob.partner.vault.postgresql
    import keyfob.partner.vault.rewrapping
    import keyfob.partner.vault.secrets_manager
    import keyfob.partner.vault.sqlite  # noqa: F401
    from keyfob import aws

    aws._loader()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                change(**json.loads(line))
                status = 0
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def change(what: str, named: str, options: dict[str, str], environ: dict[str, str], dies_at: int | None) -> None:
    """`what` is done to the vault `named`; before step `dies_at` the process is killed, None: it is not."""
    os.environ.update(environ)
    # What a passphrase costs is no matter here.
    keys.PassphraseWrapper = functools.partial(keys.PassphraseWrapper, log2_n=14)
    if dies_at is not None:
        left = [dies_at]

        def step() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        _die_in_python(step)
        if named.startswith("sqlite:"):
            _die_in_sqlite(step)
    _CHANGES[what](named, **options)


def _put(named: str, *, document: str) -> None:
    from keyfob.partner.vault import entries
    from keyfob.partner.vault.vault import Vault

    vault = Vault.create(named, new_id=lambda: os.urandom(16).hex())
    with vault.locked():
        vault.put(entries.read(document.encode(), where="the test"))


def _replace(named: str, *, documents: str) -> None:
    """Several at once."""
    from keyfob.partner.vault import entries
    from keyfob.partner.vault.vault import Vault

    vault = Vault.open(named)
    with vault.locked():
        for document in json.loads(documents):
            vault.put(entries.read(document.encode(), where="the test"))


def _rewrap(named: str, *, old: str, new: str) -> None:
    from keyfob.partner import opening
    from keyfob.partner.vault import rewrapping
    from keyfob.partner.vault.entries import Keeping
    from keyfob.partner.vault.vault import Vault

    vault = Vault.open(named)
    opener, sealer = (opening.default_keeper(vault, key_file=Path(path)) for path in (old, new))
    rewrapping.rewrap(vault, opener, sealer, Keeping.FILE, client=None)


def _under(named: str, *, old: str, keeping: str, key_name: str | None) -> None:
    """From the key file `old` to a key of another kind."""
    from keyfob.partner import opening
    from keyfob.partner.vault import rewrapping
    from keyfob.partner.vault.entries import Keeping
    from keyfob.partner.vault.vault import Vault

    vault = Vault.open(named)
    opener = opening.default_keeper(vault, key_file=Path(old))
    rewrapping.rewrap(vault, opener, opening.default_keeper(vault, key_name=key_name), Keeping(keeping), client=None)


def _rotate(named: str) -> None:
    from keyfob.partner import opening
    from keyfob.partner.vault import rewrapping
    from keyfob.partner.vault.vault import Vault

    vault = Vault.open(named)
    rewrapping.rotate_key(vault, opening.default_keeper(vault))


def _import(named: str, *, file: str, fingerprint: str) -> None:
    from keyfob.partner.vault import importing

    importing.bring_in(Path(file), named, fingerprint=fingerprint, environ=os.environ)


def _forget(named: str, *, client: str) -> None:
    from keyfob.partner.vault.vault import Vault

    Vault.open(named).forget_client(client)


_CHANGES: dict[str, Callable[..., None]] = {
    "put": _put,
    "replace": _replace,
    "rewrap": _rewrap,
    "under": _under,
    "import": _import,
    "rotate": _rotate,
    "forget": _forget,
}


def _die_in_python(step: Callable[[], None]) -> None:
    for name in STEPS:
        real = getattr(os, name)

        def doing(*arguments: object, real: Callable[..., object] = real, **named: object) -> object:
            step()
            return real(*arguments, **named)

        setattr(os, name, doing)


class _Vfs(ctypes.Structure):
    """https://www.sqlite.org/c3ref/vfs.html"""


_Vfs._fields_ = [
    ("version", ctypes.c_int),
    ("file_bytes", ctypes.c_int),
    ("path_bytes", ctypes.c_int),
    ("next", ctypes.c_void_p),
    ("name", ctypes.c_char_p),
    ("data", ctypes.c_void_p),
    *((f"unused{number}", ctypes.c_void_p) for number in range(13)),
    (
        "set_system_call",
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Vfs), ctypes.c_char_p, ctypes.c_void_p),
    ),
    ("get_system_call", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Vfs), ctypes.c_char_p)),
]
_SIGNATURES = {
    "pwrite": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long),
    "pwrite64": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long),
    "write": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t),
    "ftruncate": (ctypes.c_int, ctypes.c_int, ctypes.c_long),
    "unlink": (ctypes.c_int, ctypes.c_char_p),
}
_kept: list[object] = []


def _die_in_sqlite(step: Callable[[], None]) -> None:
    """SQLite lets its calls of the system be replaced. What lies between two writes is a flush: it changes nothing
    that a process which is killed, and not cut off the power, leaves behind."""
    import _sqlite3

    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    replaced = 0
    for name, signature in _SIGNATURES.items():
        kind = ctypes.CFUNCTYPE(*signature)
        address = vfs.contents.get_system_call(vfs, name.encode())
        if not address:
            continue
        real = kind(address)

        def doing(*arguments: object, real: Callable[..., object] = real) -> object:
            step()
            return real(*arguments)

        ours = kind(doing)
        assert vfs.contents.set_system_call(vfs, name.encode(), ctypes.cast(ours, ctypes.c_void_p)) == 0
        _kept.extend((ours, real))
        replaced += 1
    assert replaced >= 3


class Wire:
    """TCP to a server that is far away. The process `victim` is killed when its message `dies_at` comes by here; that
    one `arrives` all the same, or is lost. `count`: the messages of this run."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.victim = 0
        self.is_known = threading.Event()
        self.dies_at: int | None = None
        self.arrives = False
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self, dies_at: int | None, *, arrives: bool = False) -> None:
        self.dies_at, self.arrives, self.count = dies_at, arrives, 0
        self.is_known.clear()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, sink, is_asking in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._carry, args=(source, sink, is_asking), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_asking: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 20):
                if is_asking and self._is_the_last():
                    if self.arrives:
                        sink.sendall(content)
                    assert self.is_known.wait(30)
                    os.kill(self.victim, signal.SIGKILL)
                    break
                sink.sendall(content)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _is_the_last(self) -> bool:
        with self._lock:
            self.count += 1
            return self.count - 1 == self.dies_at


if __name__ == "__main__":
    serve()

"""FOR THE CLIENT: sealed credentials into a vault, tokens in memory only, calls to one API over HTTPS only.

Needs nothing of the server's: `pip install keyfob` is enough. What a name needs is imported when it is used, so that
a program that only may call an API starts as quickly as without.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyfob.core_dumps import forbid_core_dumps
    from keyfob.partner.errors import (
        CredentialRefused,
        Fault,
        MessageRefused,
        ScopeNotHeld,
        TokenDenied,
        UnknownOperation,
        Unreachable,
        UnsafeCall,
        VaultProblem,
    )
    from keyfob.partner.keyed import open_keyed, renew_key, retire_keys, upgrade_to_key
    from keyfob.partner.opening import finish_rotation, open_authorizer, rotate
    from keyfob.partner.rotating import LivingCredential, Rotation
    from keyfob.partner.session import AsyncSession, Session
    from keyfob.partner.token_source import TokenSource
    from keyfob.partner.upgrading import Retired, Upgrade
    from keyfob.partner.vault.vault import Vault

__all__ = [
    "Session", "AsyncSession", "TokenSource", "Vault", "open_authorizer", "open_keyed",
    "rotate", "finish_rotation", "Rotation", "LivingCredential", "upgrade_to_key", "Upgrade",
    "renew_key", "retire_keys", "Retired",
    "Fault", "UnsafeCall", "ScopeNotHeld", "UnknownOperation", "TokenDenied", "CredentialRefused", "MessageRefused",
    "VaultProblem", "Unreachable", "forbid_core_dumps",
]  # fmt: skip

_HOMES = {
    ".core_dumps": ("forbid_core_dumps",),
    "keyed": ("open_keyed", "renew_key", "retire_keys", "upgrade_to_key"),
    "opening": ("finish_rotation", "open_authorizer", "rotate"),
    "rotating": ("LivingCredential", "Rotation"),
    "session": ("AsyncSession", "Session"),
    "token_source": ("TokenSource",),
    "upgrading": ("Retired", "Upgrade"),
    "vault.vault": ("Vault",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_HOME_OF.get(name, 'errors')}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

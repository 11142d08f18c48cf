"""FOR THE CLIENT: sealed credentials into a vault, tokens in memory only, calls to one API over HTTPS only.

Needs nothing of the server's: `pip install keyfob` is enough.
"""

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
from keyfob.partner.opening import finish_rotation, open_authorizer, rotate
from keyfob.partner.rotating import LivingCredential, Rotation
from keyfob.partner.session import AsyncSession, Session
from keyfob.partner.token_source import TokenSource
from keyfob.partner.vault.vault import Vault

__all__ = [
    "Session", "AsyncSession", "TokenSource", "Vault", "open_authorizer",
    "rotate", "finish_rotation", "Rotation", "LivingCredential",
    "Fault", "UnsafeCall", "ScopeNotHeld", "UnknownOperation", "TokenDenied", "CredentialRefused", "MessageRefused",
    "VaultProblem", "Unreachable",
]  # fmt: skip

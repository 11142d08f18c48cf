"""For the API's developer: who may call, decided in front of the handler.

guard = Guard.discover("https://auth.example", audience="https://api.example")

@require(guard, "subjects:read")
async def subjects(request): ...
"""

try:
    from keyfob.guard.asgi import protect, require
    from keyfob.guard.errors import IssuerUnavailable, MissingToken
    from keyfob.guard.file_replays import FileReplays
    from keyfob.guard.guard import Guard
    from keyfob.guard.presented import presented_certificate
    from keyfob.guard.refusal import refusal
    from keyfob.guard.replays import Replays
    from keyfob.oauth.access_token import AccessToken
except ModuleNotFoundError as missing:
    if missing.name not in ("joserfc", "msgspec"):
        raise
    said = 'the packages of keyfob.guard are not installed; in the checkout: python -m pip install ".[guard]"'
    raise ModuleNotFoundError(said, name=missing.name) from missing

__all__ = [
    "Guard",
    "AccessToken",
    "require",
    "protect",
    "presented_certificate",
    "refusal",
    "Replays",
    "FileReplays",
    "MissingToken",
    "IssuerUnavailable",
]

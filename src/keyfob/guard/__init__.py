"""For the API's developer: who may call, decided in front of the handler.

guard = Guard.discover("https://auth.example", audience="https://api.example")

@require(guard, "subjects:read")
async def subjects(request): ...
"""

from keyfob.guard.asgi import protect, require
from keyfob.guard.errors import IssuerUnavailable, MissingToken
from keyfob.guard.guard import Guard
from keyfob.guard.refusal import refusal
from keyfob.oauth.access_token import AccessToken

__all__ = ["Guard", "AccessToken", "require", "protect", "refusal", "MissingToken", "IssuerUnavailable"]

"""The least scope for one call, by the API's own description. Knows nothing of HTTP or tokens."""

from keyfob import api_description
from keyfob.api_description import MAX_BYTES, Description, MalformedDescription, Operation
from keyfob.oauth.scope import Scope
from keyfob.partner.errors import ScopeNotHeld, UnknownOperation, Unreachable

__all__ = ["MAX_BYTES", "Description", "Operation", "narrowest", "read"]


def read(body: bytes, *, resource: str) -> Description:
    """The description at `resource`/openapi.json.

    Raises Unreachable when it is not an OpenAPI 3 document.
    """
    try:
        return api_description.read(body, resource=resource)
    except MalformedDescription as broken:
        raise Unreachable(
            "no-description", f"{resource}/openapi.json is not a description of an API", hint="name the scope: --scope"
        ) from broken


def narrowest(operation: Operation, held: Scope) -> Scope | None:
    """The smallest alternative of `operation` inside `held`, the earlier one of equals; None: no token is needed.

    Raises ScopeNotHeld naming what is missing from the alternative that lacks least.
    """
    if None in operation.alternatives:
        return None
    alternatives = [scope for scope in operation.alternatives if scope is not None]
    fitting = [scope for scope in alternatives if scope <= held]
    if fitting:
        return min(fitting, key=len)
    call = f"{operation.method.upper()} {operation.template}"
    if not alternatives:
        raise UnknownOperation(
            "no-token-accepted", f"{call} takes no access token", hint="this part of the API is not for clients"
        )
    nearest = min(alternatives, key=lambda scope: (len(scope - held), len(scope)))
    missing = " ".join(sorted(nearest - held))
    raise ScopeNotHeld(missing, f"{call} needs the scope {missing}, which this client does not hold", held=held)

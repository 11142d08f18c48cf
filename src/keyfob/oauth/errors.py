"""RFC 6749 §5.2, RFC 6750 §3.1, RFC 6585 §4, RFC 8707 §2: the refusals that have a code, each once.

The public text helps an honest developer and tells an attacker nothing; `detail` is for the operator's audit alone
and never reaches the wire.
"""

from typing import ClassVar


class OAuthError(Exception):
    """A refusal with its wire form: `code`, `status` and a fixed public `description`."""

    code: ClassVar[str]
    status: ClassVar[int] = 400

    def __init__(self, description: str, *, detail: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.detail = detail


class InvalidRequest(OAuthError):
    """RFC 6749 §5.2: a parameter is missing, repeated or malformed."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """RFC 6749 §5.2: client authentication failed. One public text, whatever the reason was."""

    code = "invalid_client"
    status = 401

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("client authentication failed", detail=detail)


class TooManyRequests(OAuthError):
    """RFC 6585 §4: try again after `retry_after` seconds."""

    code = "too_many_requests"
    status = 429

    def __init__(self, retry_after: int, *, detail: str = "") -> None:
        super().__init__("too many requests: try again later", detail=detail)
        self.retry_after = retry_after


class UnauthorizedClient(OAuthError):
    """RFC 6749 §5.2: this client may not use this grant type."""

    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """RFC 6749 §5.2: only client_credentials is served."""

    code = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """RFC 6749 §5.2: a scope is malformed, unknown or not granted."""

    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 §2: the resource is unknown, malformed or not granted."""

    code = "invalid_target"


class InvalidAuthorizationDetails(OAuthError):
    """RFC 9396 §5: the authorization details are malformed, unknown or more than what is granted."""

    code = "invalid_authorization_details"


class InvalidToken(OAuthError):
    """RFC 6750 §3.1: the access token is expired, revoked, malformed or not for this resource."""

    code = "invalid_token"
    status = 401

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("the access token is invalid, expired or revoked", detail=detail)


class InsufficientScope(OAuthError):
    """RFC 6750 §3.1: the token is good, but not for this. `scope` names what the resource requires."""

    code = "insufficient_scope"
    status = 403

    def __init__(self, scope: str, *, detail: str = "") -> None:
        super().__init__(f"this request needs the scope {scope}", detail=detail)
        self.scope = scope

"""RFC 6749 §5.2, RFC 6750 §3.1, RFC 6585 §4, RFC 8707 §2, RFC 7591 §3.2.2: the refusals that have a code, each once.

The public text helps an honest developer and tells an attacker nothing; `detail` is for the operator's audit alone
and never reaches the wire.
"""

from typing import ClassVar


class OAuthError(Exception):
    """A refusal with its wire form: `code`, `status` and a fixed public `description`."""

    code: ClassVar[str]
    # RFC 6749 §5.2: a refusal is 400 unless said otherwise.
    status: ClassVar[int] = 400

    def __init__(self, description: str, *, detail: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.detail = detail


class InvalidRequest(OAuthError):
    """RFC 6749 §5.2: a parameter is missing, repeated or malformed."""

    # RFC 6749 §5.2, RFC 6750 §3.1: invalid_request, for what is missing, repeated or malformed.
    code = "invalid_request"


class InvalidClient(OAuthError):
    """RFC 6749 §5.2: client authentication failed. One public text, whatever the reason was."""

    # RFC 6749 §5.2: invalid_client, for who is unknown or unproven.
    code = "invalid_client"
    # RFC 6749 §5.2: invalid_client is 401, which a client that used the header must get.
    status = 401

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("client authentication failed", detail=detail)


class TooManyRequests(OAuthError):
    """RFC 6585 §4: try again after `retry_after` seconds."""

    code = "too_many_requests"
    # RFC 6585 §4: too many requests are 429.
    status = 429

    def __init__(self, retry_after: int, *, detail: str = "") -> None:
        super().__init__("too many requests: try again later", detail=detail)
        self.retry_after = retry_after


class UnauthorizedClient(OAuthError):
    """RFC 6749 §5.2: this client may not use this grant type."""

    # RFC 6749 §5.2: unauthorized_client, for who is known and may not do this.
    code = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """RFC 6749 §5.2: only client_credentials is served."""

    # RFC 6749 §5.2: unsupported_grant_type, for another grant.
    code = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """RFC 6749 §5.2: a scope is malformed, unknown or not granted."""

    # RFC 6749 §5.2: invalid_scope, for what is malformed, unknown or too much.
    code = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 §2: the resource is unknown, malformed or not granted."""

    # RFC 8707 §2: invalid_target, for a resource that is malformed, unknown or not granted.
    code = "invalid_target"


class InvalidAuthorizationDetails(OAuthError):
    """RFC 9396 §5: the authorization details are malformed, unknown or more than what is granted."""

    # RFC 9396 §5, §8: invalid_authorization_details, for what is malformed, unknown or too much.
    code = "invalid_authorization_details"


class InvalidToken(OAuthError):
    """RFC 6750 §3.1: the access token is expired, revoked, malformed or not for this resource."""

    # RFC 6750 §3.1: invalid_token, for one that is expired, revoked, malformed or foreign.
    code = "invalid_token"
    # RFC 6750 §3.1: invalid_token is 401.
    status = 401

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("the access token is invalid, expired or revoked", detail=detail)


class InsufficientScope(OAuthError):
    """RFC 6750 §3.1: the token is good, but not for this. `scope` names what the resource requires."""

    # RFC 6750 §3.1: insufficient_scope, for a good token that is not for this.
    code = "insufficient_scope"
    # RFC 6750 §3.1: insufficient_scope is 403.
    status = 403

    def __init__(self, scope: str, *, detail: str = "") -> None:
        super().__init__(f"this request needs the scope {scope}", detail=detail)
        self.scope = scope


class InvalidClientMetadata(OAuthError):
    """RFC 7591 §3.2.2: a member of the metadata is malformed, excluded by another, or more than what is allowed."""

    # RFC 7591 §3.2.2: invalid_client_metadata, for a value that cannot be taken.
    code = "invalid_client_metadata"


class InvalidRedirectUri(OAuthError):
    """RFC 7591 §3.2.2: nothing is ever redirected here, so that no redirection URI is good."""

    # RFC 7591 §3.2.2: invalid_redirect_uri, for redirection URIs.
    code = "invalid_redirect_uri"


class InvalidSoftwareStatement(OAuthError):
    """RFC 7591 §3.2.2: what is called a software statement is none."""

    # RFC 7591 §3.2.2: invalid_software_statement, for what is no statement.
    code = "invalid_software_statement"


class UnapprovedSoftwareStatement(OAuthError):
    """RFC 7591 §3.2.2: nobody's software statements are approved here."""

    # RFC 7591 §3.2.2: unapproved_software_statement, for a statement of an issuer that is not trusted.
    code = "unapproved_software_statement"

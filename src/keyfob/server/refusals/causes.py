"""Why a request was refused: a closed list. On the wire most of these are the same bytes.

A member's value is what the audit says; its name, in lower case, is the `reason` of a kept explanation. Neither is ever
renamed, and neither holds anything that came from a request.
"""

from enum import StrEnum


class Cause(StrEnum):
    # How the credential came.
    NO_CREDENTIALS = "no credentials came"
    TWO_HEADERS = "more than one Authorization header"
    TWO_METHODS = "credentials in the header and in the body"
    IDS_DIFFER = "client_id differs from the Authorization header"
    NOT_BASIC = "the Authorization header is not Basic"
    NOT_BASE64 = "the Authorization header is not base64"
    NO_COLON = "the Basic credentials have no colon"
    BADLY_ENCODED = "the credentials are encoded wrongly"
    ENCODED_TWICE = "the credentials are percent-encoded twice"
    SWAPPED = "the client_id is a client secret"
    NEVER_ISSUED = "credentials of a form that was never issued"
    ASSERTION_REFUSED = "the client assertion is not accepted"
    PROOF_MISSING = "the client needs a DPoP proof"
    PROOF_REFUSED = "the DPoP proof does not hold"
    PROOF_USED = "the DPoP proof was used before"
    PROOF_NONCE = "the DPoP proof has no nonce, or an old one"
    ASSERTION_USED = "the client assertion was used before"
    CERTIFICATE_HEADER = "the proxy's header with the client certificate is malformed"
    CERTIFICATE_MALFORMED = "the client certificate cannot be read"
    CERTIFICATE_NOT_YET_VALID = "the client certificate is not valid yet"
    CERTIFICATE_EXPIRED = "the client certificate has expired"
    CERTIFICATE_PURPOSE = "the client certificate is not for TLS clients"
    CERTIFICATE_UNTRUSTED = "no trusted authority issued the client certificate"
    CERTIFICATE_OF_ANOTHER = "the client certificate names another subject"
    CERTIFICATE_NOT_REGISTERED = "the client certificate is none of those that the client registered"
    NOT_BY_CERTIFICATE = "the client does not authenticate by a certificate"
    CERTIFICATE_NEEDED = "the client's tokens are bound to a certificate"
    UNKNOWN_RESOURCE = "no resource of that URL is registered"
    NO_OPERATOR = "no token of an operator who may do this"
    NOT_A_RESOURCE = "a client asked for what is for resources"
    # Whose it is, and what has become of it.
    UNKNOWN_CLIENT = "unknown client"
    MALFORMED_SECRET = "the secret is none of ours: mistyped or cut"  # noqa: S105  # a reason
    WRONG_SECRET = "wrong secret"  # noqa: S105  # a reason
    NOT_YET_VALID = "the credential is not valid yet"
    CREDENTIAL_RETIRED = "the credential is retired"
    CREDENTIAL_EXPIRED = "the credential has expired"
    CREDENTIAL_UNOPENED = "the credential was not used in time"
    CREDENTIAL_REVOKED = "the credential is revoked"
    CLIENT_SUSPENDED = "the client is suspended"
    CLIENT_REVOKED = "the client is revoked"
    PARTNER_NOT_ACTIVE = "the partner is not active"
    ADDRESS_NOT_ALLOWED = "the address is not allowed"
    # How the request was made.
    PARAMETERS_IN_URL = "parameters in the URL"
    SECRET_IN_URL = "a secret in the URL"  # noqa: S105  # a reason
    WRONG_METHOD = "wrong HTTP method"
    JSON_BODY = "a JSON body instead of a form"
    MULTIPART_BODY = "a multipart body instead of a form"
    NOT_A_FORM = "the body is not declared as a form"
    MALFORMED_FORM = "the form is malformed"
    # What it asked for.
    GRANT_TYPE_MISSING = "grant_type is missing"
    GRANT_TYPE_UNSUPPORTED = "the grant type is not served"
    SCOPE_MALFORMED = "the scope is malformed"
    NO_DEFAULT_SCOPE = "no scope asked, and no default"
    SCOPE_NOT_GRANTED = "a scope is not granted"
    RESOURCE_MALFORMED = "the resource is no URL that can be one"
    RESOURCE_NOT_GRANTED = "the resource is not granted"
    DETAILS_REFUSED = "the authorization details are not granted or malformed"
    TOKEN_OF_ANOTHER = "the token was issued to another client"  # noqa: S105  # a reason
    # Clients that register themselves.
    REGISTRATION_TOKEN_MISSING = "no token for a registration came"  # noqa: S105  # a reason
    REGISTRATION_TOKEN_UNKNOWN = "the token for a registration is none of ours"  # noqa: S105  # a reason
    REGISTRATION_TOKEN_EXPIRED = "the token for a registration has expired"  # noqa: S105  # a reason
    REGISTRATION_TOKEN_REPLAYED = "a registration token was used that its successor had replaced"  # noqa: S105
    REGISTRATION_OF_ANOTHER = "the registration token is another client's"
    REGISTRATION_ENDED = "the client's registration tokens are ended"
    REGISTRATION_WITHDRAWN = "the initial access token is withdrawn"
    REGISTRATION_USED_UP = "the initial access token is used up"
    REGISTRATION_WIDENED = "a registration asked for more than it may have"
    REGISTRATION_KEYS = "a registration token asked for other keys"
    METADATA_REFUSED = "the client metadata are malformed or cannot be taken"
    # How often.
    NETWORK_SLOWED = "too many failures of its network for a signature to be checked"
    QUOTA = "the client has had its tokens of this minute"
    OTHER = "refused"


PROVEN = frozenset(
    {
        Cause.NOT_YET_VALID,
        Cause.CREDENTIAL_RETIRED,
        Cause.CREDENTIAL_EXPIRED,
        Cause.CREDENTIAL_UNOPENED,
        Cause.CREDENTIAL_REVOKED,
        Cause.CLIENT_SUSPENDED,
        Cause.CLIENT_REVOKED,
        Cause.PARTNER_NOT_ACTIVE,
        Cause.ADDRESS_NOT_ALLOWED,
        Cause.NO_DEFAULT_SCOPE,
        Cause.SCOPE_NOT_GRANTED,
        Cause.RESOURCE_NOT_GRANTED,
        Cause.TOKEN_OF_ANOTHER,
        Cause.QUOTA,
        Cause.ASSERTION_USED,
        Cause.PROOF_MISSING,
        Cause.PROOF_USED,
        Cause.REGISTRATION_TOKEN_REPLAYED,
        Cause.REGISTRATION_ENDED,
        Cause.REGISTRATION_WIDENED,
        Cause.REGISTRATION_KEYS,
        Cause.CERTIFICATE_NEEDED,
    }
)
"""Only whoever has a secret of the client, good or past, can cause these."""

"""The table of what each cause of a refusal means: what happened, and what to do next. How it is said: words.py.

`{client}` stands for the client's id. All texts may be read by the client's people: nothing here tells of others.
"""

from dataclasses import dataclass

from keyfob.server.refusals.causes import Cause

_FORM = "send application/x-www-form-urlencoded, grant_type=client_credentials in the body (RFC 6749 section 4.4.2)"
_BASIC = "send Authorization: Basic and the base64 of CLIENT_ID:CLIENT_SECRET (RFC 6749 section 2.3.1)"
_ROTATE = "make a new credential: keyfob-server client rotate {client}"
_RECEIVE = "use the newest credential: keyfob receive the message that the operator sent last"
_SHOW = "compare with: keyfob-server client show {client}"
_ASK_NEW = "ask the operator for a new credential"


@dataclass(frozen=True, slots=True)
class Words:
    happened: str
    operator: str
    client: str


PHRASES = {
    Cause.NO_CREDENTIALS: Words(
        "No credentials arrived: neither an Authorization header nor a client_secret in the body. The client sent "
        "none, or a proxy, a redirect or a web server in between removed the header.",
        "let proxies in front of the issuer pass Authorization on, or have the client send its credentials in the body",
        f"{_BASIC}; follow no redirect, and ask whether a proxy of yours removes the header",
    ),
    Cause.TWO_HEADERS: Words(
        "Two Authorization headers came.", "look for a proxy that adds one of its own", "send the header once"
    ),
    Cause.TWO_METHODS: Words(
        "Credentials came in the Authorization header and in the body (RFC 6749 section 2.3 allows one way).",
        "tell the client to use one way",
        "leave client_secret out of the body, or leave the header out",
    ),
    Cause.IDS_DIFFER: Words(
        "The client_id in the body is not the one in the Authorization header.",
        "tell the client: two configurations are mixed",
        "leave client_id out of the body: two configurations are mixed",
    ),
    Cause.NOT_BASIC: Words(
        "The Authorization header is of another scheme than Basic (such as Bearer).",
        f"tell the client: {_BASIC}",
        _BASIC,
    ),
    Cause.NOT_BASE64: Words(
        "What follows Basic is no canonical base64: cut, wrapped, of the URL alphabet, or not encoded at all.",
        f"tell the client: {_BASIC}",
        f"{_BASIC}; the plain base64 alphabet, with padding, in one line",
    ),
    Cause.NO_COLON: Words(
        "The Basic credentials hold no colon: an id or a secret alone.", f"tell the client: {_BASIC}", _BASIC
    ),
    Cause.BADLY_ENCODED: Words(
        "The Basic credentials hold a broken percent-escape, or are no UTF-8.", f"tell the client: {_BASIC}", _BASIC
    ),
    Cause.ENCODED_TWICE: Words(
        "The credentials are percent-encoded twice: decoded once more, they would have the form of ours.",
        "tell the client: its library encodes them already",
        "give the id and the secret to your library as they are: it encodes them itself",
    ),
    Cause.SWAPPED: Words(
        "A client secret came as client_id: it counts as exposed, since ids are logged.",
        "find out whose it is (partner), and make a new credential for that client",
        "swap the two fields, and ask the operator for a new credential: that secret may have been logged",
    ),
    Cause.NEVER_ISSUED: Words(
        "The client_id or the secret has a form that was never issued here: empty, too long, or with other characters.",
        "compare the client_id with: keyfob-server client list",
        "copy the id and the secret anew; look for spaces, quotes and line ends around them",
    ),
    Cause.ASSERTION_REFUSED: Words(
        "A client assertion came and was not accepted.",
        "see whether the client may use one: keyfob-server client show CLIENT_ID",
        "use the method that the operator registered; check the assertion's aud, exp and your clock",
    ),
    Cause.NETWORK_SLOWED: Words(
        "So much of that network had failed that a signature, which costs more than a secret, was not checked.",
        "find out who fails there: keyfob-server audit tail",
        "wait as long as Retry-After says, and find out what else fails at your address",
    ),
    Cause.PROOF_MISSING: Words(
        "The client gets only tokens that are bound to a key, and its request held no proof of one (RFC 9449).",
        "tell the client to use DPoP",
        "send a DPoP header: a proof by your key for POST and the token endpoint",
    ),
    Cause.PROOF_REFUSED: Words(
        "The DPoP proof does not hold: of another request, another time, or not signed by the key in it.",
        "compare the client's clock and the URL that it uses with the token endpoint",
        "sign htm POST, htu the token endpoint as the metadata say it, iat now, and a jti of its own",
    ),
    Cause.PROOF_USED: Words(
        "The DPoP proof had been used before: its jti is the same. It got no second token.",
        "ask the partner whether one program sends twice; if not, somebody has read a request on its way",
        "sign a new proof, with a jti of its own, for each request",
    ),
    Cause.PROOF_NONCE: Words(
        "The DPoP proof named a nonce that is none of ours, or an old one; a fresh one was sent with the refusal.",
        "nothing: the client's library tries again by itself",
        "try again with the nonce of the answer's DPoP-Nonce header",
    ),
    Cause.ASSERTION_USED: Words(
        "The client assertion had been used before: its jti is the same. It got no second token.",
        "ask the partner whether one program sends twice; if not, somebody has read an assertion on its way",
        "sign a new assertion, with a jti of its own, for each request",
    ),
    Cause.NO_OPERATOR: Words(
        "The admin API was asked without a token of an operator who may do this now.",
        "look who asks from there; what an operator may do, and whether it is active: keyfob-server operator list",
        "the admin API is for the operator's own people",
    ),
    Cause.CERTIFICATE_HEADER: Words(
        "The proxy in front of this server sent a Client-Cert header that is none (RFC 9440), or two of them.",
        "have the proxy take out what clients send in Client-Cert and Client-Cert-Chain, and write its own",
        "do not send Client-Cert yourself: it is the proxy's to write",
    ),
    Cause.CERTIFICATE_MALFORMED: Words(
        "The certificate that the client presented cannot be read, or is too large.",
        "look at it: openssl x509 -in FILE -noout -text",
        "look at it: openssl x509 -in FILE -noout -text",
    ),
    Cause.CERTIFICATE_NOT_YET_VALID: Words(
        "The certificate that the client presented is not valid yet.",
        "wait, or check this server's clock",
        "wait, or check the clock of whoever issued it",
    ),
    Cause.CERTIFICATE_EXPIRED: Words(
        "The certificate that the client presented has expired.",
        "tell the partner; a new self-signed one is registered with: keyfob-server client keys {client} --jwks FILE",
        "get a new certificate; a self-signed one goes to the operator to be registered",
    ),
    Cause.CERTIFICATE_PURPOSE: Words(
        "The certificate is not for TLS clients: its extended key usage names others, or its key usage no signatures.",
        "tell the partner: extendedKeyUsage clientAuth, keyUsage digitalSignature",
        "get one with extendedKeyUsage clientAuth and keyUsage digitalSignature",
    ),
    Cause.CERTIFICATE_UNTRUSTED: Words(
        "No authority in tls.client_ca issued the certificate that the client presented.",
        "is it self-signed, of another authority, or did its intermediate certificates not come?",
        "present a certificate of the authority that the operator knows, with its intermediate certificates",
    ),
    Cause.CERTIFICATE_OF_ANOTHER: Words(
        "The certificate is good, but it does not name what is registered for this client.",
        "compare: openssl x509 -in FILE -noout -subject -nameopt RFC2253 -ext subjectAltName. " + _SHOW,
        "use this client's own certificate, or tell the operator the name in yours",
    ),
    Cause.CERTIFICATE_NOT_REGISTERED: Words(
        "The certificate is none of those that the client registered (x5c in its JWK set).",
        "a renewed one is registered with: keyfob-server client keys {client} --jwks FILE",
        "use the certificate that the operator has, or give the operator the new one",
    ),
    Cause.NOT_BY_CERTIFICATE: Words(
        "A certificate and a client_id came, and nothing else; this client authenticates in another way.",
        _SHOW,
        "send what the operator registered: your secret, or a client assertion",
    ),
    Cause.CERTIFICATE_NEEDED: Words(
        "The client's tokens are bound to a TLS certificate (RFC 8705), and its request came without one.",
        "tell the client to present its certificate; does a proxy in front of this server pass it on (RFC 9440)?",
        "present your certificate in the TLS handshake, with the token request too",
    ),
    Cause.UNKNOWN_RESOURCE: Words(
        "A resource signed who it is, but no resource of that URL is registered here.",
        "register it: keyfob-server resource add FILE",
        "ask the operator to register the resource",
    ),
    Cause.NOT_A_RESOURCE: Words(
        "The revocation feed was asked for with a client's credential; it is for resources, by their key.",
        "let the API use its own key (its init made one)",
        "use the API's own key",
    ),
    Cause.TOKEN_OF_ANOTHER: Words(
        "The client tried to revoke a token that was issued to another client.",
        "find out how the client came by it",
        "revoke tokens of your own only",
    ),
    Cause.UNKNOWN_CLIENT: Words(
        "No client with that client_id is registered at this issuer.",
        "compare with: keyfob-server client list (a test system and a live one have different ids)",
        "compare the client_id and the issuer with the sealed message",
    ),
    Cause.MALFORMED_SECRET: Words(
        "The client is known; the secret fails its own checksum: mistyped, cut, or not made here.",
        "have the client copy it anew, or make a new one: keyfob-server client rotate {client}",
        "copy the secret anew, whole and without spaces, quotes or line ends",
    ),
    Cause.WRONG_SECRET: Words(
        "The client is known and the secret well-formed, but it is none of this client's.",
        "perhaps it is another system's or another client's secret; if not, somebody guesses. " + _SHOW,
        "perhaps it is the secret of another system or another client of yours: " + _RECEIVE,
    ),
    Cause.NOT_YET_VALID: Words(
        "The secret is right, but its credential is not valid yet.", "wait, or check this server's clock", "wait"
    ),
    Cause.CREDENTIAL_RETIRED: Words(
        "The secret is right, but old: a newer credential has replaced it and the overlap is over.",
        "some instance of the client still has the old secret; to help it: " + _ROTATE,
        _RECEIVE + "; look for an instance that was not updated",
    ),
    Cause.CREDENTIAL_EXPIRED: Words("The secret is right, but its credential has expired.", _ROTATE, _ASK_NEW),
    Cause.CREDENTIAL_UNOPENED: Words(
        "The secret is right, but it was not used within 14 days after it was sealed, and has expired.",
        _ROTATE,
        _ASK_NEW,
    ),
    Cause.CREDENTIAL_REVOKED: Words(
        "The secret is right, but its credential was revoked. If nobody of the client did this, it is in wrong hands.",
        "find out who holds it (the address is above); for the client itself: " + _ROTATE,
        "stop using it, and find out which of your systems still does; " + _RECEIVE,
    ),
    Cause.CLIENT_SUSPENDED: Words(
        "The secret is right, but the client is suspended.",
        "let it go on: keyfob-server client resume {client}",
        "ask the operator why the client is suspended",
    ),
    Cause.CLIENT_REVOKED: Words(
        "The secret is right, but the client was revoked, for ever.",
        "find out who still uses it (the address is above); a client that is wanted again is created anew",
        "ask the operator for a new client",
    ),
    Cause.PARTNER_NOT_ACTIVE: Words(
        "The secret is right, but the partner is not active.",
        "see: keyfob-server partner list; if it is suspended, let it go on: keyfob-server partner resume NAME",
        "ask the operator",
    ),
    Cause.ADDRESS_NOT_ALLOWED: Words(
        "The secret is right, but the request came from an address that is not on this client's list.",
        "if the address is the client's: keyfob-server client allow {client} --network CIDR; if not, rotate its secret",
        "call from the network that the operator knows, or tell the operator the new address; "
        "if you do not know the address, your secret is in wrong hands",
    ),
    Cause.PARAMETERS_IN_URL: Words(
        "Parameters came in the URL, where they are logged; none of a secret's name.",
        "tell the client: " + _FORM,
        _FORM,
    ),
    Cause.SECRET_IN_URL: Words(
        "A secret came in the URL: it counts as exposed, since URLs are logged on the way. If it worked, it has ended.",
        "see: keyfob-server client show, and whether a replacement was sealed; tell the client's people why",
        _ASK_NEW + ", and send secrets in the header or the body only",
    ),
    Cause.WRONG_METHOD: Words(
        "Another method than the allowed one was used.", "tell the client to use POST", "use POST"
    ),
    Cause.JSON_BODY: Words("The body is JSON, not a form.", "tell the client: " + _FORM, _FORM),
    Cause.MULTIPART_BODY: Words("The body is multipart, not a form.", "tell the client: " + _FORM, _FORM),
    Cause.NOT_A_FORM: Words(
        "The Content-Type is missing, or is not that of a form.", "tell the client: " + _FORM, _FORM
    ),
    Cause.MALFORMED_FORM: Words(
        "The form or a parameter in it is malformed.", "tell the client what is said above", _FORM
    ),
    Cause.GRANT_TYPE_MISSING: Words(
        "The form holds no grant_type: empty, or the body got lost on the way.", "tell the client: " + _FORM, _FORM
    ),
    Cause.GRANT_TYPE_UNSUPPORTED: Words(
        "Another grant type than client_credentials was asked for.", "tell the client: " + _FORM, _FORM
    ),
    Cause.SCOPE_MALFORMED: Words(
        "The scope is malformed.", "tell the client what is said above", "one space between scopes, nothing around them"
    ),
    Cause.NO_DEFAULT_SCOPE: Words(
        "The client named no scope, and it has no default.",
        "have the client name its scopes (a client with --default-scope need not)",
        "name the scopes that the call needs",
    ),
    Cause.SCOPE_NOT_GRANTED: Words(
        "The client asked for a scope that it was not granted at this resource.",
        "if it is to have it, create a client with that scope; else tell the client what it has",
        "ask for what is granted, or ask the operator for more",
    ),
    Cause.RESOURCE_MALFORMED: Words(
        "The resource is no absolute https URL without query and fragment (RFC 8707 section 2).",
        "tell the client what is said above",
        "use the resource of the sealed message, as it is written there",
    ),
    Cause.RESOURCE_NOT_GRANTED: Words(
        "The client asked for a resource that it was not granted, or that nobody registered.",
        "if it is to reach it, create a client with that --resource; " + _SHOW,
        "use a resource of the sealed message, to the letter",
    ),
    Cause.DETAILS_REFUSED: Words(
        "The authorization details are malformed, or more than what was granted.",
        _SHOW,
        "ask for less, or for none: then the token carries all that is granted",
    ),
    Cause.REGISTRATION_TOKEN_MISSING: Words(
        "No bearer token arrived. A client is registered with an initial access token, and looked after with its own.",
        "let proxies in front of the issuer pass Authorization on; for a new client: keyfob-server registration allow",
        "send Authorization: Bearer and the token",
    ),
    Cause.REGISTRATION_TOKEN_UNKNOWN: Words(
        "The bearer token is none of this server's: mistyped, cut, of another kind, or so old that it is forgotten.",
        "compare with: keyfob-server registration list",
        "copy the token anew, whole; an initial access token is for new clients only, and a client's own for it alone",
    ),
    Cause.REGISTRATION_TOKEN_EXPIRED: Words(
        "The token is right, but it has expired.",
        "keyfob-server registration allow (a new client) or registration renew CLIENT_ID (one that is there)",
        "ask the operator for a new one",
    ),
    Cause.REGISTRATION_TOKEN_REPLAYED: Words(
        "A registration token was used whose successor was in use already: two hold what belongs to one. None of the "
        "client's registration tokens is good any more; the client itself, with its keys, goes on.",
        "ask the partner whether two programs look after it; if not, look at: keyfob-server client show {client}. "
        "Then: keyfob-server registration renew {client}",
        "keep the newest token, in one place; ask the operator for a new one",
    ),
    Cause.REGISTRATION_OF_ANOTHER: Words(
        "A registration token came to the URL of another client, or of one that is not there.",
        "ask the partner whether it mixed up two clients",
        "use the token at the registration_client_uri that came with it",
    ),
    Cause.REGISTRATION_ENDED: Words(
        "The registration token is of a client that was revoked, or whose tokens were ended after a misuse.",
        "see: keyfob-server client show {client}; if it is to go on: keyfob-server registration renew {client}",
        "ask the operator",
    ),
    Cause.REGISTRATION_WITHDRAWN: Words(
        "The initial access token is right, but it was withdrawn.",
        "find out who holds it (the address is above)",
        "ask the operator for a new one",
    ),
    Cause.REGISTRATION_USED_UP: Words(
        "The initial access token is right, but it was used as often as it may be.",
        "see who registered: keyfob-server audit tail, client list; if it was not the partner, revoke that client",
        "if you did not register with it, tell the operator at once; else ask for a new one",
    ),
    Cause.REGISTRATION_WIDENED: Words(
        "A registration asked for more than was allowed, or than the client has.",
        "if it is to have more, allow it anew: keyfob-server registration allow",
        "ask for what was allowed, or for nothing: then you get all of it",
    ),
    Cause.REGISTRATION_KEYS: Words(
        "A registration token was used to change the client's keys or its method: a token alone cannot.",
        "if the partner confirms it over another channel: keyfob-server client keys {client} --jwks FILE",
        "ask the operator to change them; behind a jwks_uri you change them yourself",
    ),
    Cause.METADATA_REFUSED: Words(
        "The client metadata are malformed, exclude each other, or cannot be taken.",
        "tell the client what is said above",
        "see RFC 7591 section 2, and what is said above",
    ),
    Cause.QUOTA: Words(
        "The client has had its tokens of this minute.",
        "does it fetch a token for every call? The limit is limits.tokens_per_client_per_minute",
        "keep a token until it expires: expires_in says when",
    ),
    Cause.OTHER: Words("The request was refused.", "the public text says why", "the public text says why"),
}

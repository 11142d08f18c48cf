"""What the listed standards say of parts that Keyfob does not have, so that a reader sees that none was forgotten.

`SECTIONS` names, for each listed standard, every section in which a MUST or SHOULD stands: each is tagged in code,
cited by a test, or explained here.
"""

TITLES = {
    6749: "the OAuth 2.0 framework",
    6750: "bearer tokens",
    7009: "token revocation",
    7515: "JSON Web Signature",
    7516: "JSON Web Encryption",
    7517: "JSON Web Key",
    7518: "JSON Web Algorithms",
    7519: "JSON Web Token",
    7523: "JWT client authentication",
    7591: "dynamic client registration",
    7592: "management of dynamic client registration",
    7638: "JWK thumbprints",
    7662: "token introspection",
    8037: "Edwards curves in JOSE",
    8414: "authorization server metadata",
    8707: "resource indicators",
    8725: "best current practice for JWT",
    9068: "JWT access tokens",
    9110: "HTTP semantics",
    9112: "HTTP/1.1",
    9396: "rich authorization requests",
    9700: "best current practice for OAuth security",
    9728: "protected resource metadata",
}

SECTIONS: dict[int, str] = {
    6749: "2.3 2.3.1 2.3.2 3.2 3.2.1 3.3 4.4 4.4.2 4.4.3 5.1 5.2 7.1 B",
    6750: "2 2.1 2.2 2.3 3 3.1 5.2 5.3",
    7009: "2 2.1 2.2 2.2.1 2.3 5",
    7515: "2 3 4 4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 4.1.6 4.1.7 4.1.8 4.1.9 4.1.10 4.1.11 4.2 4.3 5.1 5.2"
    " 5.3 6 7.1 7.2 8 10.1 10.12",
    7516: "4 5.2 7.2",
    7517: "4 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 5 5.1 7 9.2",
    7518: "3.1 3.2 3.3 3.4 3.5 3.6 4 5 6.2.1 6.2.2 6.3.1 6.3.2 6.4",
    7519: "2 4 4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 4.1.6 4.1.7 4.2 4.3 5.1 5.2 5.3 6 7.1 7.2 7.3 8 11.1",
    7638: "3 3.2 3.3 3.5 7",
    7662: "2 2.1 2.2 2.3 3 4 5",
    8037: "2 3.1 3.2 5",
    8414: "2 2.1 3 3.1 3.2 3.3 4 6.1 6.2",
    8707: "2 2.1 2.2 3",
    8725: "3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12",
    9068: "2.1 2.2 2.2.1 2.2.2 2.2.3 2.2.3.1 3 4 5 6",
    9110: "5.3 6.6.1 8.6 9.1 9.3.2 10.1.1 10.2.3 11.1 13.1.2 15.4.5 15.5.2 15.5.6",
    9112: "2.2 3 3.2 5.1 5.2 6.1 6.3 7.1 9.3 9.6",
    9396: "2 2.2 3 4 5 6 6.1 7 7.1 8 9.1 9.2 10 11 12 13",
    9700: "2.1 2.2 2.2.1 2.2.2 2.3 2.4 2.5 2.6 4.1 4.2 4.3.1 4.3.2 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11"
    " 4.12 4.13 4.14 4.15 4.16 4.17",
    9728: "2 2.1 2.2 3 3.1 3.2 3.3 4 5 5.1 5.2 6 7.1 7.2 7.3 7.4 7.7",
}

_NO_AUTHORIZATION_ENDPOINT = "there is no authorization endpoint: no person logs in"
_NO_ENCRYPTION = "no JWT is encrypted: tokens travel over TLS to who may read them"
_NO_X509_IN_JOSE = "no certificate or URL inside a token or key is believed; at most it names a registered key"

NOT_APPLICABLE: dict[int, dict[str, str]] = {
    6749: {
        "§3.1, §4.1, §4.2": _NO_AUTHORIZATION_ENDPOINT,
        "§4.3": "the password grant is not served",
        "§4.5": "no extension grant is served",
        "§6, §10.4": "no refresh token is issued: the client asks again with its credential",
        "§10.12, §10.13": "cross-site request forgery and clickjacking need a browser",
    },
    6750: {
        "§2.2": "a token in a form body is not read; that method is optional",
        "§5.2": "encrypting token contents is for tokens that hold more than ours; cookies are never used",
    },
    7009: {
        "§2.2.1": "`unsupported_token_type` is for servers with kinds of tokens that cannot be revoked",
        "§2.3": "cross-origin use is optional; no browser holds these credentials",
        "§3, §2.1": "what concerns refresh tokens and the grants behind them",
    },
    7515: {
        "§3": "the JSON serialization has no use here",
        "§4.1.2": _NO_X509_IN_JOSE,
        "§4.1.5, §4.1.6, §4.1.7, §4.1.8": _NO_X509_IN_JOSE,
        "§4.1.10": "`cty` is for nested tokens",
        "§4.2, §4.3": "no header parameter of our own is made",
        "§7.2": "the JSON serialization has no use here",
        "§8": "no header parameter is fetched from",
        "§10.1": "entropy and key generation are the operating system's and the library's",
    },
    7516: {"§4, §5.2, §7.2": _NO_ENCRYPTION},
    7517: {
        "§4.6, §4.7, §4.8, §4.9": _NO_X509_IN_JOSE,
        "§7": "key sets are public and not encrypted",
    },
    7518: {
        "§3.2": "no HMAC: a public key could be taken for its secret",
        "§4, §5": _NO_ENCRYPTION,
        "§6.2.2, §6.3.2": "private keys are kept as PKCS#8 in envelopes, never as JWK",
        "§6.4": "symmetric keys are refused",
    },
    7519: {
        "§4.2, §4.3": "the private names of ours (`credential_id`) are for resources that Keyfob guards",
        "§5.2, §5.3": "no nested and no encrypted JWT",
        "§8": "HS256 and `none`, which every library must have, are what RFC 8725 and RFC 9068 tell this use to refuse",
        "§11.1": "who vouches for an issuer is configuration: RFC 9068 §4 and RFC 8414 §3.3",
    },
    7638: {
        "§3.5": "the thumbprint is SHA-256's",
        "§7": "symmetric keys, whose thumbprint would tell of them, have none",
    },
    7662: {
        "§3": "no new member is registered",
        "§5": "the answer holds no more than the token itself",
    },
    8037: {"§3.2": _NO_ENCRYPTION},
    8414: {"§2.1": "signed metadata are optional; TLS vouches for them"},
    8707: {
        "§2.1": _NO_AUTHORIZATION_ENDPOINT,
        "§2": "several resources in one request: one token is for one resource, and a repeated parameter is refused",
        "§3": "a token for several resources is never made",
    },
    8725: {"§3.6": "nothing is compressed, as nothing is encrypted"},
    9068: {
        "§2.2.1, §2.2.2, §2.2.3.1": "no person logs in: there is no authentication, identity or role to tell of",
        "§3": "a resource is not guessed from the scope: the client's default is registered",
        "§5": "no ID token is issued with which an access token could be confused",
    },
    9396: {
        "§2.2": "the common fields are optional; `cdms_study` has its own",
        "§3, §4": _NO_AUTHORIZATION_ENDPOINT,
        "§6.1": "without refresh tokens no later request narrows an earlier grant",
        "§7.1": "the details are not enriched, but written out",
        "§11": "the APIs' own design",
        "§12, §13": "details name studies and sites, and no person; they are signed, and travel over TLS",
    },
    9700: {
        "§2.1, §4.1, §4.2, §4.4, §4.5, §4.7, §4.8": _NO_AUTHORIZATION_ENDPOINT,
        "§2.2.2, §4.14": "no refresh token is issued",
        "§4.3.1": "no authorization code is made",
        "§4.6": "no token comes back through a browser",
        "§4.9": "what an API does with a token it was given is the API's; the guard never passes one on",
        "§4.11, §4.12": "no redirect is made",
        "§4.15": "no person is the subject of a token, with whom a client could be confused",
        "§4.16, §4.17": "no page is served that could be framed or posted to",
    },
    9728: {
        "§2.1": "human-readable members are optional",
        "§2.2": "signed metadata are optional; TLS vouches for them",
        "§3.3": "our client pins its resource when it receives the credential, and does not discover it",
        "§5, §5.2": "what a client does with the metadata's URL; ours needs none",
        "§7.7": "our client fetches no URL that a resource names",
    },
}

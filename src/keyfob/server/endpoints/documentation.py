"""`/documentation`: a page for a partner's developer who has only the issuer's URL (RFC 8414 §2)."""

from collections.abc import Awaitable, Callable

from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

MAX_AGE = 3600
_TEXT = """\
Access tokens for APIs, by the OAuth 2.0 client credentials grant (RFC 6749, section 4.4).

1. Your organisation is registered by this server's operator, with your OpenPGP certificate.
2. Your credentials come to you in one message, sealed to that certificate and signed by the operator:
       keyfob receive FILE.asc
   or read it with gpg --decrypt: client_id and client_secret are inside. Keep the secret encrypted.
3. Ask for a token, only over HTTPS and only by POST, with the scopes that the call at hand needs:
       POST {token_endpoint}
       Authorization: Basic (client_id and client_secret)
       Content-Type: application/x-www-form-urlencoded

       grant_type=client_credentials&scope=...
   A new secret in the old one's place, whenever you like:
       keyfob rotate
4. Send it in the Authorization header (Bearer), keep it in memory only, and ask for a new one when it expires.

You have found a secret of this server's (kfs_..., kfi_..., kfr_..., an access token)? Present it, and it ends at once;
its owner is told. To hold it is all it takes; the answer says nothing of what it was. Never put it into a URL:
       keyfob report-leak --issuer {issuer} FILE
   or   POST {issuer}/leaks
       Content-Type: application/json

       {{"secret": "...", "url": "where you found it"}}

What this server supports: {issuer}/.well-known/oauth-authorization-server
A refusal holds an error_id: tell it to the operator, who can find out why.

APIs here:
{resources}
"""


def documentation(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        listed = "\n".join(
            f"  {resource.url}\n" + "".join(f"      {name}  {text}\n" for name, text in resource.scopes)
            for resource in state.resources()
        )
        text = _TEXT.format(
            issuer=state.settings.issuer, token_endpoint=state.settings.token_endpoint, resources=listed or "  none yet"
        )
        return serve_document(request, text.encode(), media_type="text/plain; charset=utf-8", max_age=MAX_AGE)

    return answer

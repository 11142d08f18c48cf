"""`httpx.Auth` for synchronous and asyncio clients. `httpx` itself is the caller's dependency."""

import httpx

from keyfob.partner.adapters.flow import AuthFlow


class KeyfobAuth(AuthFlow[httpx.Request, httpx.Response], httpx.Auth):
    """`httpx.Client(auth=KeyfobAuth(authorizer))`: a token of the least scope on each request to the one resource.

    >>> import httpx
    >>> from keyfob.partner import open_authorizer
    >>> from keyfob.partner.adapters.httpx import KeyfobAuth
    >>> with httpx.Client(auth=KeyfobAuth(open_authorizer())) as client:  # doctest: +SKIP
    ...     client.get("https://api.example/v1/studies").json()
    """

"""`httpx2.Auth` for synchronous and asyncio clients. `httpx2` itself is the caller's dependency."""

import httpx2

from keyfob.partner.adapters.flow import AuthFlow


class KeyfobAuth(AuthFlow[httpx2.Request, httpx2.Response], httpx2.Auth):
    """`httpx2.Client(auth=KeyfobAuth(authorizer))`: a token of the least scope on each request to the one resource.

    >>> import httpx2
    >>> from keyfob.partner import open_authorizer
    >>> from keyfob.partner.adapters.httpx2 import KeyfobAuth
    >>> with httpx2.Client(auth=KeyfobAuth(open_authorizer())) as client:  # doctest: +SKIP
    ...     client.get("https://api.example/v1/studies").json()
    """

"""A leaked secret presented to its issuer, which withdraws it. Sans-IO but for `report`; needs no vault and no account.

The issuer says in its metadata where. The answer is the same whatever is presented, so nothing here can tell whether a
secret was one.
"""

import json
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from keyfob import client_secret
from keyfob.oauth import server_metadata
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.oauth.wire import Response, values
from keyfob.partner import safe_url
from keyfob.partner.errors import Unreachable
from keyfob.partner.steps import Request, Transport
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

AT_ONCE = 50
_MAX_ALONE = 4096
_OURS = re.compile(client_secret.PATTERN)


def secrets_in(text: str) -> tuple[Secret, ...]:
    """Every secret of Keyfob's form in `text`, each once; where there is none, `text` itself: a token, a key, a link.

    Raises Misuse when there is nothing to present.
    """
    found = tuple(map(Secret, dict.fromkeys(_OURS.findall(text))))
    if found:
        return found
    alone = text.strip()
    if not 0 < len(alone) <= _MAX_ALONE:
        raise Misuse(
            "nothing-to-report",
            "there is no secret of Keyfob's form in it, and it is no single secret either",
            hint="give the secret itself, by a file or standard input",
        )
    return (Secret(alone),)


def report(issuer: str, found: Sequence[Secret], *, where: str | None, transport: Transport) -> str:
    """Present all of `found`; the endpoint that took them. Raises UnsafeCall, Unreachable or Problem."""
    endpoint = read_endpoint(transport.send(ask_endpoint(issuer)), issuer=issuer)
    for request in write_requests(endpoint, found, where=where):
        read_response(transport.send(request))
    return endpoint


def ask_endpoint(issuer: str) -> Request:
    """RFC 8414 §3: where the issuer describes itself. Raises UnsafeCall."""
    return Request("GET", server_metadata.well_known(safe_url.check(issuer)), (("accept", "application/json"),))


def read_endpoint(response: Response, *, issuer: str) -> str:
    """Where leaks are reported. Raises Unreachable; also when it is elsewhere, where no secret of the issuer goes."""
    hint = "is the issuer's URL right, and does it run Keyfob?"
    if response.status != 200:
        raise Unreachable("no-metadata", f"{issuer} does not describe itself (HTTP {response.status})", hint=hint)
    try:
        endpoint = server_metadata.read(response.body, issuer=issuer).keyfob_leaks_endpoint
    except MalformedMetadata as malformed:
        raise Unreachable("bad-metadata", f"{issuer} cannot be understood: {malformed}", hint=hint) from malformed
    if not endpoint or urlsplit(endpoint)[:2] != urlsplit(issuer)[:2]:
        raise Unreachable("no-leaks-endpoint", f"{issuer} names no place for leaks", hint="tell its operator")
    return endpoint


def write_requests(endpoint: str, found: Sequence[Secret], *, where: str | None) -> Iterator[Request]:
    """In parcels of AT_ONCE. `where`: the URL of the place where they lay."""
    place = {} if where is None else {"url": where}
    for first in range(0, len(found), AT_ONCE):
        document = [{"secret": one.reveal(), **place} for one in found[first : first + AT_ONCE]]
        body = Secret(json.dumps(document))
        yield Request("POST", endpoint, (("content-type", "application/json"),), body=body)


def read_response(response: Response) -> None:
    """Raises Unreachable, or Problem when it is to be tried again."""
    if response.status == 429:
        wait = b"".join(values(response.headers, b"retry-after")[:1]).decode("latin-1")
        raise Problem(
            "too-many-misses",
            "too much of what was presented from this network ended nothing; what works was withdrawn all the same",
            hint=f"if there is more to present, go on in {wait if wait.isdigit() else 'some'} s",
        )
    if response.status != 202:
        raise Unreachable(
            "not-taken", f"the issuer did not take the report (HTTP {response.status})", hint="try again, or tell it"
        )

"""One issuer whose tokens are taken, and what the guard knows of it: its keys, what it withdrew, who is told of use."""

import functools
import ssl
from dataclasses import dataclass

from keyfob.ambient import Clock, Entropy
from keyfob.guard.issuer import KEYS, Issuer, Withdrawn, feed_ages
from keyfob.guard.usage import Usage
from keyfob.jose.keys import KeySet, SigningKey
from keyfob.refreshing import Refreshing


@dataclass(frozen=True, slots=True)
class Trusted:
    """`withdrawn` None: a token lives until it expires; `usage` None: nobody is told of use."""

    issuer: str
    keys: Refreshing[KeySet]
    withdrawn: Refreshing[Withdrawn] | None = None
    usage: Usage | None = None


def trust(
    url: str,
    *,
    audience: str,
    context: ssl.SSLContext,
    resource_key: SigningKey | None,
    max_feed_age: int,
    report_usage: bool,
    clock: Clock,
    entropy: Entropy,
) -> Trusted:
    """The issuer at `url`, asked over verified HTTPS when the first token comes."""
    source = Issuer(url, context, clock=clock, entropy=entropy)
    keys = Refreshing(source.keys, KEYS, what=f"keys of {url}", clock=clock)
    if resource_key is None:
        return Trusted(url, keys)
    fetch = functools.partial(source.withdrawn, resource=audience, key=resource_key)
    withdrawn = Refreshing(fetch, feed_ages(max_feed_age), what=f"revocation feed of {url}", clock=clock)
    tell = functools.partial(source.tell, resource=audience, key=resource_key)
    usage = Usage(tell, clock=clock, entropy=entropy) if report_usage else None
    return Trusted(url, keys, withdrawn, usage)

"""Whether a secret's first use came from where it was to be expected. It grants and ends nothing.

A client with networks of its own is admitted from nowhere else, so that nothing is left to ask. Of another, the first
use is compared with the address from which its message was acknowledged, else with that from which it was fetched: one
IPv4 /24, or one IPv6 /48, is the same place. Where neither is known (a file that was sent by mail), nothing is said.
"""

from keyfob.server import networks
from keyfob.server.storage.records import Client, Credential

COMPARED = "compared by IPv4 /24 and IPv6 /48"


def find_doubt(client: Client, credential: Credential) -> str | None:
    """Why its first use is not as expected, for the operator; None when it is, or there is nothing to compare."""
    used = credential.first_used_from
    if used is None or client.networks:
        return None
    if credential.acknowledged_from is not None:
        how, expected = "acknowledged", credential.acknowledged_from
    elif credential.delivered_from is not None:
        how, expected = "fetched", credential.delivered_from
    else:
        return None
    if networks.place_of(used) == networks.place_of(expected):
        return None
    return f"first used from {used}, but its message was {how} from {expected} ({COMPARED})"

"""What every example needs to know, from its environment."""

import os

from keyfob.guard import FileReplays, Guard

ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]
METADATA = AUDIENCE + "/.well-known/oauth-protected-resource"


def make_guard() -> Guard:
    return Guard.discover(
        ISSUER,
        audience=AUDIENCE,
        ca_file=os.environ["CA_FILE"],
        resource_key=os.environ["RESOURCE_KEY"],
        replays=FileReplays(os.environ["REPLAYS"]),
        dpop_nonce=True,
    )

"""What a program is given: its settings in the environment, its one secret as a line on stdin, never in argv."""

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version

ISSUER = os.environ["ISSUER"]
TOKEN_ENDPOINT = ISSUER + "/oauth2/token"
CLIENT_ID = os.environ.get("CLIENT_ID", "")
METHOD = os.environ.get("METHOD", "basic")
SCOPE = os.environ.get("SCOPE") or None
RESOURCE = os.environ.get("RESOURCE") or None
ALGORITHM = os.environ.get("ALGORITHM", "")
PROFILE = os.environ.get("PROFILE", "")
BOUND = bool(os.environ.get("BOUND"))
CALL = os.environ.get("CALL", "")
CERTIFICATE = (os.environ.get("CERTIFICATE", ""), os.environ.get("PRIVATE_KEY", ""))
"""The files of a client's certificate and of its key."""


def secret() -> str:
    return sys.stdin.readline().strip()


def say(package: str, answer: Mapping[str, object]) -> None:
    """One JSON document: the token as the library gives it, or the OAuth error code that it told."""
    json.dump({"version": version(package), "answer": dict(answer)}, sys.stdout)

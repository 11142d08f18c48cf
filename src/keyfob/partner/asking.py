"""A wish that the partner signs with its OpenPGP certificate: other keys for a client, or that none come."""

import json
from pathlib import Path

from keyfob import change_request
from keyfob.change_request import ChangeRequest
from keyfob.oauth import strict_json
from keyfob.partner import safe_url
from keyfob.partner.acknowledging import Signer
from keyfob.partner.steps import Request, Transport
from keyfob.problem import Misuse, Problem

_MAX_SHOWN = 300


class NotTaken(Problem):
    """The issuer refused what it was asked; `why` is its word for it, as docs/reference/partner-api.md lists them."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__("not-taken", message, hint="nothing was changed")
        self.why = why


def read_jwks(path: Path) -> str:
    """The JSON in the file. Raises Misuse for a private key, and for what is no JSON object."""
    try:
        found = strict_json.parse(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Misuse("bad-jwks", f"{path} is no JSON object", hint='a JWK set is {"keys": [{"kty": "EC", ...}]}')
    keys = found.get("keys")
    if isinstance(keys, list) and any(isinstance(one, dict) and {"d", "k"} & set(one) for one in keys):
        raise Misuse(
            "private-key", f"{path} holds a private key", hint="it stays where it was made; give the public one"
        )
    return json.dumps(found)


def ask(request: ChangeRequest, *, signer: Signer, fingerprint: str, transport: Transport) -> dict[str, object]:
    """What the issuer says came of it. Raises Problem."""
    signed = signer.clearsign(change_request.write(request), fingerprint=fingerprint)
    url = safe_url.check(request.issuer) + change_request.PATH
    response = transport.send(Request("POST", url, (("content-type", "text/plain"),), signed))
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        found = None
    if response.status in (200, 202) and isinstance(found, dict):
        return found
    said = found.get("error_description") if isinstance(found, dict) else None
    text = "".join(one if one.isprintable() else " " for one in str(said or f"HTTP {response.status}")[:_MAX_SHOWN])
    code = found.get("error") if isinstance(found, dict) else None
    raise NotTaken(str(code), f"the issuer did not take it: {text}")

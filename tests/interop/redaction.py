"""A recorded request as a page may show it: every byte but the credentials, whose spelling is kept and value is not."""

import base64
import json
import re
from collections.abc import Mapping

_BASIC = re.compile(r"^(authorization: *basic +)([A-Za-z0-9+/=]+)", re.IGNORECASE | re.MULTILINE)
_JWT = re.compile(r"(eyJ[\w-]+)\.(eyJ[\w-]+)\.[\w-]+")
# What a server looks at and what is the same each time; of the other members the names are enough.
_SHOWN = ("alg", "aud", "htm", "htu", "typ")


def redact(request: bytes, credentials: Mapping[str, str], *, port: int, usual_port: int = 8443) -> str:
    """`request` with `{name}` for each value of `credentials`, and `usual_port` for the `port` of this run.

    What the client encoded stays visible: `{client_id: _ as %5F}`; Basic is shown decoded, in `base64(...)`, and so is
    what was signed, in `jwt(...)`.
    """
    text = request.decode("latin-1").replace("\r\n", "\n")
    text = _BASIC.sub(lambda found: f"{found[1]}base64({base64.b64decode(found[2]).decode('latin-1')})", text)
    for name, value in credentials.items():
        text = re.sub(_any_spelling(value), lambda found, name=name: _named(name, found[0]), text)
    assert not any(value in text for value in credentials.values())
    text = _JWT.sub(lambda found: f"jwt({_members(found[1])}.{_members(found[2])})", text)
    return re.sub(rf"(localhost(?::|%3A)){port}\b", rf"\g<1>{usual_port}", text)


def _members(part: str) -> str:
    """`{alg: ES256, kid}` for one part of a JWT."""
    found = json.loads(base64.urlsafe_b64decode(part + "=="))
    return f"{{{', '.join(f'{name}: {found[name]}' if name in _SHOWN else name for name in sorted(found))}}}"


def _any_spelling(value: str) -> str:
    """A pattern of `value` with any of its characters percent-encoded."""
    return "".join(f"(?:{re.escape(c)}|%{ord(c):02X}|%{ord(c):02x})" for c in value)


def _named(name: str, spelled: str) -> str:
    encoded = sorted(set(re.findall(r"%[0-9A-Fa-f]{2}", spelled)))
    if not encoded:
        return f"{{{name}}}"
    return f"{{{name}: {', '.join(f'{chr(int(code[1:], 16))} as {code}' for code in encoded)}}}"

"""RFC 8259, read strictly: one meaning for every document. Duplicate names, NaN and Infinity, deep nesting, wrong
UTF-8, lone surrogates and text after the end are refused, since two readers could take them for two things
(RFC 8725 §3).
"""

import json
import math
import re

_MAX_DEPTH = 32
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")


class NotText(ValueError):
    """A name or text holds a lone surrogate (RFC 8259 §8.2): no character, and nothing that UTF-8 can carry."""


def parse(document: bytes | str) -> object:
    """The value of `document` (UTF-8, no byte order mark). Raises ValueError, which quotes nothing of it."""
    try:
        text = document if isinstance(document, str) else document.decode("utf-8")
        if _depth(text) > _MAX_DEPTH:
            raise ValueError("the JSON is nested too deeply")
        value: object = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise ValueError("the JSON is not UTF-8") from None
    except json.JSONDecodeError as broken:
        raise ValueError(f"not JSON: {broken.msg} at character {broken.pos}") from None
    if ("\\" in text or not text.isascii()) and _SURROGATE.search(text):
        _check_texts(value)
    return value


def _check_texts(value: object) -> None:
    """Pairs of surrogates are one character by now: what is left of them stands alone."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotText("a text holds a lone surrogate") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    # RFC 7515 §4, RFC 7517 §4, RFC 7519 §4: the names in an object are unique.
    if len(found) != len(pairs):
        raise ValueError("a name is repeated in a JSON object")
    return found


def _refuse(constant: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _depth(text: str) -> int:
    """How deep brackets nest, found without recursion, so that no document can exhaust the stack."""
    deepest = depth = 0
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


# Made once: to make one takes as long as to read a small document.
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)

"""RFC 9110 §12.5.1: which of the forms that a resource has is wanted, by the Accept header."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyfob.cdms.problems import ApiProblem

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_MAX_BYTES = 2048


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    parameters: Mapping[str, str]
    weight: float

    def fits(self, offer: "_Range") -> bool:
        main, _, sub = self.kind.partition("/")
        alike = self.kind in ("*/*", offer.kind) or (sub == "*" and main == offer.kind.partition("/")[0])
        return alike and all(offer.parameters.get(name) == value for name, value in self.parameters.items())

    @property
    def precision(self) -> tuple[int, int]:
        return 2 - self.kind.count("*"), len(self.parameters)


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """The media type, one of `offers`, that is wanted most; of equals the first. Raises ApiProblem (406) in words."""
    if accept is None or not accept.strip():
        return offers[0]
    ranges = _read(accept)
    best, best_weight = None, 0.0
    for offer in offers:
        fitting = [one for one in ranges if one.fits(_parse(offer))]
        # RFC 9110 §12.5.1: of the ranges that fit, the most precise one counts.
        weight = max(fitting, key=lambda one: one.precision).weight if fitting else 0.0
        if weight > best_weight:
            best, best_weight = offer, weight
    if best is None:
        raise ApiProblem(406, "not-acceptable", f"this can be had as {', or as '.join(offers)}")
    return best


def _read(accept: str) -> list[_Range]:
    if len(accept) > _MAX_BYTES:
        raise ApiProblem(400, "bad-header", "the header accept is too long")
    return [_parse(one) for one in accept.split(",") if one.strip()]


def _parse(text: str) -> _Range:
    kind, *rest = (part.strip() for part in text.split(";"))
    parameters: dict[str, str] = {}
    for part in rest:
        name, _, value = part.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    weight = parameters.pop("q", "1")
    if not _WEIGHT.fullmatch(weight):
        raise ApiProblem(400, "bad-header", "a weight in the header accept is no number from 0 to 1")
    # RFC 2046 §4.1.2: of what characters a text is made; ours are all UTF-8.
    parameters.pop("charset", None)
    return _Range(kind.lower(), parameters, float(weight))

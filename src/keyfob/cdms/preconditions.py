"""RFC 9110 §8.8, §13: entity tags, and the conditions on them that come with reads and writes."""

import re

from keyfob.cdms.problems import ApiProblem
from keyfob.oauth.wire import Headers, Response, values

_TAG = re.compile(r'\s*(?P<weak>W/)?(?P<tag>"[\x21\x23-\x7e]*")\s*(?:,|$)')
_CODED, _PART = '.gzip"', '.part"'
"""How the tag of a compressed form ends (RFC 9110 §8.8.3.3), and of what is not shown whole: each has its own."""


def coded(tag: bytes) -> bytes:
    """The tag of the compressed form."""
    return tag[:-1] + _CODED.encode()


def in_part(tag: str) -> str:
    """The tag for a reader from whom some of it is withheld: as good as the whole one's to change it."""
    return tag[:-1] + _PART


def check_change(headers: Headers, tag: str | None, *, what: str, creates: bool = True) -> None:
    """Whether what now has `tag` (None: what is not there) may be written: nobody writes over what he has not seen.

    `creates`: what is not there can be made. Raises ApiProblem: 412, or 428 when a condition is missing (RFC 6585 §3).
    """
    wanted, unwanted = _field(headers, b"if-match"), _field(headers, b"if-none-match")
    told = {} if tag is None else {"etag": tag}
    if unwanted is not None and _names(unwanted, tag, weakly=True):
        raise ApiProblem(412, "precondition-failed", f"{what} is there already", headers=told)
    # RFC 9110 §13.1.1: what is not there matches no tag, and not `*` either.
    if wanted is not None and not _names(wanted, tag, weakly=False, in_part=True):
        raise ApiProblem(412, "precondition-failed", f"{what} was changed meanwhile, or is not there", headers=told)
    if wanted is not None or (unwanted is not None and tag is None):
        return
    if tag is not None:
        raise ApiProblem(428, "precondition-required", "send If-Match with its ETag, to change it", headers=told)
    if creates:
        raise ApiProblem(428, "precondition-required", "send If-None-Match: *, to create it")


def has_any(headers: Headers) -> bool:
    return any(name in (b"if-match", b"if-none-match") for name, _ in headers)


def is_known(headers: Headers, tag: str) -> bool:
    """Whether a reader has what has `tag`: 304. Raises ApiProblem (412) when it wanted another (RFC 9110 §13.1.1)."""
    wanted, unwanted = _field(headers, b"if-match"), _field(headers, b"if-none-match")
    if wanted is not None and not _names(wanted, tag, weakly=False):
        raise ApiProblem(412, "precondition-failed", "it is another one now", headers={"etag": tag})
    return unwanted is not None and _names(unwanted, tag, weakly=True)


def not_modified(headers: tuple[tuple[bytes, bytes], ...]) -> Response:
    """RFC 9110 §15.4.5."""
    kept = (b"etag", b"last-modified", b"vary", b"cache-control")
    return Response(304, tuple(one for one in headers if one[0] in kept), b"")


def _field(headers: Headers, name: bytes) -> str | None:
    found = values(headers, name)
    return b",".join(found).decode("latin-1").strip() if found else None


def _names(field: str, tag: str | None, *, weakly: bool, in_part: bool = False) -> bool:
    """`in_part`: whether the tag that a part of it has is its own, too."""
    if tag is None:
        return False
    if field == "*":
        return True
    place = 0
    while place < len(field):
        found = _TAG.match(field, place)
        if found is None:
            return False
        place = found.end()
        named = _plain(found["tag"])
        same = named == _plain(tag) or (in_part and named.removesuffix(_PART[:-1]) == _plain(tag))
        if same and (weakly or not (found["weak"] or tag.startswith("W/"))):
            return True
    return False


def _plain(tag: str) -> str:
    return tag.removeprefix("W/").removesuffix(_CODED).removesuffix('"')

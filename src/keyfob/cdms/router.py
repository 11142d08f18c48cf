"""Which route a request is for: decided once, on the path as it is on the wire, and never on another reading of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.routes import Route
from keyfob.cdms.segments import is_segment


@dataclass(frozen=True, slots=True)
class Match:
    """`params` are the path's, decoded."""

    route: Route
    params: Mapping[str, str]


class Router:
    """The routes that are served, and no others."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, dict[str, dict[str, Route]]] = {}
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        templates = self._by_length.setdefault(route.template.count("/"), {})
        methods = templates.setdefault(route.template, {})
        assert route.method not in methods, f"{route.method} {route.template} stands twice"
        methods[route.method] = route

    def walk(self) -> Iterator[Route]:
        for templates in self._by_length.values():
            for methods in templates.values():
                yield from methods.values()

    def match(self, method: str, raw_path: bytes) -> Match:
        """The route for a path as it is on the wire. Raises ApiProblem: 400, 404 or 405.

        The path is split first and decoded after, so that an encoded slash can never make a segment; one that holds a
        slash is refused, since two readers would read it as two things.
        """
        segments = [_decode(segment) for segment in raw_path.split(b"/")]
        found: tuple[Mapping[str, str], Mapping[str, Route]] | None = None
        for template, methods in self._by_length.get(len(segments) - 1, {}).items():
            params = _params(template, segments)
            # A literal segment goes before a parameter: `subjects/lookup` is no subject.
            if params is not None and (found is None or len(params) < len(found[0])):
                found = params, methods
        if found is None:
            raise not_found()
        values, offered = found
        # RFC 9110 §9.3.2: HEAD is GET without its content.
        route = offered.get("GET" if method == "HEAD" else method)
        if route is None:
            # RFC 9110 §15.5.6: who uses another method is told those that there are.
            allow = ", ".join([*sorted(offered), *(["HEAD"] if "GET" in offered else [])])
            raise ApiProblem(405, "method-not-allowed", f"use {allow}", headers={"allow": allow})
        return Match(route, values)


def _decode(segment: bytes) -> str:
    decoded = unquote_to_bytes(segment)
    if b"/" in decoded or b"\\" in decoded:
        raise ApiProblem(400, "encoded-slash", "a path segment must not hold a slash or backslash")
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise ApiProblem(400, "bad-path", "the path is not UTF-8") from None
    if text and not is_segment(text):
        raise ApiProblem(400, "bad-path", "the path has a segment that means something else elsewhere")
    return text


def _params(template: str, segments: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for name, segment in zip(template.split("/"), segments, strict=True):
        if name.startswith("{"):
            if not segment:
                return None
            params[name[1:-1]] = segment
        elif name != segment:
            return None
    return params

"""A whole HTTP request as a value, which is what every endpoint takes."""

from dataclasses import dataclass

from keyfob.oauth.wire import Headers, values


@dataclass(frozen=True, slots=True)
class Request:
    """`address` is the peer's, as text; `id` is the one that the answer carries as Keyfob-Request-Id."""

    method: str
    headers: Headers
    query_string: bytes
    body: bytes
    address: str
    id: str

    def header(self, name: bytes) -> str | None:
        """The value of a header that stands at most once, else None. Decoded as RFC 9110 §5.5's octets."""
        found = values(self.headers, name)
        return found[0].decode("latin-1") if len(found) == 1 else None

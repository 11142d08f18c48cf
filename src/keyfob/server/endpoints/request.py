"""A whole HTTP request as a value, which is what every endpoint takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keyfob.oauth import form
from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.wire import Headers, values


@dataclass(frozen=True, slots=True)
class Request:
    """`address` is the peer's, as text; `id` is the one that the answer carries as Keyfob-Request-Id.

    `names` are the parts of the path that the route leaves open; `name` is the last of them. `certificate` is the one
    whose key the client proved in its TLS handshake, here or at the trusted proxy.
    """

    method: str
    headers: Headers
    query_string: bytes
    body: bytes
    address: str
    id: str
    names: Mapping[str, str] = field(default_factory=dict)
    certificate: PresentedCertificate | None = None

    def with_body(self, body: bytes) -> "Request":
        return Request(
            self.method, self.headers, self.query_string, body, self.address, self.id, self.names, self.certificate
        )

    @property
    def name(self) -> str:
        return list(self.names.values())[-1] if self.names else ""

    def header(self, name: bytes) -> str | None:
        """The value of a header that stands at most once, else None. Decoded as RFC 9110 §5.5's octets."""
        found = values(self.headers, name)
        return found[0].decode("latin-1") if len(found) == 1 else None

    def form(self) -> dict[str, str]:
        """The parameters of the body. Raises InvalidRequest, also when there are parameters in the URL.

        RFC 6749 §2.3.1, §3.2: no parameter of ours is ever in the URI; URIs are logged.
        """
        # RFC 6749 §2.3.1, §3.2: parameters come in the body alone.
        if self.query_string:
            raise InvalidRequest("parameters belong in the body: what was in the URL counts as exposed")
        return form.parse(self.header(b"content-type"), self.body)

"""RFC 9110 §8.4: gzip, of what comes and of what goes.

Nothing that is compressed here holds a secret (RFC 9110 §17.6 is why that matters): tokens come in a header and leave
in none, and clinical values are the reader's own to see.
"""

import zlib
from collections.abc import Iterator

from keyfob.cdms import preconditions
from keyfob.cdms.problems import ApiProblem
from keyfob.oauth.wire import Headers, Response, values

_GZIP = 31
"""zlib's word for the gzip format, of its largest window."""
_LEVEL = 4
_WORTH = 1024
"""Bytes from which it is worth the work."""
_STEP = 256 * 1024
_FIELD = (b"content-encoding", b"gzip")
_VARIES = (b"vary", b"accept-encoding")

_Headers = tuple[tuple[bytes, bytes], ...]


def decoded(headers: Headers, body: bytes, *, max_bytes: int) -> bytes:
    """The content as it was before it was compressed, if it was.

    Raises ApiProblem: 415 for another coding, 400 when it is damaged, 413 above `max_bytes` (nothing more is unpacked).
    """
    named = b",".join(values(headers, b"content-encoding")).strip().lower()
    if named in (b"", b"identity"):
        return body
    if named not in (b"gzip", b"x-gzip"):
        # RFC 9110 §12.5.3, §15.5.16: who sends another coding is told the one that is known.
        raise ApiProblem(415, "unsupported-coding", "the one coding is gzip", headers={"accept-encoding": "gzip"})
    parts: list[bytes] = []
    room = max_bytes
    while body:  # RFC 1952 §2.2: a file may have several members
        unpacker = zlib.decompressobj(_GZIP)
        while not unpacker.eof:
            try:
                part = unpacker.decompress(body, min(_STEP, room + 1))
            except zlib.error:
                raise _damaged() from None
            body = unpacker.unconsumed_tail
            if not part and not body and not unpacker.eof:
                raise _damaged()
            room -= len(part)
            if room < 0:
                raise ApiProblem(413, "too-large", f"the unpacked body is longer than {max_bytes} bytes")
            parts.append(part)
        body = unpacker.unused_data
    return b"".join(parts)


def _damaged() -> ApiProblem:
    return ApiProblem(400, "bad-coding", "the body is not whole gzip")


def is_accepted(headers: Headers) -> bool:
    """Whether the client takes gzip (RFC 9110 §12.5.3)."""
    said: dict[bytes, bool] = {}
    for one in b",".join(values(headers, b"accept-encoding")).split(b","):
        name, _, weight = one.strip().lower().partition(b";")
        quality = weight.strip().removeprefix(b"q=").strip()
        said[name.strip()] = not quality or quality.strip(b"0.") != b""
    return said.get(b"gzip", said.get(b"x-gzip", said.get(b"*", False)))


def compressed(headers: Headers, response: Response) -> Response:
    """`response` as the client takes it."""
    found = (*response.headers, _VARIES)
    if len(response.body) < _WORTH or not is_accepted(headers):
        return Response(response.status, found, response.body)
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return Response(response.status, _coded(found), packer.compress(response.body) + packer.flush())


def compressed_stream(headers: Headers, found: _Headers, chunks: Iterator[bytes]) -> tuple[_Headers, Iterator[bytes]]:
    """The headers and pieces of a stream as the client takes them."""
    if not is_accepted(headers):
        return (*found, _VARIES), chunks
    return _coded((*found, _VARIES)), _packed(chunks)


def _packed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for chunk in chunks:
        if piece := packer.compress(chunk):
            yield piece
    yield packer.flush()


def _coded(headers: _Headers) -> _Headers:
    tagged = tuple((name, preconditions.coded(value) if name == b"etag" else value) for name, value in headers)
    return (*tagged, _FIELD)
